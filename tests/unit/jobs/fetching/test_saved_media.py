"""What an item has already: it is not fetched again, unless something made of it is missing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.ephemeral import clock
from jobs.ephemeral.clock import ClockWatch
from jobs.errors import DiskFull
from jobs.files import deletion, store
from jobs.housekeeping import sweep
from jobs.models import Artifact, Item, Role
from jobs.queue import actions, settling
from jobs.queue.claims import Claim
from jobs.queue.settling import Outcome
from jobs.queue.shutdown import ShutdownRequested
from jobs.states import ItemState
from stories.errors import MediaCorrupt, TimedOut, TooLarge
from stories.structures import StoryKind, Verified
from tests.factories import make_artifact, make_item, make_job, make_story
from tests.unit.jobs.fetching.stage import (
    VIDEO,
    Stage,
    a_story,
    check_disk,
    ended,
    files,
    listed,
    run,
)

pytestmark = pytest.mark.django_db
S = ItemState


def test_what_was_deleted_while_it_waits_comes_back_only_when_asked_for(stage: Stage) -> None:
    first, second = a_story(1), a_story(2)
    item = make_item()
    lost = (listed(first, second), stage.file(first), ended(first), ended(second, 0, TimedOut()))
    settling.finish(Claim(item.pk, 1), run(stage, item, *lost))
    deletion.delete_job_files(item.job)
    Item.objects.update(not_before=None)
    outcome = run(stage, item, listed(first, second), ended(first), ended(second, 0, DiskFull()))
    assert stage.asked["have"] == {(first.id, 1)}
    settling.finish(Claim(item.pk, 2), outcome)
    item.refresh_from_db()
    assert item.state == S.PARTIAL

    actions.retry_item(item)
    run(stage, item, listed(first, second), ended(first, 0, TooLarge()), ended(second, 0))
    assert stage.asked["have"] == set()


def test_what_a_power_cut_took_is_fetched_again(stage: Stage) -> None:
    first, second = a_story(1), a_story(2)
    item = make_item()
    lost = (listed(first, second), stage.file(first), ended(first), ended(second, 0, TimedOut()))
    settling.finish(Claim(item.pk, 1), run(stage, item, *lost))
    store.remove(item.artifacts.get().pk)
    assert sweep.sweep(timezone.now()).orphan_rows == 1
    Item.objects.update(not_before=None)
    run(stage, item, listed(first, second), ended(first, 0, TooLarge()), ended(second, 0))
    assert stage.asked["have"] == set()


def test_a_second_attempt_keeps_positions_and_fetches_only_what_is_missing(stage: Stage) -> None:
    album, late = a_story(2, StoryKind.CAROUSEL, 2), a_story(1)
    item = make_item()
    settling.finish(
        Claim(item.pk, 1),
        run(stage, item, listed(album), stage.file(album, 1), ended(album, 1, MediaCorrupt())),
    )
    Item.objects.update(not_before=None)
    (before,) = item.artifacts.filter(role=Role.ZIP)

    outcome = run(
        stage,
        item,
        listed(late, album),  # one that was posted earlier, and only listed now
        stage.file(album, 2),
        ended(album, 2),
        stage.file(late),
        ended(late),
    )
    assert stage.asked["have"] == {(album.id, 1)}
    assert outcome == Outcome(S.DONE)
    assert list(item.stories.order_by("position").values_list("tiktok_id", flat=True)) == [
        album.id,
        late.id,
    ]
    assert [(role, position) for role, position, _ in files(item)] == [
        ("zip", 0),
        ("media", 1),
        ("media", 2),
        ("media", 1),
    ]
    before.refresh_from_db()
    assert before.removed_at is not None  # the ZIP that lacked a picture
    assert store.size(before.pk) is None
    check_disk()


def test_files_that_are_gone_are_fetched_again(stage: Stage) -> None:
    photo = a_story()
    item = make_item(attempt=1)
    story = make_story(item, tiktok_id=photo.id, state=S.PARTIAL)
    expired_at = timezone.now()
    make_artifact(story, expires_at=expired_at, removed_at=expired_at)
    assert run(stage, item, listed(photo), stage.file(photo), ended(photo)).state == S.DONE
    assert stage.asked["have"] == frozenset()
    assert len(files(item)) == 1


def test_what_a_clock_set_forward_takes_for_expired_is_not_deleted_and_not_fetched_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would not come back when the clock is put right, and may have left TikTok by then."""
    system = [0.0]
    monkeypatch.setattr(clock, "watch", ClockWatch(lambda: system[0], lambda: 0.0))
    first, second = a_story(1), a_story(2)
    item = make_item()
    lost = (listed(first, second), stage.file(first), ended(first), ended(second, 0, TimedOut()))
    settling.finish(Claim(item.pk, 1), run(stage, item, *lost))
    saved = item.artifacts.get()
    Artifact.objects.update(expires_at=timezone.now())
    Item.objects.update(not_before=None)
    system[0] += 48 * 60 * 60
    run(stage, item, listed(first, second), ended(first), ended(second, 0, TimedOut()))
    assert stage.asked["have"] == {(first.id, 1)}
    assert store.size(saved.pk)
    assert item.artifacts.get().removed_at is None


def test_files_that_expired_and_were_not_swept_yet_make_room(stage: Stage) -> None:
    photo = a_story()
    item = make_item(attempt=1, name="sample.user")
    story = make_story(item, tiktok_id=photo.id, state=S.PARTIAL)
    past = timezone.now() - timedelta(seconds=1)
    old = [make_artifact(story, content=b"old", expires_at=past, role=role, position=1)
           for role in (Role.MEDIA, Role.POSTER)]  # fmt: skip
    outcome = run(
        stage,
        item,
        listed(photo),
        stage.file(photo),
        stage.file(photo, role="poster"),
        ended(photo),
    )
    assert outcome == Outcome(S.DONE)
    assert stage.asked["have"] == frozenset()
    present = item.artifacts.filter(expires_at__gt=timezone.now(), removed_at=None)
    assert sorted(present.values_list("role", flat=True)) == ["media", "poster"]
    assert Artifact.objects.filter(pk__in=[file.pk for file in old], removed_at=None).count() == 0
    stored = {file.id for folder in store.walk() for file in folder}
    assert stored == set(present.values_list("pk", flat=True))


def test_a_video_whose_sound_is_missing_is_fetched_again_and_kept_once(stage: Stage) -> None:
    clip = a_story(1, StoryKind.VIDEO)
    item = make_item(make_job(audio="mp3"), attempt=1)
    story = make_story(item, tiktok_id=clip.id, state=S.QUEUED)
    make_artifact(
        story, has_audio=True, content=b"video", name="sample.user_2026-11-20_1401_01.mp4"
    )
    sound = Verified(content_type="audio/mpeg", suffix=".mp3")
    outcome = run(
        stage,
        item,
        listed(clip),
        stage.file(clip, verified=VIDEO),
        stage.file(clip, role="audio_track", verified=sound),
        ended(clip),
    )
    assert outcome == Outcome(S.DONE)
    assert stage.asked["have"] == frozenset()
    assert [role for role, _, _ in files(item)] == ["audio_track", "media"]
    check_disk()
    stored = {file.id for folder in store.walk() for file in folder}
    assert stored >= set(item.artifacts.values_list("pk", flat=True))


def test_a_worker_that_died_between_a_picture_and_what_is_made_of_it(stage: Stage) -> None:
    photo = a_story()
    webp = Verified(content_type="image/webp", suffix=".webp", width=1080, height=1920)
    item = make_item(name="sample.user")
    with pytest.raises(ShutdownRequested):
        run(stage, item, listed(photo), stage.file(photo, verified=webp), ShutdownRequested())
    Item.objects.update(state=S.QUEUED)
    (first,) = item.artifacts.all()

    outcome = run(
        stage,
        item,
        listed(photo),
        stage.file(photo, verified=webp),
        stage.file(photo, role="poster"),
        stage.file(photo, role="converted"),
        ended(photo),
    )
    assert stage.asked["have"] == frozenset()
    assert outcome == Outcome(S.DONE)
    assert [role for role, _, _ in files(item)] == ["converted", "media", "poster"]
    assert item.artifacts.get(role=Role.MEDIA) == first
    stored = {file.id for folder in store.walk() for file in folder}
    assert stored == set(item.artifacts.values_list("pk", flat=True))
    check_disk()


def test_what_could_not_be_made_is_not_tried_for_ever(stage: Stage) -> None:
    done, missing = a_story(1), a_story(2)
    item = make_item(attempt=1)
    make_artifact(make_story(item, tiktok_id=done.id), content_type="image/webp")
    make_story(item, tiktok_id=missing.id, state=S.FAILED)
    run(stage, item, listed(done, missing), stage.file(missing), ended(done), ended(missing))
    assert stage.asked["have"] == {(done.id, 1)}
