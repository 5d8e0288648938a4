"""Who is told that sessions ended: what a browser was given beside its session is to end with it.

This package knows nothing of what that is; whoever does adds a listener at the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol


class Listener(Protocol):
    """Called inside the request that ended the sessions; it must not raise."""

    def session_ended(self, data: Mapping[str, Any]) -> None:
        """A person signed a browser out. data: of its session."""

    def all_ended(self, user_id: int) -> None:
        """A person is signed out everywhere, or has a new password."""


listeners: Final[list[Listener]] = []


def session_ended(data: Mapping[str, Any]) -> None:
    """Tell that a session is being ended by a person. data: of the session, before it goes."""
    for listener in listeners:
        listener.session_ended(data)


def all_ended(user_id: int) -> None:
    """Tell that all sessions of a person are ended, or count no more since their password is
    another."""
    for listener in listeners:
        listener.all_ended(user_id)
