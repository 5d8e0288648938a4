"""Lookup of one story or post by its link: each way to it on the site is tried once.

The list of the author it names, the item's own page, its embed, oEmbed; and whenever one of these
names the author, that author's list. Each step tells the next what it has learnt.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final

from stories.account_lookup import AccountLookup, posted_at
from stories.errors import (
    AccessError,
    AgeRestricted,
    Gone,
    NotAStory,
    PrivateAccount,
    PrivatePost,
    RateLimited,
    Refusal,
    StoriesError,
    UpstreamDown,
    UpstreamError,
)
from stories.item_pages import get_author_name, get_embedded_item, get_item
from stories.story_list import StoryList
from stories.structures import Author, Story, Target, TargetKind
from stories.verdict import Evidence, verdict
from stories.ways import LookupResult
from stories.wire import ItemClue, left_out_error

logger = logging.getLogger(__name__)

STORY_LIFE = timedelta(hours=24)

MAX_SHUT: Final = 3
"""Requests of one look-up that TikTok may turn away or not answer; then no other way is tried."""
# Said of an item by its own page or embed, these end its look-up: what is not for everyone is not
# tried another way, and whoever asks us to slow down is not asked again.
_FINAL = (AgeRestricted, NotAStory, PrivateAccount, PrivatePost, RateLimited)


@dataclass(slots=True, kw_only=True)
class ItemLookup:
    """The look-up of one story or post: each way to it is tried once, with what the others told.

    may_be_listed: it is young enough to be among its author's stories. author: as the item's page
    or embed names them. listed: names and ids of the accounts whose lists were read. shut: number
    of requests that TikTok turned away or did not answer.
    """

    accounts: AccountLookup
    target: Target
    posts: bool
    may_be_listed: bool
    evidence: Evidence
    author: Author | None = None
    listed: set[str] = field(default_factory=set)
    shut: int = 0

    @property
    def _item_id(self) -> str:
        return self.target.item_id or ""

    async def find(self) -> LookupResult:
        """The item. Raises the StoriesError that all answers add up to."""
        target = self.target
        result = None
        if target.name or target.user_id or target.sec_uid:
            result = await self._from_list(partial(self.accounts.get_list, target))
        result = result or await self._from_page() or await self._from_named_author()
        if result is not None:
            return result
        # Not sooner: the first answer may tell TikTok's time.
        age = self.accounts.site_now - posted_at(self._item_id)
        self.evidence.day_is_over = age > STORY_LIFE
        embedded = await self._get_embedded()
        result = await self._from_named_author()
        if result is None and embedded is not None:
            result = self._accept(embedded)
        if result is None and self._needs_oembed():
            result = await self._by_oembed()
        if result is None:
            raise verdict(self.evidence)
        return result

    def _check_owner(self, author: Author) -> None:
        """Raise PrivateAccount when the list of this very author said so, whatever an item says."""
        error, target = self.evidence.list_error, self.target
        known = {target.name, target.user_id, target.sec_uid} - {None}
        if isinstance(error, PrivateAccount) and known & {
            author.name.lower(),
            author.id,
            author.sec_uid,
        }:
            raise error

    def _note(self, error: StoriesError) -> StoriesError:
        self.shut += isinstance(error, Refusal | UpstreamDown)
        return error

    # --- the author's list --------------------------------------------------------------------

    async def _from_list(self, get_list: Callable[[], Awaitable[StoryList]]) -> LookupResult | None:
        """The item from a list; None when it is not there.

        Raises RateLimited, PrivateAccount of its author, and the AccessError of an item that was
        left out.
        """
        if not self.may_be_listed:
            return None
        evidence = self.evidence
        evidence.absent = evidence.list_is_partial = False
        evidence.list_error = None
        try:
            story_list = await get_list()
        except RateLimited:
            raise
        except (AccessError, UpstreamError) as error:
            if isinstance(error, PrivateAccount) and evidence.author_is_certain:
                raise
            # TikTok ignores the name in a link; the item may answer all the same.
            evidence.list_error = self._note(error)
            return None
        self.listed |= {story_list.author.id, story_list.author.name.lower()} - {""}
        self.accounts.session = story_list.session
        for story in story_list.stories:
            if story.id == self._item_id:
                return LookupResult(
                    target=self.target,
                    author=story.author,
                    stories=(story,),
                    session=story_list.session,
                )
        if isinstance(story_list.refusal, RateLimited):
            raise story_list.refusal
        if story_list.refusal is not None:
            evidence.list_error = self._note(story_list.refusal)
        left_out = left_out_error(story_list.left_out.get(self._item_id, ""))
        if isinstance(left_out, AccessError):
            # Over, or not for everyone: then no other way to it is tried.
            raise left_out
        unread = "unreadable" in story_list.dropped or self._item_id in story_list.left_out
        whole = not story_list.missing and not unread and story_list.error is None
        # Nor does one prove anything that holds no story, and is doubted or says nothing.
        hint = story_list.author.story_hint
        says_nothing = not story_list.explicit and hint is None
        whole = whole and bool(story_list.stories or not (hint or says_nothing))
        evidence.left_out = left_out
        evidence.absent = whole and left_out is None
        evidence.list_is_partial = not whole
        return None

    async def _from_named_author(self) -> LookupResult | None:
        """The item from the list of the author that its page or embed named, unless it was read."""
        author = self.author
        if author is None or not self.may_be_listed:
            return None
        self._check_owner(author)
        self.evidence.author_is_certain = True
        if (author.id or author.name.lower()) in self.listed:
            return None
        self.listed |= {author.id, author.name.lower()} - {""}
        if author.id:
            result = await self._from_list(partial(self.accounts.list_of, author))
        else:
            owner = Target(kind=TargetKind.USER, name=author.name)
            result = await self._from_list(partial(self.accounts.get_list, owner))
        if result is not None:
            self.accounts.on_author(result.author)
        return result

    # --- the item's own pages -----------------------------------------------------------------

    def _take_clue(self, clue: ItemClue) -> None:
        self.author = self.author or clue.author
        self.evidence.is_story = self.evidence.is_story or clue.is_story
        self.evidence.exists = clue.exists or self.evidence.exists

    async def _from_page(self) -> LookupResult | None:
        """The item from its own page. Raises what the page says of the item for certain."""
        accounts = self.accounts
        try:
            story = await get_item(
                self._item_id,
                accounts.session,
                clock=accounts.client.clock,
                now=accounts.now,
                on_clue=self._take_clue,
            )
            return self._accept(story)
        except _FINAL:
            raise
        except StoriesError as error:
            if isinstance(error, Gone) and error.proven:
                raise
            self.evidence.page_error = self._note(error)
            return None

    async def _get_embedded(self) -> Story | None:
        """The item from its embed, where that may be saved; else what the embed tells is noted."""
        accounts, evidence = self.accounts, self.evidence
        if self.shut >= MAX_SHUT:
            return None
        try:
            story = await get_embedded_item(
                self._item_id,
                accounts.session,
                clock=accounts.client.clock,
                is_story=evidence.is_story,
                now=accounts.now,
                on_clue=self._take_clue,
            )
        except _FINAL:
            raise
        except StoriesError as error:
            logger.info("embed did not help: %s %s", error.code, error.detail)
            evidence.embed_error = self._note(error)
            return None
        evidence.embed_shows = True
        # An embed does not tell a story from an ordinary post.
        return story if evidence.is_story or self.posts else None

    def _accept(self, story: Story) -> LookupResult:
        """An item from its own page or embed. Raises an error when it may not be saved."""
        accounts = self.accounts
        if not story.is_story and not self.posts:
            raise NotAStory(f"item {story.id} is an ordinary post")
        if story.author.private:
            raise PrivateAccount(story.author.name)
        self._check_owner(story.author)
        if story.is_story and story.leaves_at is not None and story.leaves_at <= accounts.site_now:
            raise Gone("it has left TikTok")
        accounts.on_author(story.author)
        return LookupResult(
            target=self.target, author=story.author, stories=(story,), session=accounts.session
        )

    # --- oEmbed -------------------------------------------------------------------------------

    def _needs_oembed(self) -> bool:
        """Whether it would matter that oEmbed knows the item, or who posted it."""
        evidence = self.evidence
        told = evidence.exists and self.author is not None
        if self.shut >= MAX_SHUT or told or evidence.left_out is not None:
            return False
        settled = evidence.is_story and evidence.day_is_over and evidence.page_denies
        return self.may_be_listed and not settled

    async def _by_oembed(self) -> LookupResult | None:
        """The item from the list of the author that oEmbed names."""
        accounts, evidence = self.accounts, self.evidence
        try:
            name = await get_author_name(self._item_id, accounts.session, owner=self.target.name)
        except RateLimited:
            raise
        except StoriesError as error:
            logger.info("oEmbed did not help: %s %s", error.code, error.detail)
            evidence.oembed_error = self._note(error)
            return None
        if name is None:
            # Asked without a name it may refuse the address alone; and an answer that has the item
            # says more than one that has it not.
            if self.target.name and evidence.exists is None:
                evidence.exists = False
            return None
        evidence.exists = True
        self.author = self.author or Author(id="", name=name)
        return await self._from_named_author()
