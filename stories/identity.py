"""Identities: who pages and lists are asked as, and the order in which they are tried.

TikTok refuses a browser's make, its TLS handshake, or a visit without a Referer, rather than a
server: another identity is tried before the server counts as refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

from stories.protocol import floor
from stories.protocol.current import per_pack
from stories.protocol.pack import IdentityFacts, Pack
from stories.rests import LocalRests, Rests

TlsTarget: TypeAlias = floor.TlsTarget
"""A browser whose TLS handshake curl can copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A visitor as TikTok sees one: headers and TLS handshake that fit each other.

    name: stable, remembered, shown to admins. tls_target: the browser whose handshake curl copies,
    None for plain httpx. client_hints: sec-ch-ua headers in order. browser: sends the Sec-Fetch
    headers that every browser of today sends. always_referer: a page that nothing leads to is
    visited as if from TikTok's home page. runs_scripts: a real browser, which answers a challenge
    page by itself.
    """

    name: str
    user_agent: str
    tls_target: TlsTarget | None = None
    client_hints: tuple[tuple[str, str], ...] = ()
    browser: bool = True
    always_referer: bool = True
    runs_scripts: bool = False


@per_pack
def _ladders(pack: Pack) -> dict[str, tuple[Identity, ...]]:
    return {
        "curl": tuple(map(_identity, pack.identities.curl)),
        "httpx": tuple(map(_identity, pack.identities.httpx)),
    }


def _identity(facts: IdentityFacts) -> Identity:
    return Identity(
        name=facts.name,
        user_agent=facts.user_agent,
        tls_target=facts.tls_target,
        client_hints=facts.client_hints,
        browser=facts.browser,
        always_referer=facts.always_referer,
    )


def identity_ladder(page_transport: Literal["curl", "httpx"]) -> tuple[Identity, ...]:
    """The identities of a client, in the order they are tried; the first is the usual one.

    Of the protocol pack in use: the same tuple until another pack is.
    """
    return _ladders()[page_transport]


def by_name(ladder: Sequence[Identity], name: str | None) -> Identity:
    """The identity of a name; the usual one for None, and for a name that is not in `ladder`."""
    return next((identity for identity in ladder if identity.name == name), ladder[0])


def following(ladder: Sequence[Identity], identity: Identity) -> Identity:
    """The identity to try after one that was refused; after the last comes the first."""
    return ladder[(ladder.index(identity) + 1) % len(ladder)]


# --- memory ---------------------------------------------------------------------------------------

REMEMBERED_S: Final = 30 * 60
"""Seconds that an identity is kept to; then the usual one gets another chance."""


class IdentityMemory(Protocol):
    """The name of the identity to begin with, kept for REMEMBERED_S, and which ones rest."""

    @property
    def rests(self) -> Rests:
        """Identities that were refused while another one was served, by name."""

    async def get(self) -> str | None:
        """The remembered name; None to begin with the usual identity."""

    async def put(self, name: str) -> None:
        """Remember a name, from now on for REMEMBERED_S."""


class LocalIdentityMemory:
    """An IdentityMemory of this process alone. clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._name: str | None = None
        self._until = 0.0
        self.rests: Rests = LocalRests(clock)

    async def get(self) -> str | None:
        """The remembered name; None when there is none, or it is too old."""
        return self._name if self._clock() < self._until else None

    async def put(self, name: str) -> None:
        """Remember a name."""
        self._name, self._until = name, self._clock() + REMEMBERED_S
