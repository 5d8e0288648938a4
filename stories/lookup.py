"""Lookup of the stories behind a target: the order of requests, and the error they add up to.

An account: cached id, profile page, embed. A story or post link: the author's list, the item's own
page, its embed. Each step is tried once; waiting and trying again later is the queue's business.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from stories.client import StoryClient
from stories.errors import (
    AccessError,
    Gone,
    NoSuchAccount,
    NotAStory,
    PrivateAccount,
    RateLimited,
    StoriesError,
    Unavailable,
    UpstreamChanged,
    UpstreamError,
)
from stories.hosts import SITE
from stories.http.session import Session
from stories.story_list import StoryList
from stories.structures import Author, Story, Target, TargetKind
from stories.wire import left_out_error

logger = logging.getLogger(__name__)

STORY_LIFE = timedelta(hours=24)
# Twice a story's life: a link this old by both clocks needs no request.
SURELY_OVER = timedelta(hours=48)

# Small, and not about anybody.
TIME_URL = f"{SITE}robots.txt"

OnAuthor = Callable[[Author], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupResult:
    """The stories a target asks for.

    target: after short links were followed. session: the one the media addresses belong to.
    dropped: reason -> number of listed items that were left out. missing: stories that TikTok
    counts and did not list.
    """

    target: Target
    author: Author
    stories: tuple[Story, ...]
    session: Session
    dropped: Mapping[str, int] = field(default_factory=dict)
    missing: int = 0


def posted_at(item_id: str) -> datetime:
    """The time an item was posted: the high 32 bits of its id are Unix seconds."""
    return datetime.fromtimestamp(int(item_id) >> 32, UTC)


async def look_up(
    client: StoryClient,
    target: Target,
    *,
    posts: bool = False,
    now: datetime | None = None,
    fresh: bool = False,
    on_author: OnAuthor = lambda _: None,
) -> LookupResult:
    """Find the stories a target asks for; none, for an account, is an answer.

    posts: accept an ordinary post too. now: aware, decides what is active. fresh: ignore a cached
    account. on_author: called once, as soon as the author is certain. Raises StoriesError.
    """
    lookup = _Lookup(
        client=client,
        session=client.session(),
        posts=posts,
        now=now or datetime.now(UTC),
        fresh=fresh,
        on_author=on_author,
    )
    if target.kind is TargetKind.SHORT:
        target = await client.expand_short_link(target, lookup.session)
        lookup.author_confirmed = target.name is not None
    match target.kind:
        case TargetKind.STORY:
            return await lookup.story(target)
        case TargetKind.POST:
            return await lookup.post(target)
        case _:
            return await lookup.account(target)


@dataclass(frozen=True, slots=True, kw_only=True)
class _ListOutcome:
    """The outcome of looking for an item in its author's list.

    result: the item. left_out: the reason it was listed and not kept. complete: the list is all
    there is, so that an item which is not in it is not among that account's stories. list_error:
    the reason there was no list.
    """

    result: LookupResult | None = None
    left_out: StoriesError | None = None
    complete: bool = False
    list_error: StoriesError | None = None


@dataclass(slots=True, kw_only=True)
class _Lookup:
    """One look_up() call, on one session at a time.

    author_confirmed: TikTok itself named the author, by where its short link led. A name in a
    pasted link proves nothing, and may be anybody's.
    """

    client: StoryClient
    session: Session
    posts: bool
    now: datetime
    fresh: bool
    on_author: OnAuthor
    author_confirmed: bool = False

    # --- the time -----------------------------------------------------------------------------

    @property
    def site_now(self) -> datetime:
        """The time to judge by, which is TikTok's where it is known."""
        return self.client.clock.now(self.now)

    async def _surely_over(self, target: Target, *, ask: bool) -> bool:
        """Whether an item is too old for a story, by our clock and by TikTok's.

        ask: spend one request where TikTok's clock is not known; its answer tells the time whatever
        else it says. Without it our own clock decides alone. Raises the error that kept the time
        from us.
        """
        posted = posted_at(target.item_id or "")
        if self.now - posted <= SURELY_OVER:
            return False
        clock = self.client.clock
        if clock.last_told() is None and ask:
            try:
                await self.session.get_page(TIME_URL)
            except StoriesError:
                if clock.last_told() is None:
                    raise
        told = clock.last_told()
        return not ask if told is None else told - posted > SURELY_OVER

    # --- an account ---------------------------------------------------------------------------

    async def account(self, target: Target) -> LookupResult:
        """Every active story of an account."""
        story_list = await self._get_list(target)
        story_list.raise_for_error()
        return LookupResult(
            target=target,
            author=story_list.author,
            stories=story_list.stories,
            session=story_list.session,
            dropped=story_list.dropped,
            missing=story_list.missing,
        )

    async def _get_list(self, target: Target) -> StoryList:
        cached = None if self.fresh else await self.client.cached_author(target.name)
        story_list = None if cached is None else await self._list_of(cached, target.name or "")
        if story_list is not None and story_list.stories:
            self.on_author(story_list.author)
            return story_list
        try:
            author = await self.client.get_author(target, self.session)
        except NoSuchAccount:
            if target.user_id is None:
                raise
            return await self._list_by_id(target.user_id)
        self.on_author(author)
        if story_list is not None and story_list.author.id == author.id:
            return replace(story_list, author=author)
        try:
            return await self.client.get_story_list(author, self.session, now=self.now)
        except PrivateAccount:
            # The profile said otherwise, and the name was cached for it.
            await self.client.forget_author(author.name)
            raise

    async def _list_of(self, cached: Author, name: str) -> StoryList | None:
        """The list of a cached account; None when the name is someone else's by now.

        A list without stories names nobody, so its account has still to be looked up.
        """
        try:
            story_list = await self.client.get_story_list(cached, self.session, now=self.now)
        except (AccessError, UpstreamChanged) as error:
            logger.info("remembered id no longer answers: %s %s", error.code, error.detail)
        else:
            names = {story.author.name.lower() for story in story_list.stories}
            if names <= {name.lower()} and not story_list.dropped.get("foreign"):
                return story_list
        await self.client.forget_author(name)
        return None

    async def _list_by_id(self, user_id: str) -> StoryList:
        """The list of digits that are nobody's name: if they are an id, only its list can tell."""
        unnamed = Author(id=user_id, name="")
        story_list = await self.client.get_story_list(unnamed, self.session, now=self.now)
        story_list.raise_for_error()
        if not story_list.stories:
            raise NoSuchAccount("neither a name nor the id of an account with stories")
        self.on_author(story_list.author)
        return story_list

    # --- a story ------------------------------------------------------------------------------

    async def story(self, target: Target) -> LookupResult:
        """The story of a story link."""
        if await self._surely_over(target, ask=True):
            raise Gone("posted more than 48 hours ago")
        outcome = await self._find_in_list(target)
        if outcome.result is not None:
            return outcome.result
        try:
            return await self._from_own_page(target, is_story=True)
        except (NotAStory, RateLimited):
            raise
        except StoriesError as error:
            age = self.site_now - posted_at(target.item_id or "")
            raise _story_error(
                error, outcome, age=age, author_confirmed=self.author_confirmed
            ) from error

    async def _find_in_list(self, target: Target) -> _ListOutcome:
        """Look for an item in its author's list.

        Raises PrivateAccount, RateLimited, and the AccessError of an item that was left out.
        """
        if target.name is None and target.user_id is None and target.sec_uid is None:
            return _ListOutcome()
        try:
            story_list = await self._get_list(target)
        except (PrivateAccount, RateLimited):
            raise
        except (AccessError, UpstreamError) as error:
            # TikTok ignores the name in a link; the item may answer all the same.
            return _ListOutcome(list_error=error)
        for story in story_list.stories:
            if story.id == target.item_id:
                return _ListOutcome(
                    result=LookupResult(
                        target=target,
                        author=story.author,
                        stories=(story,),
                        session=story_list.session,
                    )
                )
        self.session = story_list.session
        left_out = left_out_error(story_list.left_out.get(target.item_id or "", ""))
        if isinstance(left_out, AccessError):
            # Over, or not for everyone: then no other way to it is tried.
            raise left_out
        unread = "unreadable" in story_list.dropped or target.item_id in story_list.left_out
        complete = not story_list.missing and not unread and story_list.error is None
        return _ListOutcome(left_out=left_out, complete=complete)

    async def _from_own_page(
        self, target: Target, *, is_story: bool, with_embed: bool = True
    ) -> LookupResult:
        """The item from its own page, else its embed. Raises the page's error: it says more."""
        try:
            story = await self.client.get_item(target.item_id or "", self.session, now=self.now)
            return self._accept(target, story)
        except (NotAStory, RateLimited):
            raise
        except StoriesError:
            result = await self._from_embed(target, is_story=is_story) if with_embed else None
            if result is None:
                raise
            return result

    async def _from_embed(self, target: Target, *, is_story: bool) -> LookupResult | None:
        try:
            story = await self.client.get_embedded_item(
                target.item_id or "", self.session, is_story=is_story, now=self.now
            )
            return self._accept(target, story)
        except RateLimited:
            raise
        except StoriesError as error:
            logger.info("embed did not help: %s %s", error.code, error.detail)
            return None

    def _accept(self, target: Target, story: Story) -> LookupResult:
        """An item from its own page or embed. Raises an error when it may not be saved."""
        if not story.is_story and not self.posts:
            raise NotAStory(f"item {story.id} is an ordinary post")
        if story.author.private:
            raise PrivateAccount(story.author.name)
        if story.is_story and story.leaves_at is not None and story.leaves_at <= self.site_now:
            raise Gone("it has left TikTok")
        self.on_author(story.author)
        return LookupResult(
            target=target, author=story.author, stories=(story,), session=self.session
        )

    # --- a post -------------------------------------------------------------------------------

    async def post(self, target: Target) -> LookupResult:
        """The item of a plain post link, which may be a story after all."""
        outcome = _ListOutcome()
        if await self._surely_over(target, ask=not self.posts):
            if not self.posts:
                raise NotAStory("posted more than 48 hours ago")
        else:
            outcome = await self._find_in_list(target)
            if outcome.result is not None:
                return outcome.result
        try:
            return await self._from_own_page(target, is_story=False, with_embed=self.posts)
        except (NotAStory, RateLimited):
            raise
        except StoriesError as error:
            raise _most_specific(error, outcome) from error


def _story_error(
    page_error: StoriesError, outcome: _ListOutcome, *, age: timedelta, author_confirmed: bool
) -> StoriesError:
    """The error for a story that is neither in its author's list nor to be had by itself.

    "Gone" is final, so it takes more than a page that is kept from us: that the page says there is
    no such item; or a complete list without it, of its author for certain or after its day.
    """
    absent = outcome.complete and outcome.left_out is None
    if isinstance(page_error, Unavailable):
        if absent:
            return Gone("not among the author's active stories")
        if age > STORY_LIFE and outcome.left_out is None:
            return Gone("more than 24 hours old, and TikTok does not show it")
    elif (
        isinstance(page_error, UpstreamError) and absent and (author_confirmed or age > STORY_LIFE)
    ):
        return Gone("not among the author's active stories, and its page is kept from us")
    return _most_specific(page_error, outcome)


def _most_specific(page_error: StoriesError, outcome: _ListOutcome) -> StoriesError:
    """The error that says most, of those of the item's page and of the author's list.

    The page has the last word about the item. When it is kept from us nothing is final: an error
    that can be retried comes first.
    """
    if isinstance(page_error, AccessError) and not isinstance(page_error, Unavailable):
        return page_error
    if outcome.left_out is not None:
        return _retryable_first(outcome.left_out, page_error)
    if isinstance(page_error, Unavailable):
        return outcome.list_error if isinstance(outcome.list_error, NoSuchAccount) else page_error
    return _retryable_first(page_error, outcome.list_error or page_error)


def _retryable_first(error: StoriesError, other: StoriesError) -> StoriesError:
    return error if error.retryable or not other.retryable else other
