"""Who the provider says somebody is: what is taken of the claims, and nothing more."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

GROUPS: Final = "groups"
NAME: Final = "preferred_username"
MAX_NAME: Final = 150
MAX_GROUPS: Final = 2000
MAX_SUBJECT: Final = 191
"""Characters of a subject that the table has room for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One person at one issuer. (issuer, subject) alone says who they are.

    name: what they are called there, "" when not told; never looked up by. groups: names.
    authenticated_at: when they last showed who they are there, in Unix seconds; None when not told.
    """

    issuer: str
    subject: str
    name: str = ""
    groups: frozenset[str] = frozenset()
    authenticated_at: int | None = None

    @property
    def key(self) -> str:
        """The subject as it is stored: as it is, or a digest of one that is too long."""
        if len(self.subject) <= MAX_SUBJECT:
            return self.subject
        return f"sha256:{hashlib.sha256(self.subject.encode()).hexdigest()}"


def from_claims(issuer: str, claims: dict[str, Any], more: dict[str, Any]) -> Identity:
    """The identity in an ID token's claims; more: of the userinfo endpoint, where it was asked."""
    at = claims.get("auth_time")
    return Identity(
        issuer=issuer,
        subject=claims["sub"],
        name=_name(claims) or _name(more),
        groups=_groups(claims if GROUPS in claims else more),
        authenticated_at=at if isinstance(at, int) and not isinstance(at, bool) else None,
    )


def _name(claims: dict[str, Any]) -> str:
    name = claims.get(NAME)
    if not isinstance(name, str):
        return ""
    return "".join(letter for letter in name[:MAX_NAME] if letter.isprintable())


def _groups(claims: dict[str, Any]) -> frozenset[str]:
    groups = claims.get(GROUPS)
    if isinstance(groups, str):
        groups = [groups]
    if not isinstance(groups, list):
        return frozenset()
    return frozenset(group for group in groups[:MAX_GROUPS] if isinstance(group, str))
