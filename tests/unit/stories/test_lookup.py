"""Which way is asked, when the next one is, and what the outcomes of several add up to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import pytest

from stories.client import StoryClient
from stories.errors import (
    AgeRestricted,
    Challenged,
    DeadShortLink,
    Gone,
    HeldBack,
    HintedStory,
    LoginRequired,
    NoSuchAccount,
    NotAStory,
    PrivateAccount,
    PrivatePost,
    RateLimited,
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
from stories.structures import Author, Story, Target
from stories.targets import parse_line
from stories.ways import LookupResult, Question, Readiness, WayDeclined, WayFailed
from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.stories.lookups import ids

pytestmark = pytest.mark.anyio

ALICE = Author(id="7", name="alice")
Outcome = StoriesError | WayFailed | LookupResult


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


class Memory:
    """A WayMemory that writes down what it is told."""

    def __init__(self, off: tuple[str, ...] = (), resting: tuple[str, ...] = ()) -> None:
        self.off, self.rest = frozenset(off), frozenset(resting)
        self.told: list[tuple[str, ...]] = []

    async def switched_off(self) -> frozenset[str]:
        return self.off

    async def resting(self) -> frozenset[str]:
        return self.rest

    async def served(self, name: str) -> None:
        self.told.append(("served", name))

    async def refused(self, name: str, code: str, *, other_served: bool) -> None:
        self.told.append(("refused", name, code, "rests" if other_served else ""))

    async def failed(self, name: str, reason: str) -> None:
        self.told.append(("failed", name, reason))

    async def not_ready(self, name: str, reason: str) -> None:
        self.told.append(("not ready", name, reason))


class Scripted:
    """A way with given outcomes, one for each look-up; the last one for all that follow."""

    cost = 0

    def __init__(
        self,
        name: str,
        *outcomes: Outcome,
        expanded: Outcome | None = None,
        decisive: bool = False,
        ready: bool = True,
        wait_s: float | None = 9,
    ) -> None:
        self.name, self.decisive = name, decisive
        self._outcomes, self._expanded = list(outcomes), expanded
        self._readiness = Readiness(
            ok=ready, reason="" if ready else "not installed", wait_s=wait_s
        )
        self.asked: list[tuple[Target, Question]] = []

    async def ready(self) -> Readiness:
        return self._readiness

    @asynccontextmanager
    async def visit(self) -> AsyncIterator[Scripted]:
        yield self

    async def expand(self, target: Target) -> Target:
        if self._expanded is not None:
            raise self._expanded  # type: ignore[misc]  # an error in every test that gives one
        return parse_line("alice")

    async def listing(self, target: Target, question: Question) -> LookupResult:
        self.asked.append((target, question))
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        question.on_author(outcome.author)
        return outcome

    async def item(
        self, target: Target, question: Question, *, author_is_certain: bool
    ) -> LookupResult:
        return await self.listing(target, question)


@pytest.fixture
def listed(client: StoryClient, alice: Account) -> Callable[..., LookupResult]:
    def make(
        *stories: Any, hint: bool | None = None, explicit: bool = True, **facts: Any
    ) -> LookupResult:
        return LookupResult(
            target=parse_line("alice"),
            author=replace(ALICE, story_hint=hint),
            stories=stories,
            session=client.session(),
            explicit=explicit,
            **facts,
        )

    return make


@pytest.fixture
def memory(client: StoryClient) -> Memory:
    made = Memory()
    client.way_memory = made
    return made


async def find(client: StoryClient, *ways: Scripted, line: str = "alice") -> LookupResult:
    found = await look_up(client, parse_line(line), ways=ways)
    if found.error is not None:
        raise found.error
    return found


def story(number: int) -> Story:
    """A story that is told by its number: nothing looks inside."""
    return cast("Story", number)


# --- when the next way is tried -----------------------------------------------------------------


@pytest.mark.parametrize("error", KEPT_FROM_US, ids=lambda error: type(error).__name__)
async def test_the_next_way_is_asked_where_the_answer_is_kept_from_us(
    client: StoryClient, memory: Memory, listed: Any, error: StoriesError
) -> None:
    first, second = Scripted("direct", error), Scripted("browser", listed(story(1)))
    assert (await find(client, first, second)).stories == (story(1),)
    assert memory.told == [
        ("served", "browser"),
        ("refused", "direct", error.code, "rests"),
    ]


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


# --- what a list without stories is worth -------------------------------------------------------


async def test_an_empty_list_is_believed(client: StoryClient, listed: Any) -> None:
    for hint in (None, False):
        second = Scripted("browser", listed(story(1)))
        assert (await find(client, Scripted("direct", listed(hint=hint)), second)).stories == ()
        assert second.asked == []


async def test_one_second_opinion_where_the_profile_speaks_of_a_story(
    client: StoryClient, memory: Memory, listed: Any
) -> None:
    first, last = Scripted("direct", listed(hint=True)), Scripted("gallery-dl", listed(story(2)))
    second = Scripted("browser", listed(story(1)))
    assert (await find(client, first, second, last)).stories == (story(1),)
    assert (len(second.asked), last.asked) == (1, [])
    assert second.asked[0][1].fresh, "not the account that is remembered"


async def test_a_browsers_empty_list_is_believed(client: StoryClient, listed: Any) -> None:
    first = Scripted("direct", listed(hint=True))
    second = Scripted("browser", listed(hint=True), decisive=True)
    assert (await find(client, first, second)).stories == ()


async def test_a_browsers_list_that_says_nothing_is_not(client: StoryClient, listed: Any) -> None:
    """As one whose fields have other names by now."""
    first = Scripted("direct", listed(hint=True))
    for hint in (True, None):
        second = Scripted("browser", listed(hint=hint, explicit=False), decisive=True)
        with pytest.raises(HintedStory):
            await find(client, first, second)


async def test_a_list_without_any_word_is_believed_where_nothing_contradicts_it(
    client: StoryClient, listed: Any
) -> None:
    """So TikTok says that there is no story."""
    for hint in (None, False):
        alone = Scripted("direct", listed(explicit=False, hint=hint))
        assert (await find(client, alone)).stories == ()
        assert len(alone.asked) == 1


@pytest.mark.parametrize("hint", [True, None])
async def test_two_that_ask_alike_and_get_nothing_prove_nothing(
    client: StoryClient, listed: Any, hint: bool | None
) -> None:
    first, second = Scripted("direct", listed(hint=True)), Scripted("other", listed(hint=hint))
    with pytest.raises(HintedStory):
        await find(client, first, second)


async def test_a_profile_that_speaks_of_none_any_more_is_believed(
    client: StoryClient, listed: Any
) -> None:
    alone = Scripted("direct", listed(hint=True), listed(hint=False))
    assert (await find(client, alone)).stories == ()
    assert len(alone.asked) == 2


async def test_alone_a_way_is_asked_once_more_and_no_more(client: StoryClient, listed: Any) -> None:
    alone = Scripted("direct", listed(hint=True))
    with pytest.raises(HintedStory):
        await find(client, alone)
    assert len(alone.asked) == 2


@pytest.mark.parametrize("outcome", [Refused(), WayFailed("it crashed")])
async def test_a_second_opinion_that_is_not_had_leaves_the_doubt(
    client: StoryClient, listed: Any, outcome: Any
) -> None:
    with pytest.raises(HintedStory):
        await find(client, Scripted("direct", listed(hint=True)), Scripted("browser", outcome))


async def test_a_list_whose_items_are_left_out_for_a_reason_is_not_doubted(
    client: StoryClient, listed: Any
) -> None:
    reasoned = listed(hint=True, left_out={LeftOutReason.AGE_RESTRICTED: 1}, error=AgeRestricted())
    second = Scripted("browser", listed(story(1)))
    with pytest.raises(AgeRestricted):
        await find(client, Scripted("direct", reasoned), second)
    assert second.asked == []


# --- one question, several ways -----------------------------------------------------------------


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


async def test_a_profile_that_speaks_of_a_story_is_read_anew_before_none_is_said(
    client: StoryClient, tiktok: FakeTikTok
) -> None:
    bob = tiktok.account("bob", story_status=1)
    found = await look_up(client, parse_line("bob"))
    assert type(found.error) is HintedStory
    assert [seen.endpoint for seen in tiktok.requests] == ["profile", "list"] * 2
    bob.story_status = 0
    assert (await look_up(client, parse_line("bob"))).error is None
