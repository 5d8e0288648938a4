"""The way by gallery-dl: what a program printed and showed, read as anything else is."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from stories.client import StoryClient
from stories.errors import (
    Challenged,
    Gone,
    LoginRequired,
    NoSuchAccount,
    PrivateAccount,
    RateLimited,
    Refused,
    StoriesError,
    UpstreamChanged,
    UpstreamDown,
)
from stories.helper.answers import ShownAnswer
from stories.helper.endings import Ending
from stories.helper_way import asked_as
from stories.left_out import LeftOutReason
from stories.structures import Target, TargetKind
from stories.ways import READY, LookupResult, WayFailed
from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.stories.helper.desk import LIST, Desk

pytestmark = pytest.mark.anyio


@pytest.fixture
def desk(client: StoryClient, tiktok: FakeTikTok, alice: Account) -> Desk:
    return Desk(client, tiktok)


def ids(result: LookupResult) -> list[str]:
    return [story.id for story in result.stories]


# --- what it is -----------------------------------------------------------------------------------


async def test_it_is_a_way_with_a_name_and_a_price(desk: Desk) -> None:
    assert (desk.way.name, desk.way.cost) == ("gallery-dl", 3)
    assert await desk.way.ready() == READY


async def test_it_does_not_follow_short_links(desk: Desk) -> None:
    short = Target(kind=TargetKind.SHORT, short_url="https://vm.tiktok.com/ZMa/")
    async with desk.way.visit() as visit:
        with pytest.raises(WayFailed):
            await visit.expand(short)
    assert desk.program.asked == []


async def test_a_name_of_digits_alone_is_not_asked_for(desk: Desk) -> None:
    """The program takes it for an id, which may be somebody else's."""
    assert isinstance(await desk.failure(lambda: desk.listing("123456")), WayFailed)
    assert desk.program.asked == []


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ({"name": "alice"}, "https://www.tiktok.com/@alice/stories"),
        ({"name": "", "user_id": "680022"}, "https://www.tiktok.com/@680022/stories"),
        ({"name": "", "sec_uid": "MS4wLjABx"}, "https://www.tiktok.com/@MS4wLjABx/stories"),
    ],
)
async def test_an_account_is_asked_for_as_the_target_names_it(
    desk: Desk, target: dict[str, str], url: str
) -> None:
    await desk.failure(lambda: desk.listing(**target))
    assert desk.program.asked == [url]


# --- a list ---------------------------------------------------------------------------------------


async def test_the_list_it_shows_is_the_list(desk: Desk, alice: Account) -> None:
    stories = [alice.video(), alice.photo(), alice.carousel(3)]
    desk.ends(Ending.QUIET, answers=[desk.profile("alice"), desk.list_page(alice)])
    found = await desk.listing()
    assert ids(found) == [story.id for story in stories]
    assert (found.author.id, found.author.name) == (alice.id, "alice")
    assert [author.id for author in desk.authors] == [alice.id]
    assert (found.left_out, found.error, found.refusal) == ({}, None, None)
    identity = replace(asked_as(desk.client), user_agent=desk.program.user_agent)
    assert await found.session.identity() == identity
    assert [cookie.name for cookie in found.session._jar] == ["tt_chain_token"]


async def test_the_items_it_prints_are_the_list_too(desk: Desk, alice: Account) -> None:
    stories = [alice.video(), alice.photo()]
    desk.ends(Ending.LISTED, lines=desk.lines(alice))
    found = await desk.listing()
    assert ids(found) == [story.id for story in stories]
    assert found.author.id == alice.id
    assert found.stories[0].media
    assert not found.left_out


async def test_what_it_prints_twice_is_one_story(desk: Desk, alice: Account) -> None:
    alice.video()
    lines = desk.lines(alice)
    desk.ends(Ending.LISTED, lines=lines * 3, answers=[desk.list_page(alice)])
    assert len((await desk.listing()).stories) == 1


async def test_items_of_others_are_left_out_and_said(
    desk: Desk, tiktok: FakeTikTok, alice: Account
) -> None:
    mine = alice.video()
    mallory = tiktok.account("mallory")
    mallory.video()
    desk.ends(Ending.LISTED, lines=[*desk.lines(alice), *desk.lines(mallory)])
    found = await desk.listing()
    assert ids(found) == [mine.id]
    assert found.left_out == {LeftOutReason.FOREIGN: 1}


async def test_the_same_name_with_another_id_is_somebody_else(desk: Desk, alice: Account) -> None:
    alice.video()
    posed = json.loads(desk.lines(alice)[0])
    posed |= {"id": str(int(posed["id"]) + 1), "author": {**posed["author"], "id": "6800999"}}
    lines = [json.dumps(posed).encode(), *desk.lines(alice)]
    desk.ends(Ending.LISTED, lines=lines, answers=[desk.profile("alice")])
    found = await desk.listing()
    assert found.author.id == alice.id
    assert found.left_out == {LeftOutReason.FOREIGN: 1}


async def test_only_others_items_are_not_no_story(desk: Desk, tiktok: FakeTikTok) -> None:
    mallory = tiktok.account("mallory")
    mallory.video()
    desk.ends(Ending.LISTED, lines=desk.lines(mallory))
    assert isinstance((await desk.listing()).error, UpstreamChanged)


@pytest.mark.parametrize("line", [b"No stories!", b"[]", b"{", b"\xff\xfe", b"1", b"[" * 10**5])
async def test_prose_is_a_way_that_failed(desk: Desk, alice: Account, line: bytes) -> None:
    alice.video()
    desk.ends(Ending.LISTED, lines=[*desk.lines(alice), line])
    assert isinstance(await desk.failure(desk.listing), WayFailed)


@pytest.mark.parametrize("line", [b"{}", b'{"id": "x"}', b'{"id": null, "author": []}'])
async def test_an_item_without_an_id_is_unreadable(desk: Desk, line: bytes) -> None:
    desk.ends(Ending.LISTED, lines=[line])
    failed = await desk.failure(desk.listing)
    assert isinstance(failed, WayFailed)


async def test_items_it_could_not_get_are_named(desk: Desk, alice: Account) -> None:
    story = alice.video()
    kept = ["7713520281729458200", story.id]
    desk.ends(Ending.PARTIAL, lines=desk.lines(alice), kept_ids=tuple(kept))
    found = await desk.listing()
    assert ids(found) == [story.id]
    assert found.left_out == {LeftOutReason.HELD_BACK: 1}
    assert found.left_out_ids == {kept[0]: LeftOutReason.HELD_BACK}
    assert found.error is None


@pytest.mark.parametrize(
    ("turned_away", "error"), [(Ending.KEPT, Refused), (Ending.RATE_LIMITED, RateLimited)]
)
async def test_a_list_that_breaks_off_keeps_its_stories_and_says_so(
    desk: Desk, alice: Account, turned_away: Ending, error: type[StoriesError]
) -> None:
    story = alice.video()
    desk.ends(Ending.PARTIAL, lines=desk.lines(alice), turned_away=turned_away)
    found = await desk.listing()
    assert ids(found) == [story.id]
    assert found.left_out == {LeftOutReason.BROKEN_OFF: 1}
    assert isinstance(found.refusal, error)


async def test_a_page_refused_after_one_with_stories_breaks_the_list_off(
    desk: Desk, alice: Account
) -> None:
    for _ in range(3):
        alice.video(ago_s=3600)
    first = desk.list_page(alice, count=2)
    second = replace(first, status=403, body=b"no")
    desk.ends(Ending.KEPT, answers=[desk.profile("alice"), first, second])
    found = await desk.listing()
    assert len(found.stories) == 2
    assert found.left_out == {LeftOutReason.HELD_BACK: 1}
    assert isinstance(found.refusal, Refused)


async def test_a_page_that_only_the_program_cannot_use_is_no_refusal(
    desk: Desk, alice: Account
) -> None:
    """As one that repeats itself: what is missing is missing, and nobody was turned away."""
    for _ in range(3):
        alice.video(ago_s=3600)
    page = desk.list_page(alice, count=2)
    desk.ends(Ending.KEPT, answers=[desk.profile("alice"), page, page])
    found = await desk.listing()
    assert len(found.stories) == 2
    assert found.left_out == {LeftOutReason.HELD_BACK: 1}
    assert found.refusal is None


async def test_a_list_that_leads_to_the_sign_in_page_is_a_login_wall(desk: Desk) -> None:
    moved = ShownAnswer(place=LIST, status=302, body=b"")
    login = ShownAnswer(place="login_redirect_url.txt", status=200, body=b"<html>")
    desk.ends(Ending.KEPT, answers=[desk.profile("alice"), moved, login])
    failed = await desk.failure(desk.listing)
    assert isinstance(failed, LoginRequired)
    assert failed.by_redirect


async def test_a_program_that_stops_half_way_does_not_have_the_whole_list(
    desk: Desk, alice: Account
) -> None:
    for _ in range(3):
        alice.video(ago_s=3600)
    desk.ends(Ending.QUIET, answers=[desk.profile("alice"), desk.list_page(alice, count=2)])
    found = await desk.listing()
    assert len(found.stories) == 2
    assert found.left_out == {LeftOutReason.HELD_BACK: 1}


# --- an empty list --------------------------------------------------------------------------------


async def test_empty_is_believed(desk: Desk, alice: Account) -> None:
    desk.ends(Ending.EMPTY)
    found = await desk.listing()
    assert (found.stories, found.error, found.left_out) == ((), None, {})
    assert found.author.name == "alice"
    desk.ends(Ending.EMPTY, answers=[desk.profile("alice"), desk.list_page(alice)])
    assert (await desk.listing()).author.id == alice.id


async def test_empty_is_not_believed_against_the_count_on_the_list(
    desk: Desk, tiktok: FakeTikTok, alice: Account
) -> None:
    tiktok.fault({"endpoint": "list"}, "withheld", total=3)
    for ending in (Ending.EMPTY, Ending.KEPT, Ending.QUIET):
        desk.ends(ending, answers=[desk.profile("alice"), desk.list_page(alice)])
        found = await desk.listing()
        assert isinstance(found.error, UpstreamDown)
        assert found.left_out == {LeftOutReason.HELD_BACK: 3}


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("code", {"code": 10101}, Refused),
        ("captcha", {}, Refused),
        ("empty", {}, Refused),
        ("unsolvable", {}, Challenged),
        ("changed", {}, UpstreamChanged),
    ],
)
async def test_empty_is_not_believed_against_a_list_that_was_refused(
    desk: Desk,
    tiktok: FakeTikTok,
    alice: Account,
    kind: str,
    options: dict[str, Any],
    error: type[StoriesError],
) -> None:
    tiktok.fault({"endpoint": "list"}, kind, **options)
    for ending in (Ending.EMPTY, Ending.QUIET, Ending.KEPT):
        desk.ends(ending, answers=[desk.list_page(alice)])
        assert type(await desk.failure(desk.listing)) is error


async def test_a_list_without_stories_that_it_gave_up_on_is_read_here(
    desk: Desk, alice: Account
) -> None:
    """It stumbles over an empty list without a cursor, and says what it says when refused."""
    desk.ends(Ending.KEPT, answers=[desk.profile("alice"), desk.list_page(alice)])
    found = await desk.listing()
    assert (found.stories, found.error) == ((), None)


async def test_a_list_without_stories_and_without_a_count_is_kept_from_us(
    desk: Desk, alice: Account
) -> None:
    page = desk.list_page(alice)
    told = json.loads(page.body)
    del told["TotalCount"]
    page = replace(page, body=json.dumps(told).encode())
    desk.ends(Ending.KEPT, answers=[page])
    assert isinstance(await desk.failure(desk.listing), Refused)
    desk.ends(Ending.QUIET, answers=[page])
    assert isinstance(await desk.failure(desk.listing), WayFailed)
    desk.ends(Ending.EMPTY, answers=[page])
    assert (await desk.listing()).error is None


@pytest.mark.parametrize("ending", list(Ending))
async def test_nothing_but_empty_makes_no_story_of_nothing(desk: Desk, ending: Ending) -> None:
    desk.ends(ending)
    if ending is Ending.EMPTY:
        assert (await desk.listing()).error is None
    else:
        assert not isinstance(await desk.failure(desk.listing), Gone)


# --- other endings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "error"),
    [
        (Ending.PRIVATE, PrivateAccount),
        (Ending.UNKNOWN, NoSuchAccount),
        (Ending.RATE_LIMITED, RateLimited),
        (Ending.LOGIN_WALL, LoginRequired),
        (Ending.CHALLENGED, Challenged),
        (Ending.KEPT, Refused),
        (Ending.NO_ANSWER, UpstreamDown),
        (Ending.QUIET, WayFailed),
        (Ending.BROKEN, WayFailed),
    ],
)
async def test_each_ending_means_its_error(
    desk: Desk, ending: Ending, error: type[Exception]
) -> None:
    desk.ends(ending)
    assert type(await desk.failure(desk.listing)) is error


@pytest.mark.parametrize("ending", [Ending.PRIVATE, Ending.UNKNOWN])
async def test_a_word_on_an_account_that_it_shows_otherwise_is_not_believed(
    desk: Desk, alice: Account, ending: Ending
) -> None:
    desk.ends(ending, answers=[desk.profile("alice")])
    assert isinstance(await desk.failure(desk.listing), WayFailed)
    alice.video()
    desk.ends(ending, answers=[desk.list_page(alice)])
    assert isinstance(await desk.failure(desk.listing), WayFailed)


async def test_a_profile_that_it_cannot_use_is_read_here(desk: Desk, tiktok: FakeTikTok) -> None:
    tiktok.fault({"endpoint": "profile"}, "code", code=10101)
    desk.ends(Ending.BROKEN, answers=[desk.profile("alice")])
    assert isinstance(await desk.failure(desk.listing), Refused)


async def test_an_item_that_says_its_author_is_private_ends_the_list(
    desk: Desk, alice: Account
) -> None:
    alice.video()
    item = json.loads(desk.lines(alice)[0])
    item["author"]["privateAccount"] = True
    desk.ends(Ending.LISTED, lines=[json.dumps(item).encode()])
    assert isinstance(await desk.failure(desk.listing), PrivateAccount)
