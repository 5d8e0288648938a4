"""Lookup of an account's story list: by its cached id, its profile page, its embed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from stories import endpoints
from stories.client import StoryClient
from stories.errors import (
    AccessError,
    AgeRestricted,
    NoSuchAccount,
    PrivateAccount,
    RateLimited,
    StoriesError,
    UnknownAnswer,
    UpstreamChanged,
)
from stories.http.session import Session
from stories.left_out import ERRORS, LeftOutReason
from stories.story_list import StoryList
from stories.structures import Author, Target
from stories.verdict import weightiest
from stories.ways import LookupResult

logger = logging.getLogger(__name__)

# Twice a story's life: a link this old by both clocks needs no request.
SURELY_OVER = timedelta(hours=48)

OnAuthor = Callable[[Author], None]


def posted_at(item_id: str) -> datetime:
    """The time an item was posted: the high 32 bits of its id are Unix seconds."""
    return datetime.fromtimestamp(int(item_id) >> 32, UTC)


@dataclass(slots=True, kw_only=True)
class AccountLookup:
    """Accounts and their lists, on one session at a time.

    now: our own clock, aware. fresh: ignore a cached account. on_author: called as soon as the
    author is certain.
    """

    client: StoryClient
    session: Session
    now: datetime
    fresh: bool
    on_author: OnAuthor

    # --- the time -----------------------------------------------------------------------------

    @property
    def site_now(self) -> datetime:
        """The time to judge by what is over: TikTok's where it is known, else the least it is."""
        return self.client.clock.at_least(self.now)

    async def is_surely_over(self, item_id: str, *, ask: bool) -> bool:
        """Whether an item is too old for a story, by our clock and by TikTok's.

        ask: spend one request where TikTok's clock is not known; its answer tells the time whatever
        else it says. Without it our own clock decides alone. Raises the error that kept the time
        from us.
        """
        posted = posted_at(item_id)
        if self.now - posted <= SURELY_OVER:
            return False
        clock = self.client.clock
        if clock.last_told() is None and ask:
            try:
                await self.session.get_page(endpoints.clock())
            except StoriesError:
                if clock.last_told() is None:
                    raise
        told = clock.last_told()
        return not ask if told is None else told - posted > SURELY_OVER

    # --- accounts -----------------------------------------------------------------------------

    async def get_list(self, target: Target) -> StoryList:
        """The list of the account a target names: by its cached id, its profile, its embed.

        Raises what StoryClient.get_author and get_story_list do.
        """
        cached = None if self.fresh else await self.client.cached_author(target.name)
        story_list = None
        if cached is not None:
            story_list = await self._list_of_cached(cached, target.name or "")
        if story_list is not None and story_list.stories:
            self.on_author(story_list.author)
            return story_list
        try:
            author = await self.client.get_author(target, self.session)
        except NoSuchAccount:
            if target.user_id is None:
                raise
            return await self._list_by_id(target.user_id)
        except (AgeRestricted, PrivateAccount, RateLimited):
            raise
        except StoriesError as error:
            # What the name stood for within the last day is known, and so is its list.
            story_list = story_list or await self._list_without_profile(target, error)
            if not story_list.stories and not story_list.explicit and story_list.error is None:
                raise  # a list that says nothing, of an account of which we are shown nothing
            self.on_author(story_list.author)
            return story_list
        self.on_author(author)
        if story_list is not None and story_list.author.id == author.id:
            return replace(story_list, author=author)
        return await self.list_of(author)

    async def list_of(self, author: Author) -> StoryList:
        """The list of an account that TikTok itself named just now."""
        try:
            return await self.client.get_story_list(author, self.session, now=self.now)
        except PrivateAccount:
            # The profile said otherwise, and the name was cached for it.
            await self.client.forget_author(author.name)
            raise

    async def list_of_known(self, author: Author) -> StoryList:
        """The list of an account that was looked up some time ago, by its id alone: one request.

        Its name may be another by now: that of a listed story is. Raises UpstreamChanged for a list
        that says nothing of what there is, and what get_story_list does.
        """
        story_list = await self.client.get_story_list(author, self.session, now=self.now)
        if not story_list.stories and not story_list.explicit and story_list.error is None:
            raise UpstreamChanged("the story list holds neither items nor a count")
        names = {story.author.name: story.author for story in story_list.stories}
        if len(names) == 1:
            (named,) = names.values()
            author = replace(author, name=named.name, nickname=named.nickname)
            story_list = replace(story_list, author=author)
        self.on_author(story_list.author)
        return story_list

    async def _list_of_cached(self, cached: Author, name: str) -> StoryList | None:
        """The list of a cached account; None when the name is someone else's by now.

        A list without stories names nobody, so its account has still to be looked up.
        """
        try:
            story_list = await self.client.get_story_list(cached, self.session, now=self.now)
        except (AccessError, UnknownAnswer, UpstreamChanged) as error:
            logger.info("remembered id no longer answers: %s %s", error.code, error.detail)
        else:
            names = {story.author.name.lower() for story in story_list.stories}
            if names <= {name.lower()} and not story_list.dropped.get("foreign"):
                return story_list
        await self.client.forget_author(name)
        return None

    async def _list_without_profile(self, target: Target, error: StoriesError) -> StoryList:
        """The list of an id that is no name, when its profile is kept from us.

        Raises `error` when there is none, or one without stories, which names nobody; a weightier
        one that kept the list from us.
        """
        if target.name is not None or target.user_id is None:
            raise error
        try:
            return await self._list_by_id(target.user_id)
        except RateLimited:
            raise
        except StoriesError as list_error:
            logger.info("nor is there a list: %s %s", list_error.code, list_error.detail)
            raise weightiest(error, list_error) from list_error

    async def _list_by_id(self, user_id: str) -> StoryList:
        """The list of digits that are nobody's name: if they are an id, only its list can tell."""
        unnamed = Author(id=user_id, name="")
        story_list = await self.client.get_story_list(unnamed, self.session, now=self.now)
        story_list.raise_for_error()
        if not story_list.stories:
            raise NoSuchAccount("neither a name nor the id of an account with stories")
        self.on_author(story_list.author)
        return story_list


def result_of(target: Target, story_list: StoryList) -> LookupResult:
    """The result of a look-up that read an account's list: what it holds and what it leaves out."""
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
        details=story_list.details,
        error=story_list.error,
        refusal=story_list.refusal,
        explicit=story_list.explicit,
    )
