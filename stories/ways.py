"""Ways: how pages and lists reach TikTok, each by a mechanism that differs in kind from the others.

Today's client is one (carrier_way.py), a browser and a separate program are others. Media always go
through our own downloader, and every way ends in the same reading (wire/) and the same structures.
lookup.py decides which way is asked, and when the next one is.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from stories.errors import Refusal, StoriesError
from stories.http.session import Session
from stories.left_out import LeftOutReason
from stories.structures import Author, Story, Target


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a way can be asked now. reason: why not, for admins, in a few words; "" when it can.

    wait_s: seconds until it can again, where that is known. is_spent: it works, and has done what
    it may do for now.
    """

    ok: bool
    reason: str = ""
    wait_s: float | None = None
    is_spent: bool = False


READY = Readiness(ok=True)


class WayFailed(Exception):
    """A way broke by itself: it crashed, hung, or cannot do what is asked of it.

    TikTok said nothing, so that nothing follows from it about an account or this server. str(): the
    reason, for admins, in a few words, without names and addresses.
    """


class WayDeclined(WayFailed):
    """A way is whole and does not do this now: it is busy, its look-ups are used up, or it never
    does what was asked. Nothing is remembered against it.
    """


class WayBusy(WayDeclined):
    """A way that works is held by other look-ups for longer than one waits for it."""


class WaySpent(WayDeclined):
    """A way that works has done what it may do for now."""


class OnAuthor(Protocol):
    """Called as soon as the author is certain."""

    def __call__(self, author: Author, /) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question to a way, beside the target.

    posts: accept an ordinary post too. now: aware, our own clock. fresh: ignore a cached account.
    known: the account a list is asked of, when who it is was looked up some time ago: its profile
    is not asked for.
    """

    posts: bool
    now: datetime
    fresh: bool
    on_author: OnAuthor
    known: Author | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupResult:
    """The stories a target asks for.

    target: after short links were followed. session: the one the media addresses belong to.
    left_out: reason -> number of stories of an account that its list names or promises and that
    are not among these; empty for the item of a link. left_out_ids: item id -> that reason, where
    there is an id. details: reason -> what is wrong with the first of them. error: why an account
    without stories here is not one that has none. refusal: TikTok turned us away on the way to what
    is left out: for whoever paces the requests, once the stories are saved. explicit: TikTok's
    list says what there is, be it nothing; without stories and not explicit it says nothing at all.
    """

    target: Target
    author: Author
    stories: tuple[Story, ...]
    session: Session
    left_out: Mapping[LeftOutReason, int] = field(default_factory=dict)
    left_out_ids: Mapping[str, LeftOutReason] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    error: StoriesError | None = None
    refusal: Refusal | None = None
    explicit: bool = False


class Visit(Protocol):
    """A way in use by one look-up. Each method raises StoriesError, and WayFailed."""

    async def expand(self, target: Target) -> Target:
        """The target that a short link leads to."""

    async def listing(self, target: Target, question: Question) -> LookupResult:
        """Every active story of an account; `error` where none is not "no story"."""

    async def item(
        self, target: Target, question: Question, *, author_is_certain: bool
    ) -> LookupResult:
        """The story or post of a link. author_is_certain: TikTok itself named its author."""


class Way(Protocol):
    """A way of asking.

    name: stable, remembered, shown to admins: "direct", "browser", "gallery-dl". cost: requests of
    the shared pace that one look-up counts as; 0 where each request counts by itself. decisive:
    what it lists is what every visitor gets, as the site's own page asks for it.
    """

    @property
    def name(self) -> str: ...

    @property
    def cost(self) -> int: ...

    @property
    def decisive(self) -> bool: ...

    async def ready(self) -> Readiness:
        """Whether it can be asked now. Starts nothing and costs nothing."""

    def visit(self) -> AbstractAsyncContextManager[Visit]:
        """Use it for one look-up; what it started ends with the block. Raises WayFailed."""


class WayMemory(Protocol):
    """What an instance remembers of its ways, shared by all workers. Raises nothing."""

    async def switched_off(self) -> frozenset[str]:
        """Names of the ways an admin switched off."""

    async def resting(self) -> frozenset[str]:
        """Names of ways that were refused lately while another one served: asked after the others.

        One whose rest is over is not among them, for one look-up, which finds out.
        """

    async def served(self, name: str) -> None:
        """A way brought an answer, whatever it said."""

    async def refused(self, name: str, code: str, *, rests: bool) -> None:
        """A way was turned away, or brought what cannot be read.

        rests: it is left alone for a while, as it was refused where another way was served.
        """

    async def failed(self, name: str, reason: str) -> None:
        """A way broke by itself."""

    async def not_ready(self, name: str, reason: str) -> None:
        """A way was needed, cannot be asked, and will not be ready by itself."""


class ForgetfulWays:
    """A WayMemory that remembers nothing: every way is on, and none rests."""

    async def switched_off(self) -> frozenset[str]:
        """No way is."""
        return frozenset()

    async def resting(self) -> frozenset[str]:
        """None does."""
        return frozenset()

    async def served(self, name: str) -> None:
        """Do nothing."""

    async def refused(self, name: str, code: str, *, rests: bool) -> None:
        """Do nothing."""

    async def failed(self, name: str, reason: str) -> None:
        """Do nothing."""

    async def not_ready(self, name: str, reason: str) -> None:
        """Do nothing."""
