"""The time a line may take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from stories.client import StoryClient
from stories.config import ClientConfig
from stories.events import Transferring
from stories.structures import Author, Story, StoryKind
from stories.time_limit import LOOK_EVERY_S, TimeLimit
from tests.fake_tiktok import Account, FakeTikTok
from tests.mock_transport import MockTransport
from tests.unit.stories.harvests import TINY, Folder, saved

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
STORY = Story(
    id="7626099422044159982",
    kind=StoryKind.VIDEO,
    author=Author(id="1", name="alice"),
    posted_at=NOW,
    leaves_at=None,
    caption="",
    media=(),
)
DAY = timedelta(hours=24)
LIMIT_S = 900.0


class Clock:
    """The loop's clock, set by hand; the limit's own timer goes by it too."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        usual, self.ahead_s = loop.time, 0.0
        monkeypatch.setattr(loop, "time", lambda: usual() + self.ahead_s, raising=False)


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def here(done: int, total: int | None) -> Transferring:
    return Transferring(story_id=STORY.id, position=1, bytes_done=done, bytes_total=total)


async def outlasts(
    clock: Clock, rate: float, total: int | None, left: timedelta = DAY, hours: float = 2
) -> bool:
    """Whether a file at a rate in bytes per second is still being fetched after some hours."""
    done = 0
    try:
        async with TimeLimit(LIMIT_S) as limit:
            limit.set_lives([replace(STORY, leaves_at=NOW + left)])
            for _ in range(int(hours * 120)):
                clock.ahead_s += LOOK_EVERY_S
                done += round(rate * LOOK_EVERY_S)
                limit.note(here(done, total), NOW)
                await asyncio.sleep(0)
    except TimeoutError:
        return False
    return True


async def test_a_file_that_comes_slowly_and_will_be_whole_in_time_is_waited_for(
    clock: Clock,
) -> None:
    assert await outlasts(clock, rate=1000, total=50_000_000)


async def test_one_that_will_not_be_whole_before_its_story_leaves_is_not(clock: Clock) -> None:
    assert not await outlasts(clock, rate=1000, total=50_000_000, left=timedelta(hours=10))
    assert not await outlasts(clock, rate=100, total=50_000_000)


@pytest.mark.parametrize("total", [None, 10**15])
async def test_an_endless_body_puts_nothing_off(clock: Clock, total: int | None) -> None:
    assert not await outlasts(clock, rate=10_000_000, total=total)


async def test_standing_still_ends_it(clock: Clock) -> None:
    assert not await outlasts(clock, rate=0, total=1_000_000)


async def test_a_day_is_the_most(clock: Clock) -> None:
    """Whatever more is announced with each look."""
    begun = clock.ahead_s

    async def forever() -> None:
        async with TimeLimit(LIMIT_S) as limit:
            for number in range(10_000):
                clock.ahead_s += LOOK_EVERY_S
                limit.note(here(number * 1000, number * 1000 + 2000), NOW)
                await asyncio.sleep(0)

    with pytest.raises(TimeoutError):
        await forever()
    waited_s = clock.ahead_s - begun
    assert 24 * 3600 <= waited_s <= 24 * 3600 + LIMIT_S + 2 * LOOK_EVERY_S


async def test_starting_over_is_no_step_back(clock: Clock) -> None:
    async with TimeLimit(LIMIT_S) as limit:
        for done in (500_000, 10_000, 40_000, 70_000):
            clock.ahead_s += LIMIT_S / 2
            limit.note(here(done, 1_000_000), NOW)
            await asyncio.sleep(0)


async def test_a_file_that_comes_slowly_outlasts_the_time_of_a_line(
    tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    photo = alice.photo(**TINY)
    usual = tiktok.transport()
    size = photo.pictures[0][0].size

    async def slowly(response: httpx.Response) -> AsyncIterator[bytes]:
        body = await response.aread()
        for start in range(0, size, size // 10 + 1):
            await asyncio.sleep(0.15)
            yield body[start : start + size // 10 + 1]

    def answer(request: httpx.Request) -> httpx.Response:
        response: httpx.Response = usual.handler(request)  # type: ignore[assignment]
        if request.url.host.endswith("tiktokcdn.com"):
            headers = {**response.headers}
            return httpx.Response(response.status_code, headers=headers, content=slowly(response))
        return response

    transport = MockTransport(answer)
    client = StoryClient(
        ClientConfig(item_timeout_s=1), page_transport=transport, media_transport=transport
    )
    async with client:
        log = await saved(client, folder)
    assert len(log.files()) == 1
