"""CarrierWay: today's look-up of pages and lists, whatever carries their requests.

A carrier opens a session: over curl or httpx as the identity that is served (DirectCarrier), or
over a browser that loads the pages. An account: cached id, profile page, embed. A link: the list of
the author it names, the item's own page, its embed, oEmbed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from stories.account_lookup import AccountLookup, result_of
from stories.client import StoryClient
from stories.errors import Gone, NotAStory
from stories.http.session import Session
from stories.item_lookup import ItemLookup
from stories.short_links import expand_short_link
from stories.structures import Target, TargetKind
from stories.verdict import Evidence
from stories.ways import READY, LookupResult, Question, Readiness


class Carrier(Protocol):
    """Carries the requests for pages and lists.

    name, cost, decisive, ready: as stories.ways.Way has them.
    """

    @property
    def name(self) -> str: ...

    @property
    def cost(self) -> int: ...

    @property
    def decisive(self) -> bool: ...

    async def ready(self) -> Readiness:
        """Whether it can be asked now."""

    def open(self) -> AbstractAsyncContextManager[Session]:
        """A session for one look-up. Media may be fetched with it after the block, pages not.

        Raises WayFailed.
        """


class DirectCarrier:
    """Our own requests, over curl or httpx; each counts by itself against the shared pace."""

    name = "direct"
    cost = 0
    decisive = False

    def __init__(self, client: StoryClient) -> None:
        self._client = client

    async def ready(self) -> Readiness:
        """Always: nothing has to be there for it."""
        return READY

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Session]:
        """A session with a cookie jar of its own."""
        yield self._client.session()


class CarrierWay:
    """A way of asking: look-ups over the sessions that a carrier opens."""

    def __init__(self, client: StoryClient, carrier: Carrier) -> None:
        self._client, self._carrier = client, carrier

    @property
    def name(self) -> str:
        """The carrier's name."""
        return self._carrier.name

    @property
    def cost(self) -> int:
        """Requests of the shared pace that one look-up counts as."""
        return self._carrier.cost

    @property
    def decisive(self) -> bool:
        """Whether it lists what every visitor gets."""
        return self._carrier.decisive

    async def ready(self) -> Readiness:
        """Whether the carrier can be asked now."""
        return await self._carrier.ready()

    @asynccontextmanager
    async def visit(self) -> AsyncIterator[CarrierVisit]:
        """Use it for one look-up. Raises WayFailed."""
        async with self._carrier.open() as session:
            yield CarrierVisit(client=self._client, session=session)


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierVisit:
    """A carrier in use by one look-up: one session for all its requests."""

    client: StoryClient
    session: Session

    async def expand(self, target: Target) -> Target:
        """The target that a short link leads to."""
        return await expand_short_link(target, self.session)

    async def listing(self, target: Target, question: Question) -> LookupResult:
        """Every active story of an account, and what its list leaves out."""
        accounts = self._accounts(question)
        if question.known is not None:
            return result_of(target, await accounts.list_of_known(question.known))
        return result_of(target, await accounts.get_list(target))

    async def item(
        self, target: Target, question: Question, *, author_is_certain: bool
    ) -> LookupResult:
        """The story or post of a link."""
        accounts = self._accounts(question)
        is_story, posts = target.kind is TargetKind.STORY, question.posts
        is_over = await accounts.is_surely_over(target.item_id or "", ask=is_story or not posts)
        if is_over and is_story:
            raise Gone("posted more than 48 hours ago")
        if is_over and not posts:
            raise NotAStory("posted more than 48 hours ago")
        lookup = ItemLookup(
            accounts=accounts,
            target=target,
            posts=posts,
            may_be_listed=not is_over,
            evidence=Evidence(is_story=is_story, posts=posts, author_is_certain=author_is_certain),
        )
        return await lookup.find()

    def _accounts(self, question: Question) -> AccountLookup:
        return AccountLookup(
            client=self.client,
            session=self.session,
            now=question.now,
            fresh=question.fresh,
            on_author=question.on_author,
        )
