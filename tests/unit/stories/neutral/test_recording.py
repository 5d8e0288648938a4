"""A sample of what TikTok sent reads like it, and names nobody."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from stories.http.transports import Transport
from stories.neutral import Recorder
from stories.neutral.recording import MAX_ANSWERS, endpoint
from tests.fake_tiktok import Account, FakeTikTok
from tests.fake_tiktok.exchange import FAULTS, PAGE_FAULTS, PUZZLES
from tests.mock_transport import MockTransport
from tests.neutral_samples import render
from tests.unit.stories.neutral.outcomes import OUTCOME, recorded, replayed

pytestmark = pytest.mark.anyio

SECRET = "Grandma's secret recipe"


@pytest.fixture
def alice(tiktok: FakeTikTok) -> Account:
    account = tiktok.account("alice.private", nickname="Alice Liddell")
    account.video(caption=SECRET, song="mp3")
    account.photo(caption=f"{SECRET} by @alice.private")
    account.carousel(3)
    account.expired()
    return account


def private_texts(account: Account) -> Iterator[str]:
    """What must not be in a sample."""
    yield from ("alice", "Alice", "Liddell", "recipe", "Grandma", account.id, account.sec_uid)
    for story in account.stories:
        yield from (story.id, str(int(story.created)))
        yield from (file.key for file in story.files)


async def check(
    tiktok: FakeTikTok, account: Account, site: Transport | None = None
) -> tuple[list[OUTCOME], dict[str, Any]]:
    """Look, look at the sample, and compare."""
    now = datetime.fromtimestamp(tiktok.now(), UTC)
    before, made = await recorded(site or tiktok.transport(), account.name, now)
    text = json.dumps(made)
    sample: dict[str, Any] = json.loads(text)
    assert await replayed(sample) == before
    assert not [private for private in private_texts(account) if private in text]
    return before, sample


async def test_stories_are_read_again(tiktok: FakeTikTok, alice: Account) -> None:
    outcomes, sample = await check(tiktok, alice)
    assert [answer["endpoint"] for answer in sample["answers"]] == ["profile", "list"]
    assert len(outcomes[3]) == 3
    assert sample["account"] == "user1"
    assert len(json.dumps(sample)) < 60_000


async def test_many_pages_are_read_again(tiktok: FakeTikTok, alice: Account) -> None:
    tiktok.most_per_page = 1
    for kind in (int, str):
        tiktok.cursor_as = kind
        outcomes, sample = await check(tiktok, alice)
        assert len(outcomes[3]) == 3
        assert len(sample["answers"]) > 4


WHERE = pytest.mark.parametrize("where", ["profile", "list", "embed"])


def fail(tiktok: FakeTikTok, where: str, kind: str, **options: Any) -> None:
    """From now on requests there fail; the embed is asked for when the profile is kept from us."""
    tiktok.faults.clear()
    tiktok.fault(where, kind, **options)
    if where == "embed":
        tiktok.fault("profile", "changed")


NEEDED: dict[str, dict[str, Any]] = {
    "script_redirect": {"to": "/login"},
    "rewritten": {"words": {'"itemList"': '"stories"', '"uniqueId"': '"handle"'}},
}


@WHERE
async def test_every_fault_is_the_same_fault_again(
    tiktok: FakeTikTok, alice: Account, where: str
) -> None:
    """But "huge", which is never read as a whole. Puzzles take a second each: of one kind."""
    assert FAULTS.keys() >= PAGE_FAULTS
    kinds = PAGE_FAULTS - {"code", "huge"} - (PUZZLES if where != "list" else set())
    for kind in (*sorted(kinds), "empty", "html", "404", "429", "503"):
        fail(tiktok, where, kind, **NEEDED.get(kind, {}))
        await check(tiktok, alice)


CODES = (10000, 10101, 10102, 10201, 10202, 10204, 10215, 10217, 10219, 10221, 10222, 10231)


@WHERE
async def test_every_code_is_the_same_code_again(
    tiktok: FakeTikTok, alice: Account, where: str
) -> None:
    for code in (*CODES, 100002, 100004, 99, "10204", "+5", 10**12, 1.5):
        fail(tiktok, where, "code", code=code, message="")
        _, sample = await check(tiktok, alice)
        assert f": {json.dumps(code)}" in json.dumps(sample)
    fail(tiktok, where, "code", code="alice", message="")
    await check(tiktok, alice)


@WHERE
async def test_words_mean_the_same_again(tiktok: FakeTikTok, alice: Account, where: str) -> None:
    for words in (
        "status_deleted",
        "author_secret",
        "alice.private is private",
        "alice",
        "cross_border_violation; alice",
        "rpc timeout at alice",
        "Please try again, alice",
        "Content_Classification,Alice Liddell",
    ):
        for code in (10204, 0, 7):
            fail(tiktok, where, "code", code=code, message=words)
            await check(tiktok, alice)


async def test_a_plain_code_in_place_of_words_stays(tiktok: FakeTikTok, alice: Account) -> None:
    fail(tiktok, "list", "code", code=7, message="story_not_ready_yet")
    _, sample = await check(tiktok, alice)
    assert sample["answers"][1]["body"]["data"]["status_msg"] == "story_not_ready_yet"


@pytest.mark.parametrize(
    "changes",
    [
        {"privateItem": True},
        {"takeDown": "1"},
        {"isContentClassified": True, "video": {}},
        {"isReviewing": 1, "video": None, "author": {}},
        {"video": {"playAddr": "https://files.unknown-cdn.example:8443/alice.private/x.mp4"}},
        {"video": {"playAddr": "//v16.tiktokcdn.com/media-video-hvc1/"}},
        {"createTime": "soon"},
        {"createTime": None},
        {"id": "alice"},
        {"author": None},
        {"author": {"uniqueId": "alice.private", "nickname": "Alice Liddell"}},
        {"story": {"ExpiredAt": 0}},
        {"desc": {"alice.private": ["Alice Liddell"]}},
        {"imagePost": {"images": []}},
        {"alice.private": 5, "Alice Liddell": {"Alice L.": 1}},
        {"bio": "https://alice-liddell.example/me", "phone": 4917212345678, "mail": "alice@x.org"},
    ],
)
async def test_odd_items_are_odd_in_the_same_way(
    tiktok: FakeTikTok, alice: Account, changes: dict[str, Any]
) -> None:
    alice.stories[0].item = changes
    _, sample = await check(tiktok, alice)
    for private in ("4917212345678", "liddell", "x.org"):
        assert private not in json.dumps(sample)


async def test_what_somebody_elses_name_is_stays_out_too(
    tiktok: FakeTikTok, alice: Account
) -> None:
    bob = tiktok.account("bob.elsewhere", nickname="Bobby")
    alice.stories[1].posed_as = bob
    _, sample = await check(tiktok, alice)
    assert "bob" not in json.dumps(sample).lower()


async def test_a_redirects_target_is_told_without_whom_it_concerns(
    tiktok: FakeTikTok, alice: Account
) -> None:
    for to, told in (
        ("https://www.tiktok.com/login?redirect_url=%2F%40alice.private", "www.tiktok.com/login?"),
        ("/@alice.private/live", "www.tiktok.com/@user1/"),
        ("https://alice.example/", "https://elsewhere.example/"),
    ):
        tiktok.faults.clear()
        tiktok.fault("profile", "redirect", to=to)
        _, sample = await check(tiktok, alice)
        assert told in sample["answers"][0]["headers"]["location"]


async def test_headers_are_those_we_read() -> None:
    recorder = Recorder()
    recorder(
        "https://www.tiktok.com/@alice",
        429,
        {
            "Content-Type": "text/html; charset=utf-8",
            "Retry-After": "30",
            "Set-Cookie": "ttwid=secret",
            "X-TT-System-Error": " 3",
            "Bdturing-Verify": '{"secret":1}',
            "X-TT-LogId": "secret",
            "Age": "5",
            "Date": "no date",
        },
        b"",
    )
    (answer,) = recorder.sample(made_by="x", name="alice")["answers"]
    assert answer["headers"] == {
        "content-type": "text/html; charset=utf-8",
        "x-tt-system-error": "1",
        "bdturing-verify": "(left out)",
        "age": "5",
        "retry-after": "30",
    }


async def test_times_move_together(tiktok: FakeTikTok, alice: Account) -> None:
    _, sample = await check(tiktok, alice)
    listed = sample["answers"][1]["body"]["data"]
    for item in listed["itemList"]:
        assert abs((int(item["id"]) >> 32) - item["createTime"]) <= 1
        assert item["createTime"] < listed["extra"]["now"] // 1000
    assert sample["answers"][1]["headers"]["date"].endswith("GMT")
    assert "2026 " in sample["answers"][1]["headers"]["date"]


def test_a_recording_is_bounded_and_the_same_twice() -> None:
    recorder = Recorder()
    for number in range(MAX_ANSWERS + 5):
        recorder("https://www.tiktok.com/@alice", 200, {}, b'{"n": %d}' % number)
    samples = [recorder.sample(made_by="x", name="alice") for _ in range(2)]
    assert samples[0] == samples[1]
    assert len(samples[0]["answers"]) == MAX_ANSWERS
    assert samples[0]["left_out"] == 5


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://www.tiktok.com/@alice", "profile"),
        ("https://www.tiktok.com/@_/video/7", "page"),
        ("https://www.tiktok.com/api/story/item_list/?x=y", "list"),
        ("https://www.tiktok.com/embed/@alice", "embed"),
        ("https://www.tiktok.com/embed/v2/7", "embed"),
        ("https://www.tiktok.com/oembed?url=x", "oembed"),
        ("https://vm.tiktok.com/ZM1/", "link"),
        ("https://www.tiktok.com/t/ZM1/", "link"),
        ("https://www.tiktok.com/robots.txt", "other"),
        ("https://elsewhere.example/@alice", "other"),
    ],
)
def test_an_address_is_told_as_what_it_asks_for(url: str, kind: str) -> None:
    assert endpoint(url) == kind


async def test_a_sample_is_played_to_its_end_and_no_further(
    tiktok: FakeTikTok, alice: Account
) -> None:
    """What was never asked for is no answer."""
    _, sample = await check(tiktok, alice)
    sample["answers"] = [answer for answer in sample["answers"] if answer["endpoint"] != "list"]
    assert (await replayed(sample))[2][1] == "upstream_down"


async def test_nothing_is_kept_without_a_recorder(tiktok: FakeTikTok, alice: Account) -> None:
    seen: list[httpx.Request] = []

    async def note(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return await tiktok.transport().handle_async_request(request)

    _, sample = await recorded(MockTransport(note), alice.name)
    assert len(sample["answers"]) == len(seen) == 2
    assert all(render(answer["body"]) for answer in sample["answers"])


def test_who_records_nothing_loads_nothing_of_it() -> None:
    script = (
        "import sys, stories.client, stories.harvest, stories.probe; "
        "print(*(name for name in sys.modules if 'neutral' in name or name.endswith('.guard')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
