"""CarrierWay: one session for all requests of a look-up, whatever carries them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from stories.carrier_way import CarrierWay, DirectCarrier
from stories.client import StoryClient
from stories.errors import Gone, NotAStory
from stories.http.session import Session
from stories.targets import parse_line
from stories.ways import Question, Readiness, WayFailed
from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.stories.lookups import ids

pytestmark = pytest.mark.anyio


def question(*, posts: bool = False, fresh: bool = False) -> Question:
    return Question(
        posts=posts,
        fresh=fresh,
        now=datetime.now(UTC),
        on_author=lambda _: None,
    )


@pytest.fixture
def way(client: StoryClient) -> CarrierWay:
    return CarrierWay(client, DirectCarrier(client))


async def test_our_own_requests_need_nothing_and_count_by_themselves(way: CarrierWay) -> None:
    assert (way.name, way.cost, way.decisive) == ("direct", 0, False)
    assert (await way.ready()).ok


async def test_a_listing_an_item_and_a_short_link_over_one_session(
    way: CarrierWay, tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo()
    link = tiktok.short_link("ZM1", to=story)
    async with way.visit() as visit:
        target = await visit.expand(parse_line(link))
        assert target.item_id == story.id
        found = await visit.item(target, question(), author_is_certain=True)
        assert ids(found) == [story.id]
        assert ids(await visit.listing(parse_line("alice"), question())) == [story.id]
        assert found.session is visit.session


async def test_what_is_too_old_for_a_story_takes_no_request_for_it(
    way: CarrierWay, tiktok: FakeTikTok, alice: Account
) -> None:
    old = alice.photo(ago_s=5 * 24 * 3600)
    async with way.visit() as visit:
        with pytest.raises(Gone):
            await visit.item(parse_line(old.url), question(), author_is_certain=False)
        plain = parse_line(f"https://www.tiktok.com/@alice/video/{old.id}")
        with pytest.raises(NotAStory):
            await visit.item(plain, question(), author_is_certain=False)
    assert {seen.endpoint for seen in tiktok.requests} <= {"other"}


async def test_a_carrier_that_breaks_is_no_answer(client: StoryClient) -> None:
    class Broken:
        name, cost = "broken", 3
        decisive = True

        async def ready(self) -> Readiness:
            return Readiness(ok=False, reason="not installed")

        @asynccontextmanager
        async def open(self) -> AsyncIterator[Session]:
            if self.decisive:
                raise WayFailed("it does not start")
            yield client.session()

    way = CarrierWay(client, Broken())
    assert (way.name, way.cost, way.decisive) == ("broken", 3, True)
    assert (await way.ready()).reason == "not installed"
    with pytest.raises(WayFailed):
        async with way.visit():
            raise AssertionError
