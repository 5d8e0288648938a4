"""What goes with a job, and what stays."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connections
from django.utils import timezone

from jobs.library import forgetting, wanted
from jobs.models import CopyState, Item, LibraryCopy
from jobs.queue import erasure
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

pytestmark = pytest.mark.django_db


def test_a_story_that_another_job_has_as_well_stays() -> None:
    stories = [make_story(make_item(make_job()), tiktok_id="7") for _ in range(2)]
    make_artifact(stories[0])
    wanted.keep_story(stories[0])
    alice = stories[0].owner_id
    first, second = (story.item.job_id for story in stories)
    assert forgetting.count(alice, [first]) == 0
    assert forgetting.count(alice, [first, second]) == 1
    forgetting.forget(alice, [first])
    assert not LibraryCopy.objects.filter(state=CopyState.REMOVING).exists()
    forgetting.forget(alice, [first, second])
    assert LibraryCopy.objects.filter(state=CopyState.REMOVING).count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_story_of_two_jobs_that_are_forgotten_at_once_goes() -> None:
    stories = [make_story(make_item(make_job()), tiktok_id="7") for _ in range(2)]
    make_artifact(stories[0])
    wanted.keep_story(stories[0])
    Item.objects.update(created_at=timezone.now() - timedelta(days=2))  # of today: one by one
    alice = stories[0].owner_id
    first, second = (story.item.job for story in stories)

    def forget_second() -> None:
        erasure.erase(second, beside=lambda job_id: forgetting.forget(alice, [job_id]))
        connections.close_all()

    other = threading.Thread(target=forget_second)

    def forget_first(job_id: UUID) -> None:
        forgetting.forget(alice, [job_id])
        other.start()
        other.join(0.5)  # it has to wait for us

    erasure.erase(first, beside=forget_first)
    other.join(60)
    assert set(LibraryCopy.objects.values_list("state", flat=True)) == {CopyState.REMOVING}


def test_jobs_with_something_in_the_library_are_told_from_others() -> None:
    kept, other = (make_story(make_item(make_job()), tiktok_id=key) for key in "78")
    for story in (kept, other):
        make_artifact(story)
    wanted.keep_story(kept)
    jobs = [kept.item.job_id, other.item.job_id]
    assert forgetting.jobs_with_copies(kept.owner_id, jobs) == {kept.item.job_id}
    assert forgetting.jobs_with_copies(make_user("bob").pk, jobs) == frozenset()
    forgetting.forget(kept.owner_id, jobs)
    assert forgetting.jobs_with_copies(kept.owner_id, jobs) == frozenset()


def test_nobody_elses_files_are_forgotten() -> None:
    for name in ("alice", "bob"):
        story = make_story(make_item(make_job(make_user(name))), tiktok_id="7")
        make_artifact(story)
        wanted.keep_story(story)
    forgetting.forget(make_user("bob").pk, [story.item.job_id])
    removing = LibraryCopy.objects.filter(state=CopyState.REMOVING)
    assert {row.owner_id for row in removing} == {make_user("bob").pk}


def test_dropping_rows_leaves_what_is_being_removed() -> None:
    alice = make_user()
    LibraryCopy.objects.create(owner=alice, tiktok_id="7", position=1, state=CopyState.KEPT)
    LibraryCopy.objects.create(owner=alice, tiktok_id="8", position=1, state=CopyState.REMOVING)
    forgetting.drop_rows(alice.pk)
    assert LibraryCopy.objects.get().tiktok_id == "8"


@pytest.mark.parametrize(("before_s", "after_s"), [(None, None), (300, 300), (3600, 600)])
def test_who_just_writes_it_has_their_time_and_nobody_else_waits_long(
    before_s: int | None, after_s: int | None
) -> None:
    story = make_story(make_item(make_job()), tiktok_id="7")
    make_artifact(story)
    wanted.keep_story(story)
    now = timezone.now()
    before, after = (
        None if seconds is None else now + timedelta(seconds=seconds)
        for seconds in (before_s, after_s)
    )
    LibraryCopy.objects.update(not_before=before)
    forgetting.forget(story.owner_id, [story.item.job_id])
    for found in LibraryCopy.objects.values_list("not_before", flat=True):
        if after is None or found is None:
            assert found == after
        else:
            assert abs(found - after) < timedelta(minutes=1)
