"""A list that is not given to its end: what was listed by then stays."""

from __future__ import annotations

import httpx
import pytest

from stories.client import StoryClient
from stories.errors import GatedList, RateLimited, Refusal, Refused, StoriesError
from stories.lookup import look_up
from stories.targets import parse_line
from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.stories.harvests import TINY, Folder, saved
from tests.unit.stories.lookups import Answer, Said, failure, find, ids, reading, scripted

pytestmark = pytest.mark.anyio

LOGIN = httpx.Response(302, headers={"location": "https://www.tiktok.com/login?x=1"})
FIRST_PAGE: Said = {"HasMoreAfter": True, "TotalCount": "4", "MaxCursor": 10**12}
FAULTS: dict[str, Answer] = {
    "sign-in code": {"statusCode": 10102, "itemList": None},
    "region": {"statusCode": 10219},
    "no such account": {"statusCode": 10221},
    "denied": {"statusCode": 10204},
    "words": {"statusCode": 10204, "statusMsg": "person_geo_fencing"},
    "unknown code": {"statusCode": 777},
    "fault code": {"statusCode": 100004},
    "wrong type": {"itemList": "x"},
    "not for this region": httpx.Response(451),
    "sign-in page": LOGIN,
    "not found": httpx.Response(404),
    "fault": httpx.Response(500),
    "silence": httpx.ReadTimeout("no answer"),
    "page": b"<html>hello</html>",
    "list": b"[]",
    "nothing said": b"{}",
}


@pytest.fixture
def three(alice: Account) -> list[str]:
    """The ids of three listed stories; TikTok says that there are four."""
    return [alice.photo(**TINY).id for _ in range(3)]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_a_second_reading_that_fails_leaves_the_stories_of_the_first(
    tiktok: FakeTikTok, three: list[str], fault: Answer
) -> None:
    async with reading(tiktok, {"TotalCount": "4"}, fault) as client:
        found = await find(client, "alice")
    assert (ids(found), found.left_out) == (three, {"held_back": 1})


@pytest.mark.parametrize(
    "fault",
    [*FAULTS.values(), {"statusCode": 10201}, {"statusCode": 10222}],
    ids=[*FAULTS, "changed", "private"],
)
async def test_an_error_on_a_later_page_leaves_the_stories_of_those_before(
    tiktok: FakeTikTok, three: list[str], fault: Answer
) -> None:
    async with reading(tiktok, FIRST_PAGE, fault, FIRST_PAGE, fault) as client:
        found = await find(client, "alice")
    assert (ids(found), found.left_out, found.refusal) == (three, {"held_back": 1}, None)
    assert found.details["held_back"]


async def test_the_second_reading_gets_past_a_fault_on_a_later_page(
    tiktok: FakeTikTok, three: list[str]
) -> None:
    fault = httpx.Response(500)
    async with reading(tiktok, FIRST_PAGE, fault, {"TotalCount": "3"}) as client:
        found = await find(client, "alice")
    assert (ids(found), found.left_out) == (three, {})


REFUSALS: dict[str, tuple[Answer, type[Refusal], int]] = {
    "slow down": (httpx.Response(429), RateLimited, 2),
    "refused": (httpx.Response(403), Refused, 4),
    "captcha": ({"statusCode": 10101}, Refused, 4),
    "zero bytes": (b"", Refused, 4),
}


@pytest.mark.parametrize(("fault", "error", "requests"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_a_refusal_on_a_later_page_is_told_when_the_stories_before_it_are_saved(
    tiktok: FakeTikTok,
    three: list[str],
    folder: Folder,
    fault: Answer,
    error: type[StoriesError],
    requests: int,
) -> None:
    async with reading(tiktok, FIRST_PAGE, fault, FIRST_PAGE, fault) as client:
        with pytest.raises(error):
            await saved(client, folder, "alice")
    assert len([file for file in folder.files.values() if file.content]) >= len(three)
    assert tiktok.count("list") == requests, "another identity is tried for the whole list, once"


async def test_a_refused_page_is_asked_for_under_another_identity_from_the_start(
    tiktok: FakeTikTok, three: list[str], folder: Folder
) -> None:
    answers: list[Answer] = [FIRST_PAGE, httpx.Response(403), {"TotalCount": "3"}]
    async with reading(tiktok, *answers) as client:
        log = await saved(client, folder, "alice")
    assert sorted(file.story_id for file in log.files()) == sorted(three)


async def test_pages_kept_from_a_first_identity_keep_its_cookies(
    tiktok: FakeTikTok, three: list[str], folder: Folder
) -> None:
    """Under the other identity not even the first page is given."""
    refused = httpx.Response(403)
    transport = scripted(tiktok, FIRST_PAGE, refused)
    tiktok.forget_requests()
    async with StoryClient(page_transport=transport, media_transport=transport) as client:
        found = await find(client, "alice")
        assert ids(found) == three
        assert isinstance(found.refusal, Refused)
        with pytest.raises(Refused):
            await saved(client, folder, "alice")
    assert tiktok.strays == []


# --- kept back for want of something in the request -----------------------------------------------

GATED = httpx.Response(200, headers={"tt_orcas_res": "1"})


def asked(tiktok: FakeTikTok) -> list[httpx.QueryParams]:
    """The parameters of every request for a list."""
    return [httpx.URL(seen.url).params for seen in tiktok.seen("list")]


async def test_a_gated_list_is_asked_for_with_a_device_id(
    tiktok: FakeTikTok, three: list[str]
) -> None:
    tiktok.most_per_page = 2
    async with reading(tiktok, GATED, {}) as client:
        found = await find(client, "alice")
    assert (ids(found), found.left_out) == (three, {})
    first, again, second_page = asked(tiktok)
    assert "device_id" not in first
    assert {**first} == {k: v for k, v in again.items() if k != "device_id"}
    assert again["device_id"] == second_page["device_id"]
    assert 7250000000000000000 <= int(again["device_id"]) <= 7325099899999994577
    async with reading(tiktok, GATED, {}) as client:
        await find(client, "alice")
    assert asked(tiktok)[-1]["device_id"] != again["device_id"], "no number stays with us"


async def test_a_list_that_stays_gated_is_held_back_and_no_reason_to_pause(
    tiktok: FakeTikTok, three: list[str]
) -> None:
    async with reading(tiktok, GATED) as client:
        found = await look_up(client, parse_line("alice"))
    assert (found.stories, found.left_out, found.refusal) == ((), {}, None)
    assert type(found.error) is GatedList
    assert not isinstance(found.error, Refusal)
    assert tiktok.count("list") == 4, "with and without a device id, by two identities"


async def test_a_gated_list_is_given_to_another_identity(
    tiktok: FakeTikTok, three: list[str]
) -> None:
    async with reading(tiktok, GATED, GATED, {}) as client:
        found = await find(client, "alice")
    assert (ids(found), found.left_out) == (three, {})


async def test_a_later_page_that_is_gated_leaves_the_stories_of_those_before(
    tiktok: FakeTikTok, three: list[str]
) -> None:
    answers: list[Answer] = [FIRST_PAGE, GATED, GATED, FIRST_PAGE, GATED]
    async with reading(tiktok, *answers) as client:
        found = await find(client, "alice")
    assert (ids(found), found.left_out, found.refusal) == (three, {"held_back": 1}, None)


async def test_a_story_whose_list_is_gated_is_found_on_its_own_page(
    tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.video(seconds=1)
    async with reading(tiktok, GATED) as client:
        found = await find(client, story.url)
    assert ids(found) == [story.id]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"tt_orcas_res": "0"},
        {"tt_orcas_res": ""},
        {"tt_orcas_res": "1", "bdturing-verify": '{"code":"10000"}'},
    ],
    ids=["nothing", "zero", "empty", "a captcha"],
)
async def test_zero_bytes_that_say_nothing_are_a_refusal(
    tiktok: FakeTikTok, three: list[str], headers: dict[str, str]
) -> None:
    async with reading(tiktok, httpx.Response(200, headers=headers)) as client:
        assert await failure(client, "alice") is Refused
    assert tiktok.count("list") == 2
