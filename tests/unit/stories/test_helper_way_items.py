"""The item of a link by gallery-dl: what a program printed, or the page it showed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stories.client import StoryClient
from stories.errors import (
    AgeRestricted,
    Gone,
    NotAStory,
    PrivateAccount,
    Refused,
    StoriesError,
    Unavailable,
)
from stories.helper.answers import ShownAnswer
from stories.helper.endings import Ending
from stories.ways import LookupResult, WayFailed
from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.stories.helper.desk import Desk

pytestmark = pytest.mark.anyio


@pytest.fixture
def desk(client: StoryClient, tiktok: FakeTikTok, alice: Account) -> Desk:
    return Desk(client, tiktok)


def ids(result: LookupResult) -> list[str]:
    return [story.id for story in result.stories]


# --- an item --------------------------------------------------------------------------------------


async def test_the_item_of_a_link(desk: Desk, alice: Account) -> None:
    story = alice.video()
    desk.ends(Ending.LISTED, lines=desk.lines(alice))
    found = await desk.item(story)
    assert ids(found) == [story.id]
    assert [author.id for author in desk.authors] == [alice.id]
    assert desk.program.asked == [f"https://www.tiktok.com/@alice/video/{story.id}"]


async def test_another_item_than_was_asked_for_is_a_way_that_failed(
    desk: Desk, alice: Account
) -> None:
    alice.video()
    desk.ends(Ending.LISTED, lines=desk.lines(alice))
    failed = await desk.failure(lambda: desk.item("7713520281729458200"))
    assert isinstance(failed, WayFailed)
    desk.ends(Ending.LISTED, lines=[b"prose"])
    failed = await desk.failure(lambda: desk.item("7713520281729458200"))
    assert isinstance(failed, WayFailed)


async def test_an_ordinary_post_is_one(desk: Desk, alice: Account) -> None:
    post = alice.post()
    page = ShownAnswer(
        place="@alice_video_1.txt", status=200, body=desk.body(f"/@alice/video/{post.id}")
    )
    desk.ends(Ending.KEPT, answers=[page])
    assert isinstance(await desk.failure(lambda: desk.item(post)), NotAStory)
    assert ids(await desk.item(post, posts=True)) == [post.id]


async def test_a_story_that_is_over_is_gone(desk: Desk, alice: Account) -> None:
    story = alice.video()
    lines = desk.lines(alice)
    desk.tiktok.advance(timedelta(hours=30).total_seconds())
    desk.client.clock.learn(desk.question().now)
    desk.ends(Ending.LISTED, lines=lines)
    assert isinstance(await desk.failure(lambda: desk.item(story)), Gone)


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        (10204, "item doesn't exist", Unavailable),
        (10204, "", Unavailable),
        (10204, "status_deleted", Gone),
        (10222, "", PrivateAccount),
        (10101, "", Refused),
        (10204, "content_classification", AgeRestricted),
    ],
)
async def test_the_page_it_shows_says_why_there_is_no_item(
    desk: Desk, alice: Account, code: int, message: str, error: type[StoriesError]
) -> None:
    story = alice.video()
    story.page_code, story.page_message = code, message
    page = ShownAnswer(
        place="@alice_video_1.txt", status=200, body=desk.body(f"/@alice/video/{story.id}")
    )
    desk.ends(Ending.KEPT, answers=[page])
    assert type(await desk.failure(lambda: desk.item(story))) is error


@pytest.mark.parametrize("ending", list(Ending))
async def test_no_ending_alone_makes_a_story_gone(desk: Desk, ending: Ending) -> None:
    desk.ends(ending)
    failed = await desk.failure(lambda: desk.item("7713520281729458200"))
    assert not isinstance(failed, Gone | Unavailable)
    refused = ShownAnswer(place="@alice_video_1.txt", status=403, body=b"")
    desk.ends(ending, answers=[refused])
    failed = await desk.failure(lambda: desk.item("7713520281729458200"))
    assert not isinstance(failed, Gone | Unavailable)
