"""From one target to the stories behind it: which request is made next, and what a failure means.

Identity: cached id, profile page, embed. A story or post link: the author's list, the item's own
page, its embed. Each step is tried once; waiting and trying again later is the queue's business.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from stories.client import Listing, StoryClient
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
from stories.structures import Author, Story, Target, TargetKind
from stories.wire import left_out_error

logger = logging.getLogger(__name__)

STORY_LIFE = timedelta(hours=24)
# Twice a story's life: a link this old needs no request, whatever either clock says.
SURELY_OVER = timedelta(hours=48)

OnAuthor = Callable[[Author], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a target leads to.

    target: after short links were followed. session: the one the media addresses belong to.
    missing: stories that TikTok counts and did not list.
    """

    target: Target
    author: Author
    stories: tuple[Story, ...]
    session: Session
    dropped: Mapping[str, int] = field(default_factory=dict)
    missing: int = 0


def posted_at(item_id: str) -> datetime:
    """When an item was posted: the high 32 bits of its id are Unix seconds."""
    return datetime.fromtimestamp(int(item_id) >> 32, UTC)


async def look_up(
    client: StoryClient,
    target: Target,
    *,
    posts: bool = False,
    now: datetime | None = None,
    fresh: bool = False,
    on_author: OnAuthor = lambda _: None,
) -> Found:
    """Find the stories a target asks for; none, for an account, is an answer.

    posts: accept an ordinary post too. fresh: do not trust a remembered account. on_author: told
    once, as soon as it is certain who it is. Raises StoriesError.
    """
    search = _Search(client, posts=posts, now=now or datetime.now(UTC), fresh=fresh, tell=on_author)
    if target.kind is TargetKind.SHORT:
        target = await client.expand(target, search.session)
        search.vouched = target.name is not None
    match target.kind:
        case TargetKind.STORY:
            return await search.story(target)
        case TargetKind.POST:
            return await search.post(target)
        case _:
            return await search.account(target)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    """What came of looking for an item in its author's list.

    found: the item. left_out: why it was listed and not kept. whole: the list is all there is, so
    that an item which is not in it is not among that account's stories. trouble: there was no list.
    """

    found: Found | None = None
    left_out: StoriesError | None = None
    whole: bool = False
    trouble: StoriesError | None = None


class _Search:
    """One target's way through the ladders, on one session.

    vouched: TikTok itself named the author, by where its short link led. A name in a pasted link
    is decoration, and may be anybody's.
    """

    vouched = False

    def __init__(
        self, client: StoryClient, *, posts: bool, now: datetime, fresh: bool, tell: OnAuthor
    ) -> None:
        self._client, self._posts, self._now, self._fresh = client, posts, now, fresh
        self._tell = tell
        self.session = client.session()

    # --- an account ---------------------------------------------------------------------------

    async def account(self, target: Target) -> Found:
        """Everything an account shows now."""
        listing = await self._listed(target)
        if listing.trouble is not None:
            raise listing.trouble
        return Found(
            target=target,
            author=listing.author,
            stories=listing.stories,
            session=listing.session,
            dropped=listing.dropped,
            missing=listing.missing,
        )

    async def _listed(self, target: Target) -> Listing:
        known = None if self._fresh else await self._client.remembered(target.name)
        listing = None if known is None else await self._from_memory(known, target.name or "")
        if listing is not None and listing.stories:
            self._tell(listing.author)
            return listing
        try:
            author = await self._client.author(target, self.session)
        except NoSuchAccount:
            if target.user_id is None:
                raise
            return await self._by_id(target.user_id)
        self._tell(author)
        if listing is not None and listing.author.id == author.id:
            return replace(listing, author=author)
        try:
            return await self._client.listing(author, self.session, now=self._now)
        except PrivateAccount:
            # The profile said otherwise, and the name was remembered for it.
            await self._client.forget(author.name)
            raise

    async def _from_memory(self, known: Author, name: str) -> Listing | None:
        """The list of a remembered account; None when the name is someone else's by now.

        A list without stories names nobody: whose it is remains to be asked.
        """
        try:
            listing = await self._client.listing(known, self.session, now=self._now)
        except (AccessError, UpstreamChanged) as error:
            logger.info("remembered id no longer answers: %s %s", error.code, error.detail)
        else:
            names = {story.author.name.lower() for story in listing.stories}
            if names <= {name.lower()} and not listing.dropped.get("foreign"):
                return listing
        await self._client.forget(name)
        return None

    async def _by_id(self, user_id: str) -> Listing:
        """Digits that are nobody's name: perhaps an account's id. Only its list can tell."""
        unnamed = Author(id=user_id, name="")
        listing = await self._client.stories(unnamed, self.session, now=self._now)
        if not listing.stories:
            raise NoSuchAccount("neither a name nor the id of an account with stories")
        self._tell(listing.author)
        return listing

    # --- a story ------------------------------------------------------------------------------

    async def story(self, target: Target) -> Found:
        """The story behind a story's link."""
        age = self._now - posted_at(target.item_id or "")
        if age > SURELY_OVER:
            raise Gone("posted more than 48 hours ago")
        looked = await self._in_list(target)
        if looked.found is not None:
            return looked.found
        try:
            return await self._by_itself(target, is_story=True)
        except (NotAStory, RateLimited):
            raise
        except StoriesError as error:
            raise _verdict(error, looked, age=age, vouched=self.vouched) from error

    async def _in_list(self, target: Target) -> _Looked:
        """Look in the author's list. Raises what is final there, and what asks us to wait."""
        if target.name is None and target.user_id is None and target.sec_uid is None:
            return _Looked()
        try:
            listing = await self._listed(target)
        except (PrivateAccount, RateLimited):
            raise
        except (AccessError, UpstreamError) as error:
            # The name in a link is decoration to TikTok; the item may answer all the same.
            return _Looked(trouble=error)
        for story in listing.stories:
            if story.id == target.item_id:
                return _Looked(
                    found=Found(
                        target=target,
                        author=story.author,
                        stories=(story,),
                        session=listing.session,
                    )
                )
        self.session = listing.session
        left_out = left_out_error(listing.left_out.get(target.item_id or "", ""))
        if isinstance(left_out, AccessError):
            # Over, or not for everyone: then no other way to it is tried.
            raise left_out
        unread = "unreadable" in listing.dropped or target.item_id in listing.left_out
        whole = not listing.missing and not unread and listing.trouble is None
        return _Looked(left_out=left_out, whole=whole)

    async def _by_itself(self, target: Target, *, is_story: bool, with_embed: bool = True) -> Found:
        """From the item's own page, else its embed. Raises what the page said: it knows more."""
        try:
            story = await self._client.item(target.item_id or "", self.session, now=self._now)
            return self._accept(target, story)
        except (NotAStory, RateLimited):
            raise
        except StoriesError:
            found = await self._embedded(target, is_story=is_story) if with_embed else None
            if found is None:
                raise
            return found

    async def _embedded(self, target: Target, *, is_story: bool) -> Found | None:
        try:
            story = await self._client.embedded_item(
                target.item_id or "", self.session, is_story=is_story, now=self._now
            )
            return self._accept(target, story)
        except RateLimited:
            raise
        except StoriesError as error:
            logger.info("embed did not help: %s %s", error.code, error.detail)
            return None

    def _accept(self, target: Target, story: Story) -> Found:
        """An item from its own page or embed, when it is what may be saved."""
        if not story.is_story and not self._posts:
            raise NotAStory(f"item {story.id} is an ordinary post")
        if story.author.private:
            raise PrivateAccount(story.author.name)
        if story.is_story and story.leaves_at is not None and story.leaves_at <= self._now:
            raise Gone("it has left TikTok")
        self._tell(story.author)
        return Found(target=target, author=story.author, stories=(story,), session=self.session)

    # --- a post -------------------------------------------------------------------------------

    async def post(self, target: Target) -> Found:
        """What a plain post link leads to, which may be a story after all."""
        looked = _Looked()
        if self._now - posted_at(target.item_id or "") > SURELY_OVER:
            if not self._posts:
                raise NotAStory("posted more than 48 hours ago")
        else:
            looked = await self._in_list(target)
            if looked.found is not None:
                return looked.found
        try:
            return await self._by_itself(target, is_story=False, with_embed=self._posts)
        except (NotAStory, RateLimited):
            raise
        except StoriesError as error:
            raise _clearest(error, looked) from error


def _verdict(
    page_error: StoriesError, looked: _Looked, *, age: timedelta, vouched: bool
) -> StoriesError:
    """What it means that a story is neither in its author's list nor to be had by itself.

    "Gone" is final, so it takes more than a page that is kept from us: that the page says there is
    no such item; or a whole list without it, of its author for certain or after its day.
    """
    absent = looked.whole and looked.left_out is None
    if isinstance(page_error, Unavailable):
        if absent:
            return Gone("not among the author's active stories")
        if age > STORY_LIFE and looked.left_out is None:
            return Gone("more than 24 hours old, and TikTok does not show it")
    elif isinstance(page_error, UpstreamError) and absent and (vouched or age > STORY_LIFE):
        return Gone("not among the author's active stories, and its page is kept from us")
    return _clearest(page_error, looked)


def _clearest(page_error: StoriesError, looked: _Looked) -> StoriesError:
    """Of what the item's page and the author's list said, the one that says most.

    The page has the last word about the item. When it is kept from us nothing is final: what can
    be tried again comes first.
    """
    if isinstance(page_error, AccessError) and not isinstance(page_error, Unavailable):
        return page_error
    if looked.left_out is not None:
        return _retryable_first(looked.left_out, page_error)
    if isinstance(page_error, Unavailable):
        return looked.trouble if isinstance(looked.trouble, NoSuchAccount) else page_error
    return _retryable_first(page_error, looked.trouble or page_error)


def _retryable_first(error: StoriesError, other: StoriesError) -> StoriesError:
    return error if error.retryable or not other.retryable else other
