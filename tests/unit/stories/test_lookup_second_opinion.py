"""What a list without stories is worth: whether it is believed, and one second opinion."""

from __future__ import annotations

from typing import Any

import pytest

from stories.client import StoryClient
from stories.errors import (
    AgeRestricted,
    HintedStory,
    Refused,
)
from stories.left_out import LeftOutReason
from stories.lookup import look_up
from stories.targets import parse_line
from stories.ways import WayFailed
from tests.fake_tiktok import FakeTikTok
from tests.unit.stories.scripted_ways import Memory, Scripted, find, story

pytestmark = pytest.mark.anyio


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


@pytest.mark.parametrize("raised", [True, False])
async def test_a_second_opinion_that_is_refused_is_remembered_against_its_way(
    client: StoryClient, memory: Memory, listed: Any, raised: bool
) -> None:
    """Else a way that is dead would hide behind the one that serves."""
    outcome = Refused() if raised else listed(error=Refused())
    with pytest.raises(HintedStory):
        await find(client, Scripted("direct", listed(hint=True)), Scripted("browser", outcome))
    assert memory.told == [("served", "direct"), ("refused", "browser", "refused", "rests")]


async def test_a_way_that_is_refused_at_its_own_second_look_does_not_rest(
    client: StoryClient, memory: Memory, listed: Any
) -> None:
    """There is no other one that served."""
    with pytest.raises(HintedStory):
        await find(client, Scripted("direct", listed(hint=True), Refused()))
    assert memory.told == [("served", "direct"), ("refused", "direct", "refused", "")]


async def test_a_list_whose_items_are_left_out_for_a_reason_is_not_doubted(
    client: StoryClient, listed: Any
) -> None:
    reasoned = listed(hint=True, left_out={LeftOutReason.AGE_RESTRICTED: 1}, error=AgeRestricted())
    second = Scripted("browser", listed(story(1)))
    with pytest.raises(AgeRestricted):
        await find(client, Scripted("direct", reasoned), second)
    assert second.asked == []


async def test_a_profile_that_speaks_of_a_story_is_read_anew_before_none_is_said(
    client: StoryClient, tiktok: FakeTikTok
) -> None:
    bob = tiktok.account("bob", story_status=1)
    found = await look_up(client, parse_line("bob"))
    assert type(found.error) is HintedStory
    assert [seen.endpoint for seen in tiktok.requests] == ["profile", "list"] * 2
    bob.story_status = 0
    assert (await look_up(client, parse_line("bob"))).error is None
