"""Which way is asked, when the next one is, and what the outcomes of several add up to."""

from __future__ import annotations

from typing import Any

import pytest

from stories.client import StoryClient
from stories.errors import (
    AgeRestricted,
    Challenged,
    DeadShortLink,
    Gone,
    HeldBack,
    LoginRequired,
    NoSuchAccount,
    NotAStory,
    PrivateAccount,
    PrivatePost,
    RateLimited,
    Refusal,
    Refused,
    RegionLocked,
    StoriesError,
    TimedOut,
    Unavailable,
    UnknownAnswer,
    UpstreamChanged,
    UpstreamDown,
)
from stories.left_out import LeftOutReason
from stories.lookup import leads_on, look_up, ways_of
from stories.structures import Author
from stories.targets import parse_line
from stories.ways import WayBusy, WayDeclined, WayFailed, WaySpent
from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.stories.lookups import ids
from tests.unit.stories.scripted_ways import ALICE, Memory, Scripted, find, story

pytestmark = pytest.mark.anyio


def unasked() -> Refused:
    error = Refused("this instance is pausing")
    error.unasked = True
    return error


KEPT_FROM_US: list[StoriesError] = [
    Challenged(),
    Refused(),
    UpstreamChanged("a path is missing"),
    LoginRequired("a wall", by_redirect=True),
    HeldBack(),
]
ANSWERS: list[StoriesError] = [
    PrivateAccount(),
    PrivatePost(),
    NoSuchAccount(),
    AgeRestricted(),
    RegionLocked(),
    LoginRequired("it says so of the item"),
    Gone(),
    Unavailable(),
    NotAStory(),
    DeadShortLink(),
]
NO_ANSWERS: list[StoriesError] = [
    RateLimited(),
    unasked(),
    UpstreamDown(),
    TimedOut(),
    UnknownAnswer(),
]


# --- when the next way is tried -----------------------------------------------------------------


@pytest.mark.parametrize("error", KEPT_FROM_US, ids=lambda error: type(error).__name__)
async def test_the_next_way_is_asked_where_the_answer_is_kept_from_us(
    client: StoryClient, memory: Memory, listed: Any, error: StoriesError
) -> None:
    first, second = Scripted("direct", error), Scripted("browser", listed(story(1)))
    assert (await find(client, first, second)).stories == (story(1),)
    assert memory.told == [
        ("served", "browser"),
        ("refused", "direct", error.code, "rests" if isinstance(error, Refusal) else ""),
    ], "one account whose list is held back rests no way for the others"


@pytest.mark.parametrize(
    "error", ANSWERS + NO_ANSWERS, ids=lambda error: f"{type(error).__name__}-{error.detail}"
)
async def test_no_other_way_is_asked_after_an_answer_or_when_nobody_answers(
    client: StoryClient, memory: Memory, listed: Any, error: StoriesError
) -> None:
    first, second = Scripted("direct", error), Scripted("browser", listed(story(1)))
    with pytest.raises(type(error)):
        await find(client, first, second)
    assert second.asked == []
    assert memory.told == ([("served", "direct")] if error in ANSWERS else [])


def test_every_error_is_decided_on() -> None:
    assert all(map(leads_on, KEPT_FROM_US))
    assert not any(map(leads_on, ANSWERS + NO_ANSWERS))


async def test_a_list_that_is_held_back_without_a_story_is_asked_for_another_way(
    client: StoryClient, memory: Memory, listed: Any
) -> None:
    nothing = listed(error=HeldBack(), left_out={LeftOutReason.HELD_BACK: 3})
    second = Scripted("browser", listed(story(1)))
    assert (await find(client, Scripted("direct", nothing), second)).stories == (story(1),)


async def test_a_list_with_a_story_is_kept_whatever_it_lacks(
    client: StoryClient, listed: Any
) -> None:
    partial = listed(story(1), left_out={LeftOutReason.HELD_BACK: 3}, refusal=Refused())
    second = Scripted("browser", listed(story(1), story(2)))
    assert await find(client, Scripted("direct", partial), second) is partial
    assert second.asked == []


@pytest.mark.parametrize(
    ("refusal", "ready", "alone"),
    [(Refused, True, True), (Refused, False, False), (RateLimited, True, False)],
)
async def test_a_list_that_breaks_off_beside_a_way_that_was_not_refused_is_its_own_matter(
    client: StoryClient,
    listed: Any,
    refusal: type[Refusal],
    ready: bool,
    alone: bool,
) -> None:
    partial = listed(story(1), left_out={LeftOutReason.HELD_BACK: 3}, refusal=refusal())
    second = Scripted("browser", listed(story(1)), ready=ready)
    found = await find(client, Scripted("direct", partial), second)
    assert found.refusal is not None
    assert found.refusal.alone is alone


async def test_a_way_that_breaks_is_no_answer(
    client: StoryClient, memory: Memory, listed: Any
) -> None:
    broken = Scripted("browser", WayFailed("it crashed"))
    last = Scripted("gallery-dl", listed(story(1)))
    assert (await find(client, Scripted("direct", Refused()), broken, last)).stories == (story(1),)
    assert ("failed", "browser", "it crashed") in memory.told


async def test_a_way_that_declines_is_not_remembered_as_broken(
    client: StoryClient, memory: Memory, listed: Any
) -> None:
    busy = Scripted("browser", WayDeclined("busy with other look-ups"))
    last = Scripted("gallery-dl", listed(story(1)))
    assert (await find(client, Scripted("direct", Refused()), busy, last)).stories == (story(1),)
    assert [told[:2] for told in memory.told] == [("served", "gallery-dl"), ("refused", "direct")]


async def test_a_way_that_is_off_or_not_ready_is_not_asked(
    client: StoryClient, memory: Memory, listed: Any
) -> None:
    memory.off = frozenset({"browser"})
    off = Scripted("browser", listed(story(1)))
    unready = Scripted("gallery-dl", listed(story(1)), ready=False)
    with pytest.raises(Refused):
        await find(client, Scripted("direct", Refused()), off, unready)
    assert off.asked == unready.asked == []


@pytest.mark.parametrize(("wait_s", "noted"), [(None, True), (60.0, False)])
async def test_a_way_that_was_needed_and_will_not_be_ready_by_itself_is_noted(
    client: StoryClient, memory: Memory, listed: Any, wait_s: float | None, noted: bool
) -> None:
    unready = Scripted("browser", ready=False, wait_s=wait_s)
    await find(client, Scripted("direct", listed(story(1))), unready)
    assert ("not ready", "browser", "not installed") not in memory.told, "it was not needed"
    with pytest.raises(Refused):
        await find(client, Scripted("direct", Refused()), unready)
    assert (("not ready", "browser", "not installed") in memory.told) is noted


async def test_a_way_that_rests_is_asked_after_the_others(
    client: StoryClient, memory: Memory, listed: Any
) -> None:
    memory.rest = frozenset({"direct"})
    direct, browser = Scripted("direct", listed(story(1))), Scripted("browser", Refused())
    assert (await find(client, direct, browser)).stories == (story(1),)
    assert len(browser.asked) == 1


# --- when none brings an answer -----------------------------------------------------------------


async def test_a_refusal_is_raised_when_every_way_is_refused(
    client: StoryClient, memory: Memory
) -> None:
    with pytest.raises(Challenged):
        await find(client, Scripted("direct", Challenged()), Scripted("browser", Refused()))
    assert memory.told == [
        ("refused", "direct", "challenged", ""),
        ("refused", "browser", "refused", ""),
    ]


async def test_the_cheapest_ways_error_stands_however_late_it_was_asked(
    client: StoryClient, memory: Memory
) -> None:
    memory.rest = frozenset({"direct"})
    with pytest.raises(Refused):
        await find(client, Scripted("direct", Refused()), Scripted("browser", UpstreamChanged()))


async def test_one_odd_page_does_not_pause_the_instance_as_the_browser_is_refused(
    client: StoryClient,
) -> None:
    with pytest.raises(UpstreamChanged):
        await find(client, Scripted("direct", UpstreamChanged()), Scripted("browser", Refused()))


@pytest.mark.parametrize("raised", [True, False])
async def test_one_account_whose_list_is_held_back_does_not_pause_the_instance(
    client: StoryClient, listed: Any, raised: bool
) -> None:
    """Our own requests are refused, and a browser serves the other accounts."""
    held = HeldBack("1 of 3")
    outcome = held if raised else listed(error=held, left_out={LeftOutReason.HELD_BACK: 3})
    last = Scripted("gallery-dl", Refused())
    with pytest.raises(HeldBack):
        await find(client, Scripted("direct", Challenged()), Scripted("browser", outcome), last)


@pytest.mark.parametrize(
    ("failure", "alone"),
    [(WayBusy("busy"), True), (WayDeclined("used up"), False), (WayFailed("broke"), False)],
)
async def test_a_way_that_is_busy_is_not_refused(
    client: StoryClient, failure: WayFailed, alone: bool
) -> None:
    with pytest.raises(Challenged) as caught:
        await find(client, Scripted("direct", Challenged()), Scripted("browser", failure))
    assert caught.value.alone is alone


async def test_what_a_later_way_says_of_the_account_is_the_answer(client: StoryClient) -> None:
    with pytest.raises(PrivateAccount):
        await find(client, Scripted("direct", Refused()), Scripted("browser", PrivateAccount()))


async def test_a_held_back_list_keeps_what_it_said(client: StoryClient, listed: Any) -> None:
    nothing = listed(error=HeldBack(), left_out={LeftOutReason.HELD_BACK: 3})
    ways = [Scripted("direct", nothing), Scripted("browser", Refused())]
    assert await look_up(client, parse_line("alice"), ways=ways) is nothing


async def test_without_any_way_that_can_be_asked_it_is_tried_again_later(
    client: StoryClient, memory: Memory, listed: Any
) -> None:
    memory.off = frozenset({"direct"})
    unready = Scripted("browser", listed(story(1)), ready=False)
    with pytest.raises(UpstreamDown) as caught:
        await find(client, Scripted("direct", listed(story(1))), unready)
    assert caught.value.retry_after_s == 9
    assert "not installed" in caught.value.detail


# --- one question, several ways -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "untried"),
    [
        (WayBusy("busy"), True),
        (WaySpent("used up"), True),
        (WayDeclined("no short links"), False),
        (WayFailed("broke"), False),
    ],
)
async def test_where_the_ways_that_work_are_busy_no_try_is_used_up(
    client: StoryClient, memory: Memory, listed: Any, failure: WayFailed, untried: bool
) -> None:
    memory.off = frozenset({"direct"})
    with pytest.raises(UpstreamDown) as caught:
        await find(client, Scripted("direct", listed()), Scripted("browser", failure))
    assert caught.value.untried is untried


async def test_the_author_is_told_once(client: StoryClient, listed: Any) -> None:
    told: list[Author] = []
    nothing = listed(error=HeldBack())
    ways = [Scripted("direct", nothing), Scripted("browser", listed(story(1)))]
    await look_up(client, parse_line("alice"), ways=ways, on_author=told.append)
    assert told == [ALICE]


async def test_a_short_link_that_is_kept_from_one_is_followed_by_another(
    client: StoryClient, listed: Any
) -> None:
    first = Scripted("direct", listed(story(1)), expanded=Refused())
    second = Scripted("browser", listed(story(2)))
    line = "https://vm.tiktok.com/ZM1/"
    assert (await find(client, first, second, line=line)).stories == (story(2),)


async def test_what_a_short_link_leads_to_is_found_out_once(
    client: StoryClient, listed: Any
) -> None:
    first = Scripted("direct", Refused())
    second = Scripted("browser", listed(story(2)), expanded=AssertionError())  # type: ignore[arg-type]
    await find(client, first, second, line="https://vm.tiktok.com/ZM1/")
    assert second.asked[0][0] == parse_line("alice")


async def test_a_client_without_more_has_one_way_and_asks_nobody_about_it(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    made = alice.photo()
    assert [way.name for way in ways_of(client)] == ["direct"]
    assert ids(await look_up(client, parse_line("alice"))) == [made.id]
