"""StoryClient: who an account is, what it shows, and the bytes of it, one request at a time.

The three verbs are author (or expand, for a short link), stories and fetch. What they are put
together to for one pasted line is lookup.py's business.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import BinaryIO, Protocol, Self, TypeVar
from urllib.parse import urlencode, urlsplit

from stories import wire
from stories.config import ClientConfig
from stories.errors import (
    Challenged,
    DeadShortLink,
    LoginRequired,
    MediaError,
    MediaUnavailable,
    NoSuchAccount,
    PrivateAccount,
    Refused,
    StoriesError,
    TooLarge,
    Unavailable,
    UpstreamChanged,
    UpstreamDown,
    UpstreamError,
)
from stories.hosts import SITE, is_tiktok_page_host
from stories.http.headers import Purpose
from stories.http.resolver import Resolve, system_resolve
from stories.http.session import MAX_REDIRECTS, RateLimit, Session, is_login_page, no_rate_limit
from stories.http.tls import CaFile
from stories.http.transports import Transport, create_media_transport, create_page_transport
from stories.links import canonical_url, parse_url
from stories.media import decoders
from stories.media.download import (
    Progress,
    Reserve,
    TransferSlots,
    digest,
    no_progress,
    no_reservation,
    size_limit,
    transfer,
)
from stories.structures import Author, Fetched, MediaKind, MediaVariant, Story, Target, TargetKind

logger = logging.getLogger(__name__)

T = TypeVar("T")
Run = Callable[[Callable[[], T]], Awaitable[T]]

PAGE_SIZE = 20
MAX_LIST_PAGES = 50
# So many pages without an item may come in a row before a list counts as broken off.
MAX_EMPTY_PAGES = 3
DECODER_THREADS = 2
# Files being fetched, checked or turned into something else; beyond the transfers themselves, so
# that the line is busy while others are checked.
FILES_PER_TRANSFER = 2
# Idle connections and redirects come on top of the transfers.
SPARE_CONNECTIONS = 8


class Identities(Protocol):
    """Remembers who a name is for about a day, for everyone on the instance.

    Names are asked for in lower case; `put` stores under `author.name.lower()`.
    """

    async def get(self, name: str) -> Author | None:
        """The account, or None when it was not looked up lately."""

    async def put(self, author: Author) -> None:
        """Remember a public account."""

    async def forget(self, name: str) -> None:
        """Drop a name that turned out to be someone else's; unknown ones are fine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Every active story of an author, oldest first.

    dropped: reason -> how many listed items were left out. left_out: id -> that reason. session:
    the one whose cookies the media addresses belong to; not always the one that was handed in.
    missing: how many more TikTok counts than it listed; at least 1 when the list broke off.
    trouble: why no story here does not mean that there is none; never set beside stories.
    """

    author: Author
    stories: tuple[Story, ...]
    dropped: Mapping[str, int]
    session: Session
    left_out: Mapping[str, str] = field(default_factory=dict)
    missing: int = 0
    trouble: StoriesError | None = None


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What one way through the pages of a list has brought so far.

    total: active stories as TikTok counts them, None when it never said. cut: it ended although
    more was promised. capped: at our own limit, where another reading would end too.
    """

    session: Session
    stories: dict[str, Story] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    nameless: int = 0
    total: int | None = None
    cut: bool = False
    capped: bool = False

    def add(self, page: wire.StoryPage) -> bool:
        """Take a page's items; True when there was one that no page before had."""
        before = self.listed
        for story in page.stories:
            if story.id not in self.left_out:
                self.stories.setdefault(story.id, story)
        for item_id, reason in page.left_out.items():
            if item_id not in self.stories:
                self.left_out.setdefault(item_id, reason)
        self.nameless += sum(page.dropped.values()) - len(page.left_out)
        if page.total is not None:
            self.total = max(self.total or 0, page.total)
        return self.listed > before

    @property
    def listed(self) -> int:
        """How many items the pages named, those left out among them."""
        return len(self.stories) + len(self.left_out)

    @property
    def missing(self) -> int:
        """As Listing.missing. A list with all that TikTok counts is whole however it ended."""
        if self.total is not None and self.listed >= self.total:
            return 0
        return max((self.total or 0) - self.listed, int(self.cut))

    def listing(self, author: Author) -> Listing:
        """What it comes to."""
        ordered = sorted(self.stories.values(), key=lambda story: (story.posted_at, story.id))
        dropped = Counter(self.left_out.values()) + Counter(unreadable=self.nameless)
        return Listing(
            author=ordered[-1].author if ordered else author,
            stories=tuple(ordered),
            dropped=dict(dropped),
            session=self.session,
            left_out=self.left_out,
            missing=self.missing,
            trouble=None if ordered else self._trouble(dropped),
        )

    def _trouble(self, dropped: Mapping[str, int]) -> StoriesError | None:
        meaning = wire.empty_list_error(dropped)
        if self.missing and not isinstance(meaning, UpstreamChanged):
            # Of this account alone: no reason for the whole instance to pause, as Refused would be.
            return UpstreamDown(
                f"the story list is held back: {self.listed} of {self.total or '?'}"
            )
        return meaning


class StoryClient:
    """TikTok's public stories; one per event loop, used as an async context manager.

    rate_limit: awaited before each page or list request, never before media. identities: None means
    that every name is looked up. page_transport, media_transport: in place of those that `config`
    describes; they stay the caller's to close. resolve: how host names become addresses.
    """

    def __init__(
        self,
        config: ClientConfig | None = None,
        *,
        rate_limit: RateLimit = no_rate_limit,
        identities: Identities | None = None,
        page_transport: Transport | None = None,
        media_transport: Transport | None = None,
        resolve: Resolve = system_resolve,
    ) -> None:
        self.config = config or ClientConfig()
        self._rate_limit = rate_limit
        self._identities = identities
        self._given = (page_transport, media_transport)
        self._resolve = resolve
        self._open: tuple[Transport, Transport] | None = None
        self._resources = AsyncExitStack()
        self._slots = TransferSlots(self.config.transfers)
        # Held for as long as a file is open, so that a thousand pictures do not open a thousand.
        self.files = asyncio.Semaphore(self.config.transfers * FILES_PER_TRANSFER)
        # Decoding is bounded here, whatever number of files arrives at once.
        self.threads = ThreadPoolExecutor(DECODER_THREADS, thread_name_prefix="decoder")

    async def __aenter__(self) -> Self:
        """Open the connection pools. Raises OSError when the CA bundle cannot be read."""
        pages, media = self._given
        if media is None:
            media = await self._resources.enter_async_context(
                create_media_transport(
                    proxy=self.config.proxy,
                    ca_bundle=self.config.ca_bundle,
                    connections=self.config.transfers + SPARE_CONNECTIONS,
                    resolve=self._resolve,
                )
            )
        if pages is None:
            ca_file = CaFile(self.config.ca_bundle)
            self._resources.callback(ca_file.close)
            pages = await self._resources.enter_async_context(
                create_page_transport(
                    curl=self.config.page_transport == "curl",
                    proxy=self.config.proxy,
                    ca_file=ca_file,
                    ca_bundle=self.config.ca_bundle,
                    max_bytes=self.config.max_page_bytes,
                    resolve=self._resolve,
                )
            )
        self._open = (pages, media)
        # Meanwhile the first pages are asked for; no sooner, as an idle worker need not hold them.
        self.threads.submit(decoders.load_decoders)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the pools; what still runs on them fails."""
        self._open = None
        self.threads.shutdown(wait=False, cancel_futures=True)
        await self._resources.aclose()

    def session(self) -> Session:
        """A fresh cookie jar over the shared pools: one per author."""
        if self._open is None:
            raise RuntimeError("the client is not open")
        pages, media = self._open
        return Session(
            config=self.config,
            page_transport=pages,
            media_transport=media,
            rate_limit=self._rate_limit,
        )

    # --- who ----------------------------------------------------------------------------------

    async def expand(self, target: Target, session: Session) -> Target:
        """Where a short link leads. Raises DeadShortLink, LoginRequired, UnsupportedLink."""
        url = target.short_url or ""
        for _ in range(MAX_REDIRECTS):
            location = await self._next_hop(url, session)
            parts = urlsplit(location)
            if is_tiktok_page_host(parts.netloc):
                if is_login_page(location):
                    raise LoginRequired("the short link leads to the sign-in page")
                if parts.path in {"", "/"}:
                    raise DeadShortLink("it leads to the home page")
            found = parse_url(location)
            if found.kind is not TargetKind.SHORT:
                return found
            url = found.short_url or ""
        raise DeadShortLink(f"more than {MAX_REDIRECTS} redirects")

    async def _next_hop(self, url: str, session: Session) -> str:
        # A messenger's preview gets a plain redirect; should it be turned away, a browser is not.
        try:
            page = await session.get_page(url, Purpose.PREVIEW, follow=False)
        except (Challenged, Refused) as error:
            logger.info("a short link is kept from a preview: %s %s", error.code, error.detail)
            page = None
        if page is None or (page.found and page.location is None):
            page = await session.get_page(url, Purpose.NAVIGATE, follow=False)
        if not page.found:
            raise DeadShortLink("status 404")
        if page.location is None:
            raise UpstreamChanged("the short link is answered by a page instead of a redirect")
        return page.location

    async def remembered(self, name: str | None) -> Author | None:
        """The account behind a name as looked up within the last day, without the network."""
        if name is None or self._identities is None:
            return None
        return await self._identities.get(name)

    async def forget(self, name: str) -> None:
        """A remembered account turned out to be wrong."""
        if self._identities is not None:
            await self._identities.forget(name)

    async def author(self, target: Target, session: Session) -> Author:
        """The account a target names, from its profile page or, failing that, its embed.

        Raises NoSuchAccount, PrivateAccount, and whatever kept the profile page from us.
        """
        found = await self._author(target, session)
        if found.private:
            raise PrivateAccount(found.name)
        if self._identities is not None:
            await self._identities.put(found)
        return found

    async def _author(self, target: Target, session: Session) -> Author:
        try:
            return await self._profile(target, session)
        except (Challenged, Refused, UpstreamChanged, LoginRequired) as trouble:
            # The page is kept from us, which says nothing about the account: the embed is served
            # without a challenge more often than not.
            if target.name is None:
                raise
            try:
                return await self._embed(target.name, session)
            except (NoSuchAccount, PrivateAccount):
                raise
            except StoriesError as second:
                logger.info("embed did not help either: %s %s", second.code, second.detail)
                raise trouble from second

    async def _profile(self, target: Target, session: Session) -> Author:
        owner = Target(
            kind=TargetKind.USER,
            name=target.name,
            user_id=target.user_id,
            sec_uid=target.sec_uid,
        )
        page = await session.get_page(canonical_url(owner))
        if not page.found:
            raise NoSuchAccount("status 404")
        return wire.profile_author(page.body, owner)

    async def _embed(self, name: str, session: Session) -> Author:
        page = await session.get_page(f"{SITE}embed/@{name}")
        if not page.found:
            raise Unavailable("the embed answers 404")
        return wire.embed_author(page.body, name)

    # --- what ---------------------------------------------------------------------------------

    async def stories(
        self, author: Author, session: Session, *, now: datetime | None = None
    ) -> Listing:
        """Every active story of an account, oldest first; none is an answer.

        Raises what `listing` does, and its `trouble`.
        """
        listing = await self.listing(author, session, now=now)
        if listing.trouble is not None:
            raise listing.trouble
        return listing

    async def listing(
        self, author: Author, session: Session, *, now: datetime | None = None
    ) -> Listing:
        """What the list of an account says, also where it is not enough to say "no story".

        A list that breaks off, or is shorter than TikTok counts, is read once more on a fresh
        session; the reading with more stories stands. Raises Refused when the answer is nothing,
        twice.
        """
        moment = now or datetime.now(UTC)
        first = await self._reading(author, session, moment)
        if first is not None and (not first.missing or first.capped):
            return first.listing(author)
        try:
            second = await self._reading(author, self.session(), moment)
        except UpstreamError as error:
            if first is None or not first.stories:
                raise
            logger.info("the second reading of a list failed: %s %s", error.code, error.detail)
            second = None
        best = _better(first, second)
        if best is None:
            raise Refused("the story list is an empty answer")
        return best.listing(author)

    async def _reading(self, author: Author, session: Session, now: datetime) -> _Reading | None:
        """All pages; None when one is an answer of zero bytes, which says nothing."""
        reading = _Reading(session=session)
        cursor, empty = "0", 0
        for _ in range(MAX_LIST_PAGES):
            answer = await session.get_page(
                _list_url(author, cursor),
                Purpose.LIST,
                referer=f"{SITE}@{author.name}" if author.name else SITE,
                allow_empty=True,
            )
            if not answer.found:
                raise UpstreamChanged("the story list answers 404")
            if not answer.body:
                return None
            page = wire.story_page(answer.body, author, now=now)
            brought = reading.add(page)
            if not page.has_more:
                return reading
            empty = 0 if page.listed_ids else empty + 1
            repeated = bool(page.listed_ids) and not brought
            ahead = _grows(cursor, page.next_cursor)
            if repeated or not ahead or empty == MAX_EMPTY_PAGES:
                reading.cut = True
                return reading
            cursor = page.next_cursor or cursor
        logger.warning("stopped after %d pages of one story list", MAX_LIST_PAGES)
        reading.cut = reading.capped = True
        return reading

    async def item(self, item_id: str, session: Session, *, now: datetime | None = None) -> Story:
        """One story or post by its own page. Raises as wire.page_item."""
        page = await session.get_page(f"{SITE}@_/video/{item_id}")
        if not page.found:
            raise Unavailable("the item's page answers 404")
        return wire.page_item(page.body, item_id, now=now or datetime.now(UTC))

    async def embedded_item(
        self, item_id: str, session: Session, *, is_story: bool, now: datetime | None = None
    ) -> Story:
        """One story or post by its embed, which has less to say. Raises as wire.embed_item."""
        page = await session.get_page(f"{SITE}embed/v2/{item_id}")
        if not page.found:
            raise Unavailable("the item's embed answers 404")
        moment = now or datetime.now(UTC)
        return wire.embed_item(page.body, item_id, now=moment, is_story=is_story)

    # --- the bytes ----------------------------------------------------------------------------

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run blocking work in one of the decoder threads."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, work)

    async def fetch(
        self,
        variant: MediaVariant,
        sink: BinaryIO,
        session: Session,
        *,
        kind: MediaKind = MediaKind.VIDEO,
        tried: MutableSet[str] | None = None,
        reserve: Reserve = no_reservation,
        progress: Progress = no_progress,
        run: Run[str] | None = None,
    ) -> Fetched:
        """One rendition into `sink`, from the first of its mirrors that delivers.

        tried: addresses not to ask (again); those asked are added. run: how to run the hashing
        off the loop. Raises TooLarge at once, else what the last mirror left to try raised:
        MediaUnavailable or an UpstreamError.
        """
        asked: MutableSet[str] = set() if tried is None else tried
        failure: StoriesError = MediaUnavailable("every address was tried before")
        for url in variant.urls:
            if url in asked:
                continue
            asked.add(url)
            try:
                async with self._slots:
                    arrived = await transfer(
                        session,
                        url,
                        sink,
                        config=self.config,
                        slots=self._slots,
                        limit_bytes=size_limit(self.config, kind),
                        expected_bytes=variant.size_bytes,
                        reserve=reserve,
                        progress=progress,
                    )
            except TooLarge:
                raise
            except (MediaError, UpstreamError) as error:
                logger.info("mirror failed: %s %s", error.code, error.detail)
                failure = error
                continue
            return Fetched(
                size_bytes=arrived.size_bytes,
                sha256=await (run or self.in_thread)(partial(digest, sink)),
                content_type=arrived.content_type,
                variant=variant,
            )
        raise failure


def _list_url(author: Author, cursor: str) -> str:
    # The smallest set that is answered in full; no signature is needed.
    query = {
        "aid": "1988",
        "authorId": author.id,
        "count": str(PAGE_SIZE),
        "cursor": cursor,
        "device_platform": "web_pc",
        "loadBackward": "false",
    }
    return f"{SITE}api/story/item_list/?{urlencode(query)}"


def _better(first: _Reading | None, second: _Reading | None) -> _Reading | None:
    """Of two readings of one list, the whole one or the one with more; in doubt the later."""
    if first is None or second is None:
        return first or second
    if first.stories and second.missing and len(second.stories) <= len(first.stories):
        return first
    return second


def _grows(cursor: str, following: str | None) -> bool:
    """True when the next page lies ahead; one that stands still would be asked for ever."""
    try:
        return following is not None and int(following) > int(cursor)
    except ValueError:
        return False
