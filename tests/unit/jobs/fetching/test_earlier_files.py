"""Fetching the rest of a line: what an earlier job saved of it is linked, not fetched again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.errors import QuotaExceeded
from jobs.files import deletion, store
from jobs.models import Artifact, Audio, Item, Prefer, Quota, Role
from jobs.queue import actions, resubmission
from jobs.queue.settling import Outcome
from jobs.states import ItemState
from stories.structures import StoryKind
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from tests.unit.jobs.fetching.stage import Stage, a_story, check_disk, ended, files, listed, run

pytestmark = pytest.mark.django_db
S = ItemState


def stopped(**options: Any) -> Item:
    """A line that was cancelled when the first of two photos had been saved."""
    item = make_item(make_job(**options), name="someone", state=S.CANCELLED)
    story = make_story(item, tiktok_id=a_story(1).id, state=S.CANCELLED)
    make_artifact(story, content=b"first", name="first.jpg")
    make_artifact(story, content=b"small", name="poster.jpg", role=Role.POSTER, position=1)
    make_story(item, tiktok_id=a_story(2).id, state=S.CANCELLED)
    return item


def rest_of(item: Item) -> Item:
    """The line of the job that fetches the rest."""
    job = resubmission.refetch(item.job)
    assert job
    return job.items.get()


def test_only_what_is_missing_is_fetched_and_the_new_job_has_everything(stage: Stage) -> None:
    old = stopped()
    first, second = a_story(1), a_story(2)
    new = rest_of(old)
    outcome = run(
        stage, new, listed(first, second), ended(first), stage.file(second), ended(second)
    )
    assert outcome == Outcome(S.DONE)
    assert stage.asked["have"] == frozenset({(first.id, 1)})
    assert [(role, position) for role, position, _ in files(new)] == [
        ("media", 1),
        ("poster", 1),
        ("media", 1),
    ]
    kept = new.artifacts.get(role=Role.MEDIA, story__tiktok_id=first.id)
    deletion.delete_job_files(old.job)
    with store.open_artifact(kept.pk) as file:
        assert file.read() == b"first", "it does not hang on the earlier job"
    check_disk()


def test_a_rest_that_was_stopped_before_its_list_came(stage: Stage) -> None:
    old = stopped()
    first, second = a_story(1), a_story(2)
    middle = rest_of(old)
    actions.cancel(middle.job)
    new = rest_of(middle)
    run(stage, new, listed(first, second), ended(first), stage.file(second), ended(second))
    assert stage.asked["have"] == frozenset({(first.id, 1)})
    assert new.artifacts.filter(role=Role.MEDIA).count() == 2


def test_a_rest_that_saved_another_part_before_it_was_stopped(stage: Stage) -> None:
    """The first photo is with the first job alone: TikTok did not list it to the second."""
    old = stopped()
    first, second, third = (a_story(number) for number in (1, 2, 3))
    middle = rest_of(old)
    run(stage, middle, listed(second, held_back=1), stage.file(second), ended(second))
    Item.objects.filter(pk=middle.pk).update(state=S.CANCELLED)
    new = rest_of(middle)
    run(
        stage, new, listed(first, second, third),
        ended(first), ended(second), stage.file(third), ended(third),
    )  # fmt: skip
    assert stage.asked["have"] == frozenset({(first.id, 1), (second.id, 1)})
    assert new.artifacts.filter(role=Role.MEDIA).count() == 3
    check_disk()


def test_what_has_no_room_in_the_quota_does_not_end_the_line(stage: Stage) -> None:
    old = stopped()
    first, second = a_story(1), a_story(2)
    new = rest_of(old)
    Quota.objects.create(owner=old.owner, stored_bytes=2 * len(b"first") - 1)
    arriving = stage.file(second, content=b"2nd")
    outcome = run(
        stage, new, listed(first, second),
        ended(first, 0, QuotaExceeded()), arriving, ended(second),
    )  # fmt: skip
    assert stage.asked["have"] == frozenset()
    assert outcome.state == S.PARTIAL
    assert new.artifacts.filter(role=Role.MEDIA, story__tiktok_id=second.id).exists()
    check_disk()


def test_of_a_carousel_only_the_photos_that_did_not_arrive_are_fetched(stage: Stage) -> None:
    album = a_story(1, StoryKind.CAROUSEL, 3)
    old = make_item(name="someone", state=S.CANCELLED)
    row = make_story(
        old, tiktok_id=album.id, kind=StoryKind.CAROUSEL, media_count=3, state=S.CANCELLED
    )
    make_artifact(row, content=b"one")
    make_artifact(row, content=b"poster", role=Role.POSTER, position=1)
    make_artifact(row, content=b"three", position=3)
    new = rest_of(old)
    assert run(stage, new, listed(album), stage.file(album, 2), ended(album, 3)).state == S.DONE
    assert stage.asked["have"] == frozenset({(album.id, 1), (album.id, 3)})
    assert [role for role, _, _ in files(new)].count("media") == 3
    assert [role for role, _, _ in files(new)].count("zip") == 1


def test_what_was_deleted_since_is_fetched_again(stage: Stage) -> None:
    old = stopped()
    deletion.delete(Artifact.objects.filter(role=Role.MEDIA))
    first = a_story(1)
    new = rest_of(old)
    run(stage, new, listed(first), stage.file(first), ended(first))
    assert stage.asked["have"] == frozenset()


def test_what_lost_its_bytes_is_fetched_again(stage: Stage) -> None:
    first = a_story(1)
    old = stopped()
    store.remove(Artifact.objects.get(role=Role.MEDIA).pk)
    run(stage, rest_of(old), listed(first), stage.file(first), ended(first))
    assert stage.asked["have"] == frozenset()
    stored = {file.id for folder in store.walk() for file in folder}
    assert stored <= set(Artifact.objects.values_list("pk", flat=True))


def test_what_expired_is_fetched_again(stage: Stage) -> None:
    first = a_story(1)
    old = stopped()
    old.artifacts.update(expires_at=timezone.now() - timedelta(seconds=1))
    run(stage, rest_of(old), listed(first), stage.file(first), ended(first))
    assert stage.asked["have"] == frozenset()


def test_a_story_that_has_left_tiktok_stays_with_the_earlier_job(stage: Stage) -> None:
    old = stopped()
    second = a_story(2)
    new = rest_of(old)
    run(stage, new, listed(second), stage.file(second), ended(second))
    assert [role for role, _, _ in files(new)] == ["media"]
    assert old.artifacts.filter(removed_at=None).count() == 2
    check_disk()


def test_a_later_attempt_does_not_link_it_twice(stage: Stage) -> None:
    first, second = a_story(1), a_story(2)
    new = rest_of(stopped())
    run(stage, new, listed(first, second, held_back=1), ended(first))
    actions.requeue(Item.objects.filter(pk=new.pk))
    run(stage, new, listed(first, second), ended(first), stage.file(second), ended(second))
    assert stage.asked["have"] == frozenset({(first.id, 1)})
    assert new.artifacts.filter(role=Role.MEDIA).count() == 2
    check_disk()


@pytest.mark.parametrize("other", [{"prefer": Prefer.HIGHEST}, {"audio": Audio.MP3}])
def test_with_other_options_it_is_another_file(stage: Stage, other: dict[str, Any]) -> None:
    first = a_story(1)
    new = rest_of(stopped())
    new.job.__class__.objects.filter(pk=new.job_id).update(**other)
    run(stage, new, listed(first), stage.file(first), ended(first))
    assert stage.asked["have"] == frozenset()


def test_nobody_elses_files_are_linked(stage: Stage) -> None:
    bobs = stopped(owner=make_user("bob"))
    first = a_story(1)
    mine = make_item(name="someone", refetch_of=bobs.pk)
    run(stage, mine, listed(first), stage.file(first), ended(first))
    assert stage.asked["have"] == frozenset()


def test_an_erased_job_leaves_nothing_to_link(stage: Stage) -> None:
    old = stopped()
    new = rest_of(old)
    old.job.delete()
    first = a_story(1)
    assert run(stage, new, listed(first), stage.file(first), ended(first)).state == S.DONE
    assert stage.asked["have"] == frozenset()
