"""What is to be kept for good is a row, once per member, story and position."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from jobs.library import choices, turns, wanted
from jobs.models import CopyRole, CopyState, LibraryCopy, LibraryMode, Role, Story, StoryKind
from jobs.queue import erasure
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

pytestmark = pytest.mark.django_db


def rows() -> list[tuple[str, str, int, str]]:
    fields = ("tiktok_id", "role", "position", "state")
    return list(LibraryCopy.objects.order_by("id").values_list(*fields))


def test_a_story_is_wanted_with_all_its_pictures_and_its_json() -> None:
    story = make_story(kind=StoryKind.CAROUSEL, media_count=2)
    make_artifact(story)
    make_artifact(story)
    make_artifact(story, role=Role.POSTER, position=1)
    assert wanted.keep_story(story) == 2
    assert rows() == [
        (story.tiktok_id, "media", 1, "waiting"),
        (story.tiktok_id, "media", 2, "waiting"),
        (story.tiktok_id, "story", 0, "waiting"),
    ]
    assert wanted.keep_story(story) == 0
    assert len(rows()) == 3


def test_two_members_keep_one_story_each_for_themselves() -> None:
    for name in ("alice", "bob"):
        story = make_story(
            make_item(make_job(make_user(name)), state=ItemState.DONE), tiktok_id="7"
        )
        make_artifact(story)
        assert wanted.keep_story(story) == 1
    assert LibraryCopy.objects.filter(role=CopyRole.MEDIA).count() == 2


def test_a_story_saved_twice_is_kept_once() -> None:
    job = make_job()
    for _ in range(2):
        story = make_story(make_item(job, state=ItemState.DONE), tiktok_id="7")
        make_artifact(story)
        wanted.keep_story(story)
    assert LibraryCopy.objects.filter(role=CopyRole.MEDIA).count() == 1


def test_a_story_that_is_added_to_gets_another_json() -> None:
    story = make_story(media_count=2)
    make_artifact(story)
    wanted.keep_story(story)
    LibraryCopy.objects.update(state=CopyState.KEPT)
    make_artifact(story)
    assert wanted.keep_story(story) == 1
    assert rows()[-1] == (story.tiktok_id, "story", 1, "waiting")


def test_what_was_given_up_is_tried_again_when_asked_for() -> None:
    story = make_story()
    make_artifact(story)
    wanted.keep_story(story)
    LibraryCopy.objects.update(state=CopyState.FAILED, reason="gone", tries=3)
    assert wanted.keep_story(story) == 1
    row = LibraryCopy.objects.get(role=CopyRole.MEDIA)
    assert (row.state, row.reason, row.tries) == (CopyState.WAITING, "", 0)


@pytest.mark.parametrize("minutes", [0, 5, 60])
def test_what_was_forgotten_is_wanted_again_once_its_worker_is_done(minutes: int) -> None:
    story = make_story()
    make_artifact(story)
    wanted.keep_story(story)
    until = timezone.now() + timedelta(minutes=minutes) if minutes else None
    LibraryCopy.objects.update(state=CopyState.REMOVING, not_before=until)
    assert wanted.keep_story(story) == 1
    assert rows()[0][3] == "waiting"
    assert rows()[-1] == (story.tiktok_id, "story", 1, "waiting")
    found = LibraryCopy.objects.get(role=CopyRole.MEDIA).not_before
    if until is None:
        assert found is None
    else:
        assert found is not None
        assert found <= min(until, timezone.now() + turns.LEASE)


def test_files_that_are_gone_are_not_wanted() -> None:
    story = make_story()
    make_artifact(story, expires_at=timezone.now() - timedelta(minutes=1))
    assert wanted.keep_story(story) == 0
    assert rows() == []


# --- by itself ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "from_watch", "count"),
    [
        (LibraryMode.NEVER, True, 0),
        (LibraryMode.ASK, True, 0),
        (LibraryMode.WATCHES, False, 0),
        (LibraryMode.WATCHES, True, 1),
        (LibraryMode.EVERYTHING, False, 1),
        (LibraryMode.EVERYTHING, True, 1),
    ],
)
def test_what_is_kept_by_itself(mode: LibraryMode, from_watch: bool, count: int) -> None:
    job = make_job(from_watch=from_watch)
    make_artifact(make_story(make_item(job, state=ItemState.DONE)))
    choices.choose(job.owner_id, mode)
    assert wanted.keep_automatically() == count
    assert wanted.keep_automatically() == 0


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("by_itself", [False, True])
def test_what_is_erased_at_this_moment_is_not_wanted(
    monkeypatch: pytest.MonkeyPatch, by_itself: bool, large: bool
) -> None:
    monkeypatch.setattr(erasure, "LARGE", 0 if large else 1)
    story = make_story(make_item(make_job(), state=ItemState.DONE))
    make_artifact(story)
    choices.choose(story.owner_id, LibraryMode.EVERYTHING)
    job = story.item.job
    story = Story.objects.get()  # as somebody read it who knows nothing of it
    real = wanted._lock

    def slow(job_ids: Iterable[UUID]) -> None:
        erasure.erase(job)
        real(job_ids)

    monkeypatch.setattr(wanted, "_lock", slow)
    assert (wanted.keep_automatically() if by_itself else wanted.keep_story(story)) == 0
    assert rows() == []


def test_a_story_that_is_still_coming_waits() -> None:
    story = make_story(state=ItemState.QUEUED)
    make_artifact(story)
    choices.choose(story.owner_id, LibraryMode.EVERYTHING)
    assert wanted.keep_automatically() == 0
    story.state = ItemState.PARTIAL
    story.save()
    assert wanted.keep_automatically() == 1


def test_what_was_given_up_comes_back_with_a_new_file_alone() -> None:
    story = make_story()
    make_artifact(story)
    choices.choose(story.owner_id, LibraryMode.EVERYTHING)
    wanted.keep_automatically()
    LibraryCopy.objects.update(state=CopyState.FAILED, reason="damaged")
    assert wanted.keep_automatically() == 0
    again = make_story(make_item(story.item.job, state=ItemState.DONE), tiktok_id=story.tiktok_id)
    make_artifact(again)
    assert wanted.keep_automatically() == 1
    assert wanted.keep_automatically() == 0


def test_nobody_elses_files_are_kept() -> None:
    make_artifact(make_story(make_item(make_job(make_user("bob")), state=ItemState.DONE)))
    choices.choose(make_user("alice").pk, LibraryMode.EVERYTHING)
    assert wanted.keep_automatically() == 0


def test_a_blocked_member_keeps_nothing_more() -> None:
    story = make_story()
    make_artifact(story)
    choices.choose(story.owner_id, LibraryMode.EVERYTHING)
    story.owner.is_active = False
    story.owner.save()
    assert wanted.keep_automatically() == 0


def test_a_forgotten_job_is_not_kept() -> None:
    story = make_story()
    make_artifact(story)
    choices.choose(story.owner_id, LibraryMode.EVERYTHING)
    job = story.item.job
    job.erased_at = timezone.now()
    job.save()
    assert wanted.keep_automatically() == 0
