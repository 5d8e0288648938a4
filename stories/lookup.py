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
from stories.http.session import Session
from stories.left_out import ERRORS, LeftOutReason
from stories.story_list import StoryList
from stories.structures import Author, Story, Target, TargetKind
from stories.wire import left_out_error

logger = logging.getLogger(__name__)

STORY_LIFE = timedelta(hours=24)
# Twice a story's life: a link this old needs no request, whatever either clock says.
SURELY_OVER = timedelta(hours=48)

OnAuthor = Callable[[Author], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupResult:
    """The stories a target asks for.

    target: after short links were followed. session: the one the media addresses belong to.
    left_out: reason -> number of stories of an account that its list names or promises and that
    are not among these; empty for the item of a link. left_out_ids: item id -> that reason, where
    there is an id. error: why an account without stories here is not one that has none.
    """

    target: Target
    author: Author
    stories: tuple[Story, ...]
    session: Session
    left_out: Mapping[LeftOutReason, int] = field(default_factory=dict)
    left_out_ids: Mapping[str, LeftOutReason] = field(default_factory=dict)
    error: StoriesError | None = None


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
    account. on_author: called once, as soon as the author is certain. Raises StoriesError; where a
    list was read and handed on nothing, the error is in the result, beside what was left out.
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

    # --- an account ---------------------------------------------------------------------------

    async def account(self, target: Target) -> LookupResult:
        """Every active story of an account, and what its list leaves out."""
        story_list = await self._get_list(target)
        return LookupResult(
            target=target,
            author=story_list.author,
            stories=story_list.stories,
            session=story_list.session,
            left_out=story_list.left_out_counts,
            left_out_ids={
                item_id: LeftOutReason(reason)
                for item_id, reason in story_list.left_out.items()
                if reason in ERRORS
            },
            error=story_list.error,
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
        age = self.now - posted_at(target.item_id or "")
        if age > SURELY_OVER:
            raise Gone("posted more than 48 hours ago")
        outcome = await self._find_in_list(target)
        if outcome.result is not None:
            return outcome.result
        try:
            return await self._from_own_page(target, is_story=True)
        except (NotAStory, RateLimited):
            raise
        except StoriesError as error:
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
        if story.is_story and story.leaves_at is not None and story.leaves_at <= self.now:
            raise Gone("it has left TikTok")
        self.on_author(story.author)
        return LookupResult(
            target=target, author=story.author, stories=(story,), session=self.session
        )

    # --- a post -------------------------------------------------------------------------------

    async def post(self, target: Target) -> LookupResult:
        """The item of a plain post link, which may be a story after all."""
        outcome = _ListOutcome()
        if self.now - posted_at(target.item_id or "") > SURELY_OVER:
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
