"""Identities: who pages and lists are asked as, and the order in which they are tried.

TikTok refuses a browser's make, its TLS handshake, or a visit without a Referer, rather than a
server: another identity is tried before the server counts as refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol

from stories.rests import LocalRests, Rests

TlsTarget = Literal["chrome150", "chrome146"]
"""A browser whose TLS handshake curl can copy."""

_CHROME: Final = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/{}.0.0.0 Safari/537.36"
)


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


# Pinned: "chrome" would move with every release of curl_cffi, away from the headers beside it. A
# test compares each with what curl itself sends.
_CHROME_150: Final = Identity(
    name="chrome150",
    tls_target="chrome150",
    user_agent=_CHROME.format(150),
    client_hints=(
        ("sec-ch-ua", '"Not;A=Brand";v="8", "Chromium";v="150", "Google Chrome";v="150"'),
        ("sec-ch-ua-mobile", "?0"),
        ("sec-ch-ua-platform", '"macOS"'),
    ),
    always_referer=False,
)
_CHROME_150_REFERER: Final = replace(_CHROME_150, name="chrome150+referer", always_referer=True)
_CHROME_146_REFERER: Final = Identity(
    name="chrome146+referer",
    tls_target="chrome146",
    user_agent=_CHROME.format(146),
    client_hints=(
        ("sec-ch-ua", '"Chromium";v="146", "Not-A.Brand";v="24", "Google Chrome";v="146"'),
        ("sec-ch-ua-mobile", "?0"),
        ("sec-ch-ua-platform", '"macOS"'),
    ),
)
# No browser at all: from some networks it is those that are challenged.
_PLAIN: Final = Identity(
    name="plain", user_agent="Mozilla/5.0 (compatible; Storykeep)", browser=False
)
_HTTPX: Final = replace(_CHROME_150, name="httpx", tls_target=None)
_HTTPX_REFERER: Final = replace(_HTTPX, name="httpx+referer", always_referer=True)

_LADDERS: Final[dict[str, tuple[Identity, ...]]] = {
    "curl": (_CHROME_150, _CHROME_150_REFERER, _CHROME_146_REFERER, _PLAIN),
    "httpx": (_HTTPX, _HTTPX_REFERER, _PLAIN),
}


def identity_ladder(page_transport: Literal["curl", "httpx"]) -> tuple[Identity, ...]:
    """The identities of a client, in the order they are tried; the first is the usual one."""
    return _LADDERS[page_transport]


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
