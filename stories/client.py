"""StoryClient: an author, their story list, one story, and the bytes of a file.

Each method is one request, or one per page or mirror. lookup.py puts them together for one pasted
line.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Protocol, Self, TypeVar

from stories import story_list
from stories.author_pages import find_author
from stories.config import ClientConfig
from stories.errors import (
    PrivateAccount,
    Refusal,
)
from stories.http.identity_search import IdentitySearch
from stories.http.media_transport import CurlMediaTransport, MediaTransport
from stories.http.page_transports import GivenTransport, PageTransports, open_page_transports
from stories.http.resolver import Resolve, system_resolve
from stories.http.session import OnBody, RateLimit, Session, no_rate_limit
from stories.http.tls import CaFile
from stories.http.transports import IdentifiedTransport, Transport
from stories.identity import Identity, IdentityMemory, identity_ladder
from stories.media import decoders
from stories.media.download import (
    Progress,
    Reserve,
    digest,
    no_progress,
    no_reservation,
    size_limit,
)
from stories.media.mirror_pace import MirrorPaces
from stories.media.mirrors import FileRequest, fetch_from_mirrors
from stories.site_clock import SiteClock
from stories.story_list import StoryList
from stories.structures import Author, Fetched, MediaKind, MediaVariant, Target
from stories.transfer_slots import FileSlots, TransferSlots, is_large
from stories.ways import ForgetfulWays, Readiness, WayMemory

if TYPE_CHECKING:
    from stories.helper.gallery_dl import GalleryDl

logger = logging.getLogger(__name__)

T = TypeVar("T")
# Runs a blocking function off the event loop and returns its result.
RunBlocking = Callable[[Callable[[], T]], Awaitable[T]]
DECODER_THREADS = 2
# Files being fetched, verified or derived from, per transfer: more than the transfers themselves,
# so that the network is busy while others are verified. A line alone has half of them.
FILES_PER_TRANSFER = 4
# Idle connections and redirects come on top of the transfers.
SPARE_CONNECTIONS = 8


class Identities(Protocol):
    """A cache of accounts by name, kept for about a day and shared by the whole instance.

    Names are asked for in lower case; `put` stores under `author.name.lower()`.
    """

    async def get(self, name: str) -> Author | None:
        """The cached account; None for a name that was not looked up lately."""

    async def put(self, author: Author) -> None:
        """Cache a public account."""

    async def forget(self, name: str) -> None:
        """Drop a name that turned out to be someone else's; a name not cached is fine."""


class Closes(Protocol):
    """Something that ends with the client, as the guard does (http/guard.py)."""

    async def aclose(self) -> None:
        """End it."""


class Browser(Protocol):
    """A browser that loads pages in our place (stories/browser/)."""

    async def ready(self) -> Readiness:
        """Whether it may be used now."""

    def visit(self) -> AbstractAsyncContextManager[IdentifiedTransport]:
        """Use it for one look-up. Raises WayFailed."""

    async def aclose(self) -> None:
        """End what runs of it."""


class StoryClient:
    """A client of TikTok's public stories: one per event loop, an async context manager.

    rate_limit: awaited before each page or list request, never before media. identities: None means
    that every name is looked up. identity_memory: of who TikTok serves; None for one that lasts as
    long as the client. way_memory: of which ways are on and served; None for one that remembers
    nothing. browser, helper: ask where our own requests are refused, the latter looked for each
    time; None for none. guard: through which both reach the network. The client ends what runs of
    them. clock: TikTok's, noted from every answer. page_transport, media_transport: in place of
    those that `config` describes; they stay the caller's to close. resolve: how host names become
    addresses. recorder: called with every answer to a request for a page or list.
    """

    def __init__(
        self,
        config: ClientConfig | None = None,
        *,
        rate_limit: RateLimit = no_rate_limit,
        identities: Identities | None = None,
        identity_memory: IdentityMemory | None = None,
        way_memory: WayMemory | None = None,
        browser: Browser | None = None,
        helper: Callable[[], GalleryDl | None] = lambda: None,
        guard: Closes | None = None,
        clock: SiteClock | None = None,
        page_transport: Transport | None = None,
        media_transport: MediaTransport | None = None,
        resolve: Resolve = system_resolve,
        recorder: OnBody | None = None,
    ) -> None:
        self.config = config or ClientConfig()
        self._recorder = recorder
        self._rate_limit = rate_limit
        self._identities = identities
        self.way_memory = way_memory or ForgetfulWays()
        self.browser, self.helper, self._guard = browser, helper, guard
        self._given_transports = (page_transport, media_transport)
        self._resolve = resolve
        self.clock = clock or SiteClock()
        self._identity_memory = identity_memory
        self._ladder = identity_ladder(self.config.page_transport)
        self._identity_search = IdentitySearch(self._ladder, identity_memory)
        self._transports: tuple[PageTransports, MediaTransport] | None = None
        self._resources = AsyncExitStack()
        self.transfer_slots = TransferSlots(self.config.transfers)
        # Held for as long as a file is open, so that a thousand pictures do not open a thousand.
        self.file_slots = FileSlots(self.config.transfers * FILES_PER_TRANSFER)
        self._mirror_paces = MirrorPaces()
        # Decoding is bounded here, whatever number of files arrives at once.
        self.decoder_threads = ThreadPoolExecutor(DECODER_THREADS, thread_name_prefix="decoder")

    async def __aenter__(self) -> Self:
        """Open the connection pools. Raises OSError when the CA bundle cannot be read."""
        given_pages, media = self._given_transports
        ca_file = CaFile(self.config.ca_bundle)
        self._resources.callback(ca_file.close)
        enter = self._resources.enter_async_context
        if media is None:
            media = await enter(_media_transport(self.config, ca_file, self._resolve))
        pages: PageTransports = (
            await enter(open_page_transports(self.config, ca_file, self._resolve))
            if given_pages is None
            else GivenTransport(given_pages)
        )
        self._transports = (pages, media)
        # Meanwhile the first pages are asked for; no sooner, as an idle worker need not hold them.
        self.decoder_threads.submit(decoders.load_decoders)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the pools; what still runs on them fails."""
        self._transports = None
        if self.browser is not None:
            await self.browser.aclose()
        if self._guard is not None:
            await self._guard.aclose()
        self.decoder_threads.shutdown(wait=False, cancel_futures=True)
        await self._resources.aclose()

    def session(self) -> Session:
        """A new session, with its own cookie jar over the shared pools: one per author."""
        if self._transports is None:
            raise RuntimeError("the client is not open")
        pages, media = self._transports
        return Session(
            config=self.config,
            page_transports=pages,
            media_transport=media,
            rate_limit=self._rate_limit,
            search=self._search(),
            clock=self.clock,
            recorder=self._recorder,
        )

    def session_over(self, transport: Transport, identity: Identity) -> Session:
        """A session whose pages and lists go over `transport`, as one identity and no other.

        They count as nothing against the shared pace: the caller has waited for it. Media go over
        the client's own connections.
        """
        if self._transports is None:
            raise RuntimeError("the client is not open")
        return Session(
            config=self.config,
            page_transports=GivenTransport(transport),
            media_transport=self._transports[1],
            search=IdentitySearch([identity]),
            may_search=False,
            clock=self.clock,
            recorder=self._recorder,
        )

    async def wait_for_pace(self, requests: int) -> None:
        """Wait until so many page or list requests may be sent, and count them as sent.

        Raises the Refusal of an instance that pauses.
        """
        for _ in range(requests):
            try:
                await self._rate_limit()
            except Refusal as error:
                error.unasked = True
                raise

    def _search(self) -> IdentitySearch:
        """The search among the identities of the protocol pack in use."""
        ladder = identity_ladder(self.config.page_transport)
        if ladder is not self._ladder:
            self._ladder = ladder
            self._identity_search = IdentitySearch(ladder, self._identity_memory)
        return self._identity_search

    # --- accounts -----------------------------------------------------------------------------

    async def cached_author(self, name: str | None) -> Author | None:
        """The account of a name as it was looked up within the last day, without the network."""
        if name is None or self._identities is None:
            return None
        return await self._identities.get(name)

    async def forget_author(self, name: str) -> None:
        """Drop a cached account that turned out to be wrong."""
        if self._identities is not None:
            await self._identities.forget(name)

    async def get_author(self, target: Target, session: Session) -> Author:
        """The account a target names, from its profile page or, failing that, its embed.

        Raises NoSuchAccount, PrivateAccount, and the weightier of the errors that kept both from
        us.
        """
        author = await find_author(target, session)
        if author.private:
            raise PrivateAccount(author.name)
        if self._identities is not None:
            await self._identities.put(author)
        return author

    # --- stories ------------------------------------------------------------------------------

    async def get_story_list(
        self, author: Author, session: Session, *, now: datetime | None = None
    ) -> StoryList:
        """Every active story of an account, oldest first, and what may be missing (story_list.py).

        now: aware, decides what is active. Raises StoriesError when there is no list.
        """
        return await story_list.get_story_list(
            author, session, open_session=session.sibling, clock=self.clock, now=now
        )

    # --- files --------------------------------------------------------------------------------

    async def run_in_thread(self, work: Callable[[], T]) -> T:
        """Run blocking work in one of the decoder threads."""
        return await asyncio.get_running_loop().run_in_executor(self.decoder_threads, work)

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
        run_blocking: RunBlocking[str] | None = None,
        slots: TransferSlots | None = None,
    ) -> Fetched:
        """Fetch a rendition into `sink`, from the first of its mirrors that serves it whole.

        tried: as media.mirrors.fetch_from_mirrors takes it. reserve, progress: as
        media.download.transfer takes them. run_blocking: runs the hashing; None for a decoder
        thread. slots: as the line sees them that the file belongs to; None for a line of its own.
        Raises TooLarge at once, else the error of the last mirror left to try: MediaUnavailable or
        an UpstreamError.
        """
        turn = (slots or self.transfer_slots.for_line()).for_file(
            large=is_large(self.config, kind, variant.size_bytes)
        )
        request = FileRequest(
            config=self.config,
            turn=turn,
            limit_bytes=size_limit(self.config, kind),
            expected_bytes=variant.size_bytes,
            reserve=reserve,
            progress=progress,
        )
        result = await fetch_from_mirrors(
            session,
            variant.urls,
            sink,
            request,
            tried=set() if tried is None else tried,
            paces=self._mirror_paces,
        )
        return Fetched(
            size_bytes=result.size_bytes,
            sha256=await (run_blocking or self.run_in_thread)(partial(digest, sink)),
            content_type=result.content_type,
            variant=variant,
        )


def _media_transport(config: ClientConfig, ca_file: CaFile, resolve: Resolve) -> CurlMediaTransport:
    return CurlMediaTransport(
        proxy=config.proxy,
        ca_file=ca_file,
        connections=config.transfers + SPARE_CONNECTIONS,
        resolve=resolve,
    )
