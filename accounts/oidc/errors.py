"""What can go wrong with a sign-in by a provider."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why somebody is not let in, whoever the provider says they are."""

    NOT_INVITED = "not_invited"
    """They have no account here, and no invitation."""
    NOT_IN_GROUP = "not_in_group"
    """They are in none of the groups that may sign in."""
    BLOCKED = "blocked"
    """Their account here is blocked."""


class ProviderAway(Exception):
    """The provider did not answer, or not in time; str() says why, for the log."""


class Untrusted(Exception):
    """The provider's answer does not hold what it has to; str() says what, for the log, and nothing
    of the answer."""


class Refused(Exception):
    """Somebody is not let in."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(reason.value)
