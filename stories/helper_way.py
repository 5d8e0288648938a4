"""The way by gallery-dl: a run for each look-up, and what it brought read as anything else is.

What it prints and what it shows of TikTok's answers is read by wire/, kept to the same trust rules.
Its own words decide only where they say that it was kept out, and of an account that is private or
not there; never that a story is gone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

from stories import wire
from stories.account_lookup import result_of
from stories.client import StoryClient
from stories.errors import (
    Challenged,
    Gone,
    LoginRequired,
    NoSuchAccount,
    NotAStory,
    PrivateAccount,
    RateLimited,
    Refused,
    StoriesError,
    Unavailable,
    UpstreamChanged,
    UpstreamDown,
)
from stories.helper.endings import Ending, RunReading
from stories.helper.gallery_dl import GalleryDl, HelperRun
from stories.hosts import SITE
from stories.http.session import Session
from stories.identity import Identity, identity_ladder
from stories.story_list import StoryList, list_of_pages
from stories.structures import Author, Story, Target
from stories.ways import LookupResult, Question, Readiness, Visit, WayDeclined, WayFailed

NAME: Final = "gallery-dl"
COST: Final = 3
"""A profile page and the list, in pages of five stories: two requests for most accounts."""

_KEPT_OUT: Final[dict[Ending, Callable[[str], StoriesError]]] = {
    Ending.PRIVATE: PrivateAccount,
    Ending.UNKNOWN: NoSuchAccount,
    Ending.RATE_LIMITED: RateLimited,
    Ending.LOGIN_WALL: partial(LoginRequired, by_redirect=True),
    Ending.CHALLENGED: Challenged,
    Ending.KEPT: Refused,
    Ending.NO_ANSWER: UpstreamDown,
}
OK: Final = 200
_ABOUT_ACCOUNTS: Final = frozenset({Ending.PRIVATE, Ending.UNKNOWN})
# The program could do nothing with the page; what it says is read here.
_READ_BY_US: Final = frozenset({Ending.CHALLENGED, Ending.BROKEN})
# Whatever page it shows, that is not the item's.
_BEFORE_ITS_PAGE: Final = _KEPT_OUT.keys() - {Ending.KEPT}


class HelperWay:
    """The way by gallery-dl; see stories.ways.Way."""

    def __init__(self, client: StoryClient, gallery_dl: GalleryDl) -> None:
        self._client, self._gallery_dl = client, gallery_dl

    @property
    def name(self) -> str:
        """The way's name."""
        return NAME

    @property
    def cost(self) -> int:
        """Requests of the shared pace that a look-up counts as."""
        return COST

    @property
    def decisive(self) -> bool:
        """No: it asks for the list as we do."""
        return False

    async def ready(self) -> Readiness:
        """Whether it is installed."""
        return await self._gallery_dl.ready()

    def visit(self) -> AbstractAsyncContextManager[Visit]:
        """Use it for one look-up. Each run ends by itself, so there is nothing to close."""
        return self._visit()

    @asynccontextmanager
    async def _visit(self) -> AsyncIterator[Visit]:
        await self._client.wait_for_pace(self.cost)
        yield HelperVisit(client=self._client, gallery_dl=self._gallery_dl)


def asked_as(client: StoryClient) -> Identity:
    """The identity whose user agent gallery-dl gets: the files are asked for as the same."""
    return identity_ladder(client.config.page_transport)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class HelperVisit:
    """One look-up by gallery-dl; see stories.ways.Visit."""

    client: StoryClient
    gallery_dl: GalleryDl

    async def expand(self, target: Target) -> Target:
        """Not by this way: the helper follows a short link without a word. Raises WayFailed."""
        raise WayDeclined("does not follow short links")

    # --- a list -------------------------------------------------------------------------------

    async def listing(self, target: Target, question: Question) -> LookupResult:
        """Every active story of an account."""
        account = target.name or target.user_id or target.sec_uid or ""
        if target.name is not None and target.name.isdigit():
            raise WayDeclined("takes a name of digits alone for an id")
        run = await self.gallery_dl.run(f"{SITE}@{account}/stories")
        shown = _shown_author(run, target)
        author = shown if isinstance(shown, Author) else None
        known = author or Author(id=target.user_id or "", name=target.name or "")
        story_list = self._story_list(run, known, question)
        if story_list is None:
            if author is not None and run.reading.ending in _ABOUT_ACCOUNTS:
                raise WayFailed("says one thing of an account and shows another")
            if isinstance(shown, StoriesError) and run.reading.ending in _READ_BY_US:
                raise shown
            raise _error_of(run)
        question.on_author(story_list.author)
        return result_of(target, story_list)

    def _story_list(self, run: HelperRun, author: Author, question: Question) -> StoryList | None:
        """The list that a run brought; None when it brought none, which its ending then explains.

        Raises the error of a page of the list that came before any item.
        """
        reading = run.reading
        printed = self._printed(run, author, question)
        if printed is not None and printed.stories and not author.id:
            # From here on the id decides who it is.
            author = printed.stories[-1].author
            printed = self._printed(run, author, question)
        pages, error, is_read = self._shown_pages(run, author, question)
        brought = [*([printed] if printed is not None else []), *pages]
        if not any(page.listed_ids for page in brought):
            if error is not None:
                raise error
            if reading.ending is not Ending.EMPTY and not _shows_count(reading, pages):
                return None
            return list_of_pages(
                author, self._session(run), pages, broken_off=bool(pages and pages[-1].has_more)
            )
        if reading.ending in _ABOUT_ACCOUNTS:
            raise WayFailed("says that there is no list and shows one")
        turned_away = reading.turned_away or reading.ending
        # A page it could do nothing with, and we can, is no refusal: the list goes on without it.
        if turned_away in _KEPT_OUT and not (turned_away is Ending.KEPT and is_read):
            error = _KEPT_OUT[turned_away](reading.detail)
        listed = frozenset().union(*(page.listed_ids for page in brought))
        kept_ids = [item_id for item_id in reading.kept_ids if item_id not in listed]
        return list_of_pages(
            author,
            self._session(run),
            [*brought, wire.kept_items(kept_ids)],
            broken_off=(
                error is not None
                or turned_away in {Ending.KEPT, Ending.BROKEN}
                or bool(pages and pages[-1].has_more)
            ),
            error=error,
        )

    def _printed(self, run: HelperRun, author: Author, question: Question) -> wire.StoryPage | None:
        """The items it printed; None without any. Raises PrivateAccount, WayFailed."""
        if not run.lines:
            return None
        now = self.client.clock.at_least(question.now)
        try:
            return wire.printed_items(run.lines, author, now=now)
        except PrivateAccount:
            raise
        except StoriesError as error:
            raise WayFailed("prints what is no item") from error

    def _shown_pages(
        self, run: HelperRun, author: Author, question: Question
    ) -> tuple[list[wire.StoryPage], StoriesError | None, bool]:
        """The pages of the list that it got, the error of the last one where there is one, and
        whether the last answer was read as one."""
        clock = self.client.clock
        pages: list[wire.StoryPage] = []
        error: StoriesError | None = None
        is_read = False
        for answer in run.answers:
            if not answer.is_list:
                continue
            is_read = False
            if answer.status != OK:
                continue
            try:
                page = wire.story_page(
                    answer.body, author, now=clock.now(question.now), doubt=clock.doubt
                )
            except PrivateAccount:
                raise
            except StoriesError as page_error:
                error = page_error  # it may have asked for the same page once more
                continue
            error, is_read = None, True
            if page.server_now is not None:
                clock.learn(page.server_now)
            pages.append(page)
        return pages, error, is_read

    # --- an item ------------------------------------------------------------------------------

    async def item(
        self, target: Target, question: Question, *, author_is_certain: bool
    ) -> LookupResult:
        """The story or post of a link."""
        item_id = target.item_id or ""
        run = await self.gallery_dl.run(f"{SITE}@{target.name or '_'}/video/{item_id}")
        now = self.client.clock.at_least(question.now)
        story = _printed_item(run, item_id, now) if run.lines else _shown_item(run, item_id, now)
        if not story.is_story and not question.posts:
            raise NotAStory(f"item {story.id} is an ordinary post")
        if story.is_story and story.leaves_at is not None and story.leaves_at <= now:
            raise Gone("it has left TikTok")
        question.on_author(story.author)
        return LookupResult(
            target=target, author=story.author, stories=(story,), session=self._session(run)
        )

    def _session(self, run: HelperRun) -> Session:
        session = self.client.session()
        identity = replace(asked_as(self.client), user_agent=self.gallery_dl.user_agent)
        session.adopt(run.cookies, identity)
        return session


def _shown_author(run: HelperRun, asked: Target) -> Author | StoriesError | None:
    """The account on the profile page that a run shows, or the error of that page; None without
    one."""
    shown: StoriesError | None = None
    for answer in run.answers:
        if answer.is_list or answer.status != OK:
            continue
        try:
            return wire.profile_author(answer.body, asked)
        except StoriesError as error:
            shown = error
    return shown


def _shows_count(reading: RunReading, pages: Sequence[wire.StoryPage]) -> bool:
    """Whether TikTok's own answer counts the stories of a list that has none for the program.

    It gives up on a list without stories that has no cursor either, as on one it is refused.
    """
    given_up = reading.ending in {Ending.KEPT, Ending.QUIET}
    return given_up and bool(pages) and all(page.total is not None for page in pages)


def _printed_item(run: HelperRun, item_id: str, now: datetime) -> Story:
    """The item a run printed. Raises what the item says of itself, WayFailed for any other."""
    try:
        return wire.printed_item(run.lines[0], item_id, now=now)
    except UpstreamChanged as error:
        raise WayFailed("prints another item, or none that can be read") from error


def _shown_item(run: HelperRun, item_id: str, now: datetime) -> Story:
    """The item on the page that a run shows. Raises what the page says, or its ending, WayFailed.

    A page that says of itself that there is no such item does not make it gone.
    """
    reading = run.reading
    pages = [answer for answer in run.answers if not answer.is_list]
    if reading.ending in _BEFORE_ITS_PAGE or not pages or pages[-1].status != OK:
        raise _error_of(run)
    try:
        return wire.page_item(pages[-1].body, item_id, now=now)
    except Gone as error:
        if error.proven:
            raise
        raise Unavailable(error.detail) from error


def _error_of(run: HelperRun) -> Exception:
    """The error that the ending of a run means, which brought nothing."""
    reading = run.reading
    ending = reading.ending
    if ending is Ending.KEPT and any(answer.place.startswith("login") for answer in run.answers):
        ending = Ending.LOGIN_WALL
    error = _KEPT_OUT.get(ending)
    if error is None:
        return WayFailed(reading.detail or "says nothing")
    return error(f"gallery-dl: {reading.detail}")
