"""BrowserCarrier: the pace is waited for before the browser is taken; its session is its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from stories.browser_carrier import COST, BrowserCarrier
from stories.client import StoryClient
from stories.errors import Challenged, Refused
from stories.http.transports import IdentifiedTransport
from stories.identity import Identity
from stories.lookup import look_up, ways_of
from stories.targets import parse_line
from stories.ways import READY, Readiness
from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.stories.lookups import ids

pytestmark = pytest.mark.anyio

BROWSER = Identity(
    name="browser", user_agent="Chrome/148 of our own", tls_target="chrome150", runs_scripts=True
)


class Pages(IdentifiedTransport):
    """A browser's pages, as a plain transport."""

    identity = BROWSER

    def __init__(self, tiktok: FakeTikTok) -> None:
        self._inner = tiktok.transport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._inner.handle_async_request(request)


class OneBrowser:
    """A browser that notes when it is taken and ended."""

    def __init__(self, tiktok: FakeTikTok, notes: list[str]) -> None:
        self._tiktok, self.notes = tiktok, notes

    async def ready(self) -> Readiness:
        return READY

    @asynccontextmanager
    async def visit(self) -> AsyncIterator[IdentifiedTransport]:
        self.notes.append("taken")
        yield Pages(self._tiktok)
        self.notes.append("left")

    async def aclose(self) -> None:
        self.notes.append("closed")


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
async def client(tiktok: FakeTikTok, notes: list[str]) -> AsyncIterator[StoryClient]:
    async def pace(*, at_once: bool = False) -> None:
        notes.append("waited")

    transport = tiktok.transport()
    async with StoryClient(
        browser=OneBrowser(tiktok, notes),
        rate_limit=pace,
        page_transport=transport,
        media_transport=transport,
    ) as made:
        yield made


async def test_a_look_up_counts_before_it_begins_and_its_requests_do_not(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, notes: list[str]
) -> None:
    story = alice.photo()
    _, way = ways_of(client)
    found = await look_up(client, parse_line("alice"), ways=[way])
    assert ids(found) == [story.id]
    assert notes == [*["waited"] * COST, "taken", "left"]
    assert {seen.headers["user-agent"] for seen in tiktok.requests} == {BROWSER.user_agent}


async def test_an_instance_that_pauses_takes_no_browser(
    tiktok: FakeTikTok, notes: list[str]
) -> None:
    async def pausing(*, at_once: bool = False) -> None:
        raise Refused("this instance is pausing")

    transport = tiktok.transport()
    async with StoryClient(
        browser=OneBrowser(tiktok, notes),
        rate_limit=pausing,
        page_transport=transport,
        media_transport=transport,
    ) as client:
        carrier = BrowserCarrier(client, OneBrowser(tiktok, notes))
        with pytest.raises(Refused) as caught:
            async with carrier.open():
                raise AssertionError
    assert caught.value.unasked
    assert notes == ["closed"], "by the client that it was given to"


async def test_a_browser_has_one_identity_and_solves_nothing_of_ours(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    tiktok.fault("profile", "challenge")
    tiktok.fault("embed", 403)
    _, way = ways_of(client)
    with pytest.raises(Challenged):
        await look_up(client, parse_line("alice"), ways=[way])
    assert [seen.endpoint for seen in tiktok.requests] == ["profile", "embed"]
