"""Look-ups on a site that refuses an identity: another one is tried, and goes on to the files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from stories.client import StoryClient
from stories.config import ClientConfig
from stories.errors import (
    Challenged,
    LoginRequired,
    NoSuchAccount,
    RateLimited,
    Refused,
    StoriesError,
)
from stories.identity import LocalIdentityMemory
from stories.lookup import look_up
from stories.probe import probe
from stories.targets import parse_line
from tests.fake_tiktok import Account, FakeTikTok
from tests.mock_transport import MockTransport
from tests.unit.stories.harvests import TINY, Folder, saved
from tests.unit.stories.lookups import failure, find, ids

pytestmark = pytest.mark.anyio

WITHOUT_REFERER = {"text": "https://www.tiktok.com/", "agent": "Chrome/150", "referer": False}
THIS_BROWSER = {"text": "https://www.tiktok.com/", "agent": "Chrome/150"}
ANY_BROWSER = {"text": "https://www.tiktok.com/", "agent": "Chrome/"}
ANYBODY = {"text": "https://www.tiktok.com/"}


def agents(tiktok: FakeTikTok) -> list[str]:
    """Who asked for pages and lists, in order, as a few letters each."""
    said = []
    for seen in tiktok.seen(text="https://www.tiktok.com/"):
        name = seen.headers["user-agent"].partition("Chrome/")[2][:3] or "plain"
        said.append(f"{name}{'+r' if 'referer' in seen.headers else ''}")
    return said


# --- one identity is refused --------------------------------------------------------------------


@pytest.mark.parametrize("kind", [403, 401, 405, 412, 444, "system_error", "empty", "unsolvable"])
async def test_a_browser_without_referer_is_refused_and_with_one_it_is_served(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, kind: Any
) -> None:
    story = alice.photo()
    tiktok.fault(WITHOUT_REFERER, kind)
    assert ids(await find(client, "alice")) == [story.id]
    assert agents(tiktok) == ["150", "150+r", "150+r"]
    tiktok.forget_requests()
    assert ids(await find(client, "alice", fresh=True)) == [story.id]
    assert agents(tiktok) == ["150+r", "150+r"], "the one that worked is remembered"


async def test_a_page_without_its_data_is_a_refusal_of_the_identity_too(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo()
    tiktok.fault(WITHOUT_REFERER, "changed")
    assert ids(await find(client, "alice")) == [story.id]
    assert agents(tiktok) == ["150", "150+r", "150+r"]


@pytest.mark.parametrize("kind", [403, "empty", "captcha", "unsolvable"])
async def test_a_list_that_is_kept_from_one_identity_is_read_by_another(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, kind: Any
) -> None:
    story = alice.photo()
    tiktok.fault({"endpoint": "list"}, kind, times=1)
    assert ids(await find(client, "alice")) == [story.id]
    assert agents(tiktok) == ["150", "150+r", "150+r"]
    tiktok.forget_requests()
    assert ids(await find(client, "alice", fresh=True)) == [story.id]
    assert agents(tiktok) == ["150+r", "150+r"]


async def test_a_second_page_that_is_refused_has_the_whole_list_read_again(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    """Addresses on the first page are tied to the session that was refused the second."""
    tiktok.most_per_page = 1
    for ago_s in (60, 120):
        alice.video(seconds=1, ago_s=ago_s)
    tiktok.fault({"endpoint": "list", "agent": "Chrome/150", "text": "cursor=1"}, 403, times=1)
    log = await saved(client, folder, "alice")
    assert len(log.files()) == 2
    assert tiktok.count("video") == 2, "no address of the refused session was asked for"


async def test_files_are_asked_for_as_the_identity_that_was_served_the_list(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    alice.video(seconds=1)
    tiktok.fault(THIS_BROWSER, 403)
    # The identity after the next.
    assert await failure(client, "alice") is Refused
    tiktok.forget_requests()
    log = await saved(client, folder, "alice")
    assert len(log.files()) == 1
    (listed,), (video, *_) = tiktok.seen("list"), tiktok.seen("video")
    assert "Chrome/146" in listed.headers["user-agent"]
    assert video.headers["user-agent"] == listed.headers["user-agent"]
    assert video.headers["referer"] == "https://www.tiktok.com/"


async def test_a_cookie_of_the_refused_session_does_not_follow(
    tiktok: FakeTikTok, alice: Account
) -> None:
    alice.photo()
    usual, cookies = tiktok.transport(), list[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        cookies.append(request.headers.get("cookie", ""))
        if len(cookies) == 1:
            marked = [("Set-Cookie", "marked=1; Domain=.tiktok.com; Path=/; Secure")]
            return httpx.Response(403, headers=marked)
        return usual.handle_request(request)

    transport = MockTransport(answer)
    async with StoryClient(page_transport=transport, media_transport=transport) as client:
        await find(client, "alice")
    assert cookies[1] == ""
    assert "tt_chain_token" in cookies[2]
    assert not any("marked" in sent for sent in cookies)


@pytest.mark.parametrize("line", ["link", "short", "nameless"])
async def test_story_links_get_their_other_identity_too(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, line: str
) -> None:
    story = alice.photo()
    tiktok.fault(WITHOUT_REFERER, 403)
    lines = {
        "link": story.url,
        "short": tiktok.short_link("ZMx", to=story),
        "nameless": f"https://www.tiktok.com/@_/video/{story.id}",
    }
    assert ids(await find(client, lines[line], posts=True)) == [story.id]


async def test_a_short_link_that_is_kept_from_previews_and_from_one_browser(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo()
    link = tiktok.short_link("ZMx", to=story)
    tiktok.fault({"endpoint": "short", "agent": "facebook"}, "login")
    tiktok.fault({"endpoint": "short", "referer": False}, "login")
    assert ids(await find(client, link)) == [story.id]


async def test_a_sign_in_page_is_the_identitys_until_another_one_meets_it_too(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo()
    tiktok.fault({"endpoint": "profile", "referer": False}, "login")
    assert ids(await find(client, "alice")) == [story.id]
    tiktok.fault("pages", "login")
    assert await failure(client, "alice", fresh=True) is LoginRequired


async def test_the_probe_shows_what_the_worker_would_get(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    alice.photo()
    tiktok.fault(WITHOUT_REFERER, 403)
    report = await probe(client, parse_line("alice"))
    assert [step.error for step in report.steps] == [None, None, None]


# --- all are refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "error"), [(403, Refused), ("unsolvable", Challenged)])
async def test_a_server_that_is_refused_asks_once_more_and_each_identity_gets_its_turn(
    client: StoryClient,
    tiktok: FakeTikTok,
    alice: Account,
    kind: Any,
    error: type[StoriesError],
) -> None:
    alice.photo()
    tiktok.fault({"endpoint": "list"}, kind)
    tiktok.fault({"endpoint": "profile"}, kind)
    tiktok.fault({"endpoint": "embed"}, 403)
    rounds = []
    for _ in range(3):
        tiktok.forget_requests()
        assert await failure(client, "alice") is error
        assert (tiktok.count("profile"), tiktok.count("embed")) == (2, 1)
        rounds.append(agents(tiktok)[:2])
    assert rounds == [["150", "150+r"], ["146+r", "plain+r"], ["150", "150+r"]]


async def test_one_look_up_has_one_further_try_however_many_doors_are_shut(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo()
    tiktok.fault(ANYBODY, 403)
    assert await failure(client, story.url) is Refused
    asked = [seen.endpoint for seen in tiktok.requests]
    # The profile twice; its embed, the item's page and that one's embed once, as ever.
    assert asked == ["profile", "profile", "embed", "page", "embed_item"]


async def test_too_many_requests_are_no_matter_of_identity(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    alice.photo()
    tiktok.fault("profile", 429)
    assert await failure(client, "alice") is RateLimited
    assert tiktok.count() == 1


async def test_an_answer_that_is_no_story_is_an_answer(
    client: StoryClient, tiktok: FakeTikTok
) -> None:
    tiktok.fault(WITHOUT_REFERER, 403)
    assert await failure(client, "nobody.here") is NoSuchAccount
    tiktok.forget_requests()
    assert await failure(client, "nobody.here") is NoSuchAccount
    assert agents(tiktok) == ["150+r"]


async def test_plain_requests_are_tried_where_every_browser_is_refused(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    alice.video(seconds=1)
    tiktok.fault(ANY_BROWSER, 403)
    assert await failure(client, "alice") is Refused
    assert len((await saved(client, folder, "alice")).files()) == 1
    (listed,) = tiktok.seen("list")
    assert not [name for name in listed.headers if name.startswith("sec-")]
    assert listed.headers["accept-encoding"] == "gzip, deflate"


async def test_without_curl_the_ladder_is_what_makes_sense_there(
    tiktok: FakeTikTok, alice: Account
) -> None:
    story, transport = alice.photo(), tiktok.transport()
    tiktok.fault(ANY_BROWSER, 403)
    config = ClientConfig(page_transport="httpx")
    async with StoryClient(config, page_transport=transport, media_transport=transport) as client:
        assert await failure(client, "alice") is Refused
        assert ids(await find(client, "alice")) == [story.id]


# --- pace, and many at once ---------------------------------------------------------------------


class Pace:
    """A rate limit that counts, and refuses once it is closed."""

    def __init__(self) -> None:
        self.taken = 0
        self.closed: Refused | None = None

    async def __call__(self, *, at_once: bool = False) -> None:
        if self.closed:
            raise self.closed
        self.taken += 1


@pytest.fixture
def pace() -> Pace:
    return Pace()


@pytest.fixture
async def paced(tiktok: FakeTikTok, pace: Pace) -> AsyncIterator[StoryClient]:
    transport = tiktok.transport()
    made = StoryClient(rate_limit=pace, page_transport=transport, media_transport=transport)
    async with made:
        yield made


async def test_a_further_try_counts_as_a_request(
    paced: StoryClient, tiktok: FakeTikTok, alice: Account, pace: Pace
) -> None:
    alice.photo()
    tiktok.fault(WITHOUT_REFERER, 403)
    await find(paced, "alice")
    assert pace.taken == tiktok.count() == 3


async def test_a_pause_of_our_own_is_no_refusal_of_an_identity(
    paced: StoryClient, tiktok: FakeTikTok, alice: Account, pace: Pace
) -> None:
    story = alice.photo()
    pace.closed = Refused("this instance is pausing")
    assert await failure(paced, story.url) is Refused
    assert tiktok.count() == 0
    pace.closed = None
    assert ids(await find(paced, "alice")) == [story.id]
    assert agents(tiktok) == ["150", "150+r"], "only the list, which always has one"


async def test_look_ups_that_are_refused_at_once_make_no_storm(
    client: StoryClient, tiktok: FakeTikTok
) -> None:
    names = [f"corner.bakery{number}" for number in range(12)]
    for name in names:
        tiktok.account(name).photo(**TINY)
    tiktok.fault({"endpoint": "profile"}, 403)
    tiktok.fault({"endpoint": "embed"}, 403)
    results = await asyncio.gather(
        *(look_up(client, parse_line(name)) for name in names), return_exceptions=True
    )
    assert {type(result) for result in results} == {Refused}
    assert tiktok.count("profile") == 12 + 1


async def test_look_ups_that_are_refused_at_once_all_use_what_one_finds(
    client: StoryClient, tiktok: FakeTikTok
) -> None:
    names = [f"corner.bakery{number}" for number in range(12)]
    for name in names:
        tiktok.account(name).photo(**TINY)
    tiktok.fault(WITHOUT_REFERER, 403)
    results = await asyncio.gather(*(find(client, name) for name in names))
    assert all(len(result.stories) == 1 for result in results)
    assert tiktok.count("profile") == 24


async def test_a_client_begins_with_what_the_instance_remembers(
    tiktok: FakeTikTok, alice: Account
) -> None:
    alice.photo()
    memory, transport = LocalIdentityMemory(), tiktok.transport()
    tiktok.fault(WITHOUT_REFERER, 403)
    for asked in (["150", "150+r", "150+r"], ["150+r", "150+r"]):
        tiktok.forget_requests()
        async with StoryClient(
            identity_memory=memory, page_transport=transport, media_transport=transport
        ) as client:
            await find(client, "alice")
        assert agents(tiktok) == asked
