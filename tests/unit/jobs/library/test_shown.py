"""What pages show of the library."""

from __future__ import annotations

import pytest

from jobs.library import choices, shown
from jobs.models import CopyState, LibraryCopy, LibraryMode, SendState
from tests.factories import make_story, make_user

pytestmark = pytest.mark.django_db


def copy(position: int, state: CopyState, **facts: object) -> None:
    LibraryCopy.objects.create(
        owner=make_user(), tiktok_id="7", position=position, state=state, **facts
    )


def test_a_story_is_as_far_as_its_last_file() -> None:
    story = make_story(tiktok_id="7")
    choices.choose(story.owner_id, LibraryMode.ASK)
    copy(1, CopyState.KEPT)
    assert shown.of_job(story.owner_id, story.item.job_id) == {"7": shown.Kept("kept", 1)}
    copy(2, CopyState.FAILED)
    assert shown.of_job(story.owner_id, story.item.job_id) == {"7": shown.Kept("failed", 2)}
    copy(3, CopyState.WAITING)
    assert shown.of_job(story.owner_id, story.item.job_id) == {"7": shown.Kept("waiting", 3)}


def test_of_who_keeps_nothing_there_is_nothing_to_show() -> None:
    story = make_story(tiktok_id="7")
    assert shown.of_job(story.owner_id, story.item.job_id) is None


def test_numbers_are_ones_own_or_everybodys() -> None:
    copy(1, CopyState.KEPT, send_state=SendState.THERE)
    copy(2, CopyState.WAITING, reason="full")
    LibraryCopy.objects.create(
        owner=make_user("bob"), tiktok_id="7", position=1, state=CopyState.FAILED, reason="gone"
    )
    own = shown.numbers(make_user().pk)
    assert (own.kept, own.waiting, own.failed, own.sent) == (1, 1, 0, 1)
    assert len(own.why) == 1
    assert shown.numbers().failed == 1
