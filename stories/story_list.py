"""The story list of an account: its pages read to the end, and once more when it breaks off."""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from stories import endpoints, wire
from stories.errors import (
    Challenged,
    GatedList,
    HeldBack,
    LoginRequired,
    PrivateAccount,
    RateLimited,
    Refusal,
    Refused,
    StoriesError,
    UpstreamChanged,
)
from stories.hosts import SITE
from stories.http.headers import Purpose
from stories.http.session import Page, Session
from stories.left_out import LeftOutReason, counted
from stories.site_clock import SiteClock
from stories.structures import Author, Story

logger = logging.getLogger(__name__)

MAX_LIST_PAGES = 50
# After so many pages in a row without an item a list counts as broken off.
MAX_EMPTY_PAGES = 3
_FIRST_DEVICE_ID, _LAST_DEVICE_ID = 7250000000000000000, 7325099899999994577


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryList:
    """Every active story of an author, oldest first.

    dropped: reason -> number of listed items that were not kept. left_out: item id -> that reason.
    session: the one whose cookies the media addresses belong to, not always the one passed in.
    missing: how many more stories TikTok counts than it listed; at least 1 when the list broke off.
    left_out_counts: everything that is left out, whatever the reason, what is missing included;
    empty only for a complete list of which every active story was kept. details: reason -> what is
    wrong with the first item that was not kept for it, where more can be said.
    error: why the absence of stories does not mean that there are none; None beside any story.
    explicit: an answer says what there is, be it nothing, as wire.StoryPage has it.
    refusal: TikTok turned us away on the way to what is missing, beside the stories read by then.
    """

    author: Author
    stories: tuple[Story, ...]
    dropped: Mapping[str, int]
    session: Session
    left_out: Mapping[str, str] = field(default_factory=dict)
    missing: int = 0
    left_out_counts: Mapping[LeftOutReason, int] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    error: StoriesError | None = None
    refusal: Refusal | None = None
    explicit: bool = False

    def raise_for_error(self) -> None:
        """Raise `error` when there is one."""
        if self.error is not None:
            raise self.error


async def get_story_list(
    author: Author,
    session: Session,
    *,
    open_session: Callable[[], Session],
    clock: SiteClock,
    now: datetime | None = None,
) -> StoryList:
    """The story list of an account; check its `error` before an empty one is taken for "no story".

    A list that breaks off, or is shorter than TikTok counts, is read once more on a session from
    `open_session`; the reading with more stories counts. What one page listed stays, whatever the
    next one answers. One that stays gated is held back. clock: TikTok's, noted from the list, and
    decides what is active. now: aware, in place of our own clock. Raises Refused when the answer is
    zero bytes, PrivateAccount of either reading, and, when no page listed a story, what
    wire.story_page and Session.get_page do.
    """
    try:
        return await _read_list(author, session, open_session, clock, now)
    except Refused as error:
        if not error.gated:
            raise
        # Whether there is a story in it, nobody knows: none is counted as missing.
        kept = GatedList(error.detail)
        return StoryList(author=author, stories=(), dropped={}, session=session, error=kept)


async def _read_list(
    author: Author,
    session: Session,
    open_session: Callable[[], Session],
    clock: SiteClock,
    now: datetime | None,
) -> StoryList:
    """What get_story_list does; raises Refused for a gated one, too."""
    interrupted: list[_CollectedPages] = []

    async def read(session: Session) -> _CollectedPages:
        return await _read_pages(author, session, clock, now, interrupted)

    try:
        # As a whole: addresses on the first page are tied to the session refused the second.
        first = await session.ask(partial(read, session))
    except StoriesError:
        if not interrupted:
            raise
        first = max(interrupted, key=lambda pages: len(pages.stories))
    turned_away = isinstance(first.error, Refusal | LoginRequired)
    if not first.missing or first.capped or (first.stories and turned_away):
        return first.story_list(author)
    interrupted.clear()
    try:
        second = await read(open_session())
    except PrivateAccount:
        raise
    except StoriesError as error:
        logger.info("the second reading of a list failed: %s %s", error.code, error.detail)
        if interrupted:
            return _better(first, interrupted[0]).story_list(author)
        if not first.stories:
            raise
        if isinstance(error, RateLimited):
            first.error = error
        return first.story_list(author)
    return _better(first, second).story_list(author)


def list_of_pages(
    author: Author,
    session: Session,
    pages: Iterable[wire.StoryPage],
    *,
    broken_off: bool,
    error: StoriesError | None = None,
) -> StoryList:
    """The story list that pages make which were read elsewhere, in their order.

    session: the one that the media addresses belong to. broken_off: more was promised than they
    hold. error: that kept it from us; None where it is not known.
    """
    collected = _CollectedPages(session=session, error=error, broken_off=broken_off)
    for page in pages:
        collected.add(page)
    return collected.story_list(author)


@dataclass(slots=True, kw_only=True)
class _CollectedPages:
    """The items of a list's pages read so far.

    total: active stories as TikTok counts them, None when it never said. broken_off: the list ended
    although more was promised. capped: it ended at MAX_LIST_PAGES, where another reading would too.
    lost: stories that another reading lists and this one does not. error: that ended the list.
    device_id: that each page is asked for with, once one was kept back without; "" for none.
    explicit: StoryList.explicit.
    """

    session: Session
    stories: dict[str, Story] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    without_id: int = 0
    total: int | None = None
    broken_off: bool = False
    capped: bool = False
    lost: int = 0
    error: StoriesError | None = None
    device_id: str = ""
    explicit: bool = False

    def add(self, page: wire.StoryPage) -> bool:
        """Add a page's items; True when one of them is new.

        An entry without an id is counted with its page, once: a page that repeats itself does not
        make two of it.
        """
        before = self.listed
        for story in page.stories:
            if story.id not in self.left_out:
                self.stories.setdefault(story.id, story)
        for item_id, reason in page.left_out.items():
            if item_id not in self.stories:
                self.left_out.setdefault(item_id, reason)
        self.details = {**page.details, **self.details}
        has_new = self.listed > before
        if has_new or not page.listed_ids:
            self.without_id += sum(page.dropped.values()) - len(page.left_out)
        if page.total is not None:
            self.total = max(self.total or 0, page.total)
        self.explicit = self.explicit or page.explicit
        return has_new

    @property
    def listed(self) -> int:
        """The number of items with an id, those left out among them."""
        return len(self.stories) + len(self.left_out)

    @property
    def missing(self) -> int:
        """StoryList.missing. A list with all that TikTok counts is whole however it ended.

        TikTok counts the stories of this account: an entry without an id may be one of them, an
        advert by another account is not.
        """
        adverts = sum(reason == "foreign_ad" for reason in self.left_out.values())
        listed = self.listed - adverts + self.without_id
        if self.total is not None and listed >= self.total:
            return self.lost
        return max((self.total or 0) - listed, int(self.broken_off), self.lost)

    @property
    def _missing_reason(self) -> LeftOutReason:
        if self.capped:
            return LeftOutReason.TOO_LONG
        if self.broken_off and self.total is None and not self.lost:
            return LeftOutReason.BROKEN_OFF
        return LeftOutReason.HELD_BACK

    def story_list(self, author: Author) -> StoryList:
        """The list that these pages make."""
        ordered = sorted(self.stories.values(), key=lambda story: (story.posted_at, story.id))
        dropped = Counter(self.left_out.values()) + Counter(unreadable=self.without_id)
        error = self.error if self.missing else None
        details = self.details
        if error is not None:
            details = {self._missing_reason: f"{error.code} {error.detail}", **details}
        return StoryList(
            author=ordered[-1].author if ordered else author,
            stories=tuple(ordered),
            dropped=dict(dropped),
            session=self.session,
            left_out=self.left_out,
            missing=self.missing,
            left_out_counts=counted(dropped + Counter({self._missing_reason: self.missing})),
            details=details,
            error=None if ordered else self._empty_list_error(dropped),
            refusal=error if isinstance(error, Refusal) and not _is_gated(error) else None,
            explicit=self.explicit,
        )

    def _empty_list_error(self, dropped: Mapping[str, int]) -> StoriesError | None:
        error = wire.empty_list_error(dropped, self.details)
        if self.missing and not isinstance(error, UpstreamChanged):
            # Of this account alone: no reason for the whole instance to pause, as Refused would be.
            return HeldBack(f"the story list is held back: {self.listed} of {self.total or '?'}")
        return error


async def _read_pages(
    author: Author,
    session: Session,
    clock: SiteClock,
    now: datetime | None,
    interrupted: list[_CollectedPages],
) -> _CollectedPages:
    """All pages of a list; those before the one that is not given, once they hold stories.

    interrupted: gets them too where the error is raised, as another identity may be spared it.
    Raises Refused when a page is an answer of zero bytes.
    """
    pages = _CollectedPages(session=session)
    cursor, empty_pages = "0", 0
    for _ in range(MAX_LIST_PAGES):
        try:
            page = await _read_page(author, session, clock, now, cursor, pages)
        except StoriesError as error:
            if not pages.stories:
                raise
            logger.info("a list is interrupted: %s %s", error.code, error.detail)
            pages.error, pages.broken_off = error, True
            if not isinstance(error, Challenged | Refused | LoginRequired):
                return pages
            # The addresses stay tied to the cookies of this try.
            pages.session = session.sibling(with_cookies=True)
            interrupted.append(pages)
            raise
        has_new = pages.add(page)
        if not page.has_more:
            return pages
        empty_pages = 0 if page.listed_ids else empty_pages + 1
        repeated = bool(page.listed_ids) and not has_new
        advances = _is_ahead(page.next_cursor, cursor)
        if repeated or not advances or empty_pages == MAX_EMPTY_PAGES:
            pages.broken_off = True
            return pages
        cursor = page.next_cursor or cursor
    logger.warning("stopped after %d pages of one story list", MAX_LIST_PAGES)
    pages.broken_off = pages.capped = True
    return pages


async def _read_page(
    author: Author,
    session: Session,
    clock: SiteClock,
    now: datetime | None,
    cursor: str,
    pages: _CollectedPages,
) -> wire.StoryPage:
    async def ask() -> Page:
        return await session.get_page(
            endpoints.story_list(author, cursor, device_id=pages.device_id),
            Purpose.LIST,
            referer=f"{SITE}@{author.name}" if author.name else SITE,
            allow_empty=True,
        )

    answer = await ask()
    if answer.gated and not pages.device_id:
        pages.device_id = _new_device_id()
        answer = await ask()
    if not answer.found:
        raise UpstreamChanged("the story list answers 404")
    if not answer.body:
        refusal = Refused(f"the story list is {'gated' if answer.gated else 'an empty answer'}")
        refusal.gated = answer.gated
        raise refusal
    page = wire.story_page(
        answer.body, author, now=clock.now(now), date=answer.date, doubt=clock.doubt
    )
    if page.server_now is not None:
        clock.learn(page.server_now)
    return page


def _is_gated(error: StoriesError) -> bool:
    return isinstance(error, Refused) and error.gated


def _new_device_id() -> str:
    """A number like those that the site's own script gives to a new visitor; of nobody's device."""
    return str(_FIRST_DEVICE_ID + secrets.randbelow(_LAST_DEVICE_ID - _FIRST_DEVICE_ID))


def _better(first: _CollectedPages, second: _CollectedPages) -> _CollectedPages:
    """The whole one of two readings of a list, or the one with more; in doubt the later.

    A reading without a story that the other one lists is not whole, whatever it says of itself.
    """
    lost = first.stories.keys() - second.stories.keys() - second.left_out.keys()
    if first.stories and len(second.stories) <= len(first.stories) and (second.missing or lost):
        return first
    second.lost = len(lost)
    return second


def _is_ahead(next_cursor: str | None, cursor: str) -> bool:
    """True when the next page lies ahead; one that stands still would be asked for ever."""
    try:
        return next_cursor is not None and int(next_cursor) > int(cursor)
    except ValueError:
        return False
