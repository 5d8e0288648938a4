"""Look-ups on a server whose clock is days off: TikTok's own decides what is over.

The fake's clock is moved instead of ours, which comes to the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from stories.client import StoryClient
from stories.errors import Gone, NotAStory, Refused, UpstreamDown
from stories.probe import probe
from stories.targets import parse_line
from tests.fake_tiktok import Account, FakeTikTok
from tests.mock_transport import MockTransport
from tests.unit.stories.harvests import TINY, Folder, saved
from tests.unit.stories.lookups import failure, find, ids, scripted

pytestmark = pytest.mark.anyio

DAY = 24 * 3600.0
OFF = [-400 * DAY, -2 * DAY, -1.1 * DAY, 1.1 * DAY, 2 * DAY, 400 * DAY]


@pytest.fixture(params=OFF, ids=lambda seconds: f"{-seconds / DAY:+g}d")
def off(request: pytest.FixtureRequest, tiktok: FakeTikTok) -> float:
    """Our clock is ahead by the days of the test's name, or behind; TikTok's is right."""
    tiktok.advance(request.param)
    return float(request.param)


@asynccontextmanager
async def through(transport: MockTransport) -> AsyncIterator[StoryClient]:
    async with StoryClient(page_transport=transport, media_transport=transport) as client:
        yield client


def answering(
    tiktok: FakeTikTok, change: Callable[[httpx.Request, httpx.Response], Any]
) -> MockTransport:
    usual = tiktok.transport()

    def answer(request: httpx.Request) -> httpx.Response:
        response = usual.handle_request(request)
        change(request, response)
        return response

    return MockTransport(answer)


def drop_date(_: httpx.Request, response: httpx.Response) -> None:
    response.headers.pop("date", "")


# --- an account's list --------------------------------------------------------------------------


@pytest.mark.usefixtures("off")
async def test_an_account_is_saved_whatever_our_clock_says(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    alice.photo(ago_s=60, **TINY)
    alice.expired()
    log = await saved(client, folder, "alice")
    assert len(log.files()) == 1
    assert tiktok.count("list") == 1, "no address looks as if it had run out"


async def test_a_story_that_is_over_by_tiktoks_clock_is_left_out(
    client: StoryClient, off: float, alice: Account
) -> None:
    """Which lists name for a while."""
    alice.expired(listed=True)
    result = await find(client, "alice")
    assert (result.stories, result.left_out, result.error) == ((), {}, None)


async def test_a_single_telling_far_off_is_not_enough_to_call_a_story_over(
    tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo()
    transport = scripted(tiktok, {"extra": None})
    async with through(transport) as client:
        assert ids(await find(client, "alice", now=datetime.now(UTC) + timedelta(days=2))) == [
            story.id
        ]


async def test_tellings_that_contradict_each_other_make_nothing_over(
    tiktok: FakeTikTok, alice: Account
) -> None:
    """A cache's Date, a year old, beside a clock in the answer that is a year ahead."""
    story = alice.photo()
    later = int((datetime.now(UTC) + timedelta(days=400)).timestamp() * 1000)

    def change(_: httpx.Request, response: httpx.Response) -> None:
        response.headers["date"] = "Thu, 20 Nov 2025 10:00:00 GMT"

    async with through(answering_list(tiktok, {"extra": {"now": later}}, change)) as client:
        assert ids(await find(client, "alice")) == [story.id]


def answering_list(
    tiktok: FakeTikTok,
    said: dict[str, Any],
    change: Callable[[httpx.Request, httpx.Response], Any],
) -> MockTransport:
    listing = scripted(tiktok, said)

    def answer(request: httpx.Request) -> httpx.Response:
        response = listing.handle_request(request)
        change(request, response)
        return response

    return MockTransport(answer)


@pytest.mark.parametrize("days", [2, 3])
@pytest.mark.parametrize("told", [False, True], ids=["no time told", "told by the list alone"])
async def test_a_listed_story_is_not_over_by_our_clock_alone(
    tiktok: FakeTikTok, alice: Account, days: int, told: bool
) -> None:
    story = alice.photo(ago_s=5 * 3600)
    now = datetime.now(UTC) + timedelta(days=days)
    said: dict[str, Any] = {} if told else {"extra": None}
    async with through(answering_list(tiktok, said, drop_date)) as client:
        assert ids(await find(client, "alice", now=now)) == [story.id]
    async with through(answering_list(tiktok, said, drop_date)) as client:
        assert ids(await find(client, story.url, now=now)) == [story.id]


async def test_a_time_in_the_list_that_nothing_else_agrees_with_makes_nothing_over(
    tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo(ago_s=17 * 3600)
    ahead = int((datetime.now(UTC) + timedelta(hours=8)).timestamp() * 1000)
    ours = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")

    def change(_: httpx.Request, response: httpx.Response) -> None:
        response.headers["date"] = ours

    async with through(answering_list(tiktok, {"extra": {"now": ahead}}, change)) as client:
        assert ids(await find(client, "alice")) == [story.id]


# --- links --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("off")
@pytest.mark.parametrize("form", ["story", "shared", "short", "nameless"])
async def test_a_fresh_link_is_not_called_gone_by_our_clock(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, form: str
) -> None:
    story = alice.photo(ago_s=60)
    lines = {
        "story": story.url,
        "shared": story.shared_url,
        "short": tiktok.short_link("ZMx", to=story),
        "nameless": f"https://www.tiktok.com/@_/video/{story.id}?story_type=1",
    }
    assert ids(await find(client, lines[form])) == [story.id]


@pytest.mark.usefixtures("off")
async def test_a_fresh_link_is_saved_from_its_own_page_when_the_list_is_kept_from_us(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo(ago_s=60)
    tiktok.fault("list", 403)
    assert ids(await find(client, story.url)) == [story.id]
    assert tiktok.count("embed_item") == 0


async def test_a_post_link_of_a_fresh_story_is_not_an_old_post(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    tiktok.advance(-3 * DAY)
    story = alice.photo(ago_s=60)
    link = f"https://www.tiktok.com/@alice/video/{story.id}"
    assert ids(await find(client, link)) == [story.id]
    assert ids(await find(client, link, posts=True)) == [story.id]


async def test_an_old_link_costs_one_request_for_the_time_and_then_none(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    old = f"https://www.tiktok.com/@alice/story/{tiktok.new_id(tiktok.now() - 3 * DAY)}"
    assert await failure(client, old) is Gone
    assert tiktok.count() == 1
    assert await failure(client, old) is Gone
    assert await failure(client, old.replace("/story/", "/video/")) is NotAStory
    assert tiktok.count() == 1


@pytest.mark.parametrize("kind", [403, 429, 404, 500])
async def test_a_refusal_tells_the_time_too(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, kind: int
) -> None:
    old = f"https://www.tiktok.com/@alice/story/{tiktok.new_id(tiktok.now() - 3 * DAY)}"
    tiktok.fault("any", kind)
    assert await failure(client, old) is Gone
    assert tiktok.count() == 1


async def test_without_an_answer_an_old_link_is_not_gone_but_waits(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    old = f"https://www.tiktok.com/@alice/story/{tiktok.new_id(tiktok.now() - 3 * DAY)}"
    tiktok.fault("any", "silent")
    assert await failure(client, old) is UpstreamDown


async def test_a_pause_of_this_instance_does_not_make_an_old_link_gone(
    tiktok: FakeTikTok, alice: Account
) -> None:
    old = f"https://www.tiktok.com/@alice/story/{tiktok.new_id(tiktok.now() - 3 * DAY)}"

    async def pausing(*, at_once: bool = False) -> None:
        raise Refused("this instance is pausing")

    transport = tiktok.transport()
    async with StoryClient(
        rate_limit=pausing, page_transport=transport, media_transport=transport
    ) as client:
        assert await failure(client, old) is Refused


async def test_where_no_answer_has_a_date_an_old_link_is_asked_for(
    tiktok: FakeTikTok, alice: Account
) -> None:
    old = f"https://www.tiktok.com/@alice/story/{tiktok.new_id(tiktok.now() - 3 * DAY)}"
    async with through(answering(tiktok, drop_date)) as client:
        assert await failure(client, old) is Gone
    assert tiktok.count("list") == 1


async def test_the_age_of_a_link_is_judged_by_tiktoks_clock(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    """Ours is a day and more behind: the id seems to come from tomorrow, and is over."""
    tiktok.advance(2 * DAY)
    alice.photo()
    tiktok.fault("page", 403)
    tiktok.fault("embed_item", 403)
    assert await failure(client, alice.expired(listed=False).url) is Gone
    assert await failure(client, alice.photo(listed=False).url) is Refused


# --- addresses ----------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [-2.0, 2.0])
async def test_an_address_that_is_about_to_run_out_is_renewed_by_tiktoks_clock(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder, days: float
) -> None:
    tiktok.advance(days * DAY)
    alice.video(seconds=1)
    tiktok.media_life_s = 60.0
    assert len((await saved(client, folder, "alice")).files()) == 1
    assert tiktok.count("list") == 2


# --- what is known of the clock -----------------------------------------------------------------


async def test_the_difference_is_known_after_a_list(
    client: StoryClient, off: float, alice: Account
) -> None:
    await find(client, "alice")
    assert client.clock.ahead_s == pytest.approx(-off, abs=60)


async def test_the_probe_tells_the_difference(
    client: StoryClient, off: float, tiktok: FakeTikTok, alice: Account
) -> None:
    tiktok.fault("pages", 403)
    assert (await probe(client, parse_line("alice"))).clock_ahead_s == pytest.approx(-off, abs=60)


@pytest.mark.parametrize(
    "date",
    ["Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 +2359", "soon", "x" * 80, ""],
)
async def test_a_date_that_cannot_be_is_no_date(
    tiktok: FakeTikTok, alice: Account, date: str
) -> None:
    story = alice.photo()

    def change(_: httpx.Request, response: httpx.Response) -> None:
        response.headers["date"] = date

    async with through(answering(tiktok, change)) as client:
        assert ids(await find(client, "alice")) == [story.id]
        assert ids(await find(client, story.url)) == [story.id]


async def test_a_cached_answer_is_as_old_as_it_says(tiktok: FakeTikTok, alice: Account) -> None:
    def change(_: httpx.Request, response: httpx.Response) -> None:
        cached = datetime.now(UTC) - timedelta(hours=20)
        response.headers["date"] = cached.strftime("%a, %d %b %Y %H:%M:%S GMT")
        response.headers["age"] = str(20 * 3600)

    tiktok.fault("list", 403)
    story = alice.photo()
    async with through(answering(tiktok, change)) as client:
        assert ids(await find(client, story.url)) == [story.id]
        assert client.clock.ahead_s == pytest.approx(0, abs=60)
