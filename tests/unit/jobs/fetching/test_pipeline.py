"""Events become rows and files; what is saved stays, and nothing is written without the claim."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from jobs import tasks
from jobs.ephemeral import progress
from jobs.errors import DiskFull
from jobs.fetching import bridge, pipeline, recorder
from jobs.files import deletion, disk, store
from jobs.housekeeping import reaper, sweep
from jobs.models import Artifact, Item, ItemKind, Role, Story
from jobs.queue import actions, claims, erasure, settling, shutdown
from jobs.queue.claims import Claim, ClaimLost
from jobs.queue.settling import Outcome
from jobs.queue.shutdown import ShutdownRequested
from jobs.states import ItemState
from jobs.upstream import breaker
from jobs.zips import builder
from stories import structures
from stories.errors import (
    Gone,
    MediaCorrupt,
    MediaUnavailable,
    NoSuchAccount,
    Refused,
    StoriesError,
    TimedOut,
    TooLarge,
)
from stories.events import (
    Checking,
    Event,
    FileReady,
    Listed,
    MediaFailed,
    Resolved,
    StoryFinished,
    Transferring,
    Warned,
)
from stories.structures import Author, Media, MediaKind, MediaVariant, StoryKind, Verified
from tests.factories import make_artifact, make_item, make_job, make_story

pytestmark = pytest.mark.django_db
S = ItemState
AUTHOR = Author(id="6812345678901234567", name="sample.user", nickname="Sample\x00 Näme")
PICTURE = Verified(content_type="image/jpeg", suffix=".jpg", width=1080, height=1920)
VIDEO = Verified(
    content_type="video/mp4", suffix=".mp4", width=576, height=1024, duration_s=3, has_audio=True
)
Script = Sequence[Event | Exception | Callable[[], Event | None] | None]


def a_story(
    number: int = 1, kind: StoryKind = StoryKind.PHOTO, pictures: int = 1, **facts: Any
) -> structures.Story:
    posted = datetime(2026, 11, 20, 14, number, tzinfo=UTC)
    shows = MediaKind.VIDEO if kind is StoryKind.VIDEO else MediaKind.PICTURE
    variant = MediaVariant(urls=("https://v16.tiktokcdn.com/x",), codec="h264", size_bytes=100)
    given: dict[str, Any] = {
        "id": str(7512345678901234560 + number),
        "kind": kind,
        "author": AUTHOR,
        "posted_at": posted,
        "leaves_at": posted + timedelta(hours=24),
        "caption": "a caption",
        "media": tuple(
            Media(kind=shows, position=position, variants=(variant,))
            for position in range(1, pictures + 1)
        ),
    }
    return structures.Story(**(given | facts))


class Stage:
    """Plays scripted events to the pipeline instead of a harvest, with files in its workspace."""

    def __init__(self) -> None:
        self.script: Script = ()
        self.asked: dict[str, Any] = {}

    @contextmanager
    def stream(self, make: Callable[[Any], Any]) -> Iterator[Iterator[Event | None]]:
        """As Engine.stream."""
        make(None)
        yield self._play()

    def _play(self) -> Iterator[Event | None]:
        for event in self.script:
            if isinstance(event, Exception):
                raise event
            given = event() if callable(event) else event
            if given is not None or event is None:
                yield given

    def harvest(self, _client: Any, target: Any, **asked: Any) -> None:
        """As stories.harvest.harvest, but only remembers."""
        self.asked = {"target": target, **asked}

    def file(
        self,
        story: structures.Story,
        position: int = 1,
        role: Literal["media", "poster", "converted", "audio_track", "attached_song"] = "media",
        content: bytes = b"bytes",
        verified: Verified = PICTURE,
        labels: tuple[str, ...] = (),
    ) -> Callable[[], FileReady]:
        """A file that is made when its turn comes."""

        def make() -> FileReady:
            key, file = self.asked["workspace"].create()
            with file:
                file.write(content)
            return FileReady(
                story_id=story.id,
                position=position,
                role=role,
                key=key,
                size_bytes=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                verified=verified,
                labels=labels,
            )

        return make


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    made = Stage()
    monkeypatch.setattr(pipeline, "harvest", made.harvest)
    monkeypatch.setattr(bridge, "current", lambda: made)
    monkeypatch.setattr(pipeline, "CHECK_EVERY_S", 0)
    return made


def listed(*stories: structures.Story, **dropped: int) -> Listed:
    return Listed(author=AUTHOR, stories=stories, dropped=dropped)


def ended(story: structures.Story, saved: int = 1, error: StoriesError | None = None) -> Event:
    return StoryFinished(story_id=story.id, saved=saved, expected=len(story.media), error=error)


def run(stage: Stage, item: Item, *script: Any) -> Outcome:
    stage.script = script
    held = claims.claim(item.pk)
    assert held
    return pipeline.run(held)


def files(item: Item) -> list[tuple[str, int, str]]:
    rows = item.artifacts.filter(removed_at=None).order_by("story__position", "position", "role")
    return [(row.role, row.position, row.name) for row in rows]


def check_disk() -> None:
    """Rows and files agree, and no workspace is left."""
    kept = {one.id for group in store.walk() for one in group}
    assert set(Artifact.objects.filter(removed_at=None).values_list("pk", flat=True)) <= kept
    work = settings.STORYKEEP.artifacts / disk.WORK
    assert not work.exists() or list(work.iterdir()) == []


def test_a_whole_item(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    photo, clip = a_story(1), a_story(2, StoryKind.VIDEO)
    item = make_item(make_job(audio="m4a", prefer="highest", posts=True), name="sample.user")
    outcome = run(
        stage,
        item,
        Resolved(author=AUTHOR),
        listed(photo, clip, expired=2, foreign=1),
        None,
        Transferring(story_id=photo.id, position=1, bytes_done=5, bytes_total=5),
        Checking(story_id=photo.id, position=1),
        stage.file(photo, content=b"picture", labels=("watermarked",)),
        stage.file(photo, role="poster"),
        Warned(message="attached song not made", story_id=photo.id),
        ended(photo),
        stage.file(clip, verified=VIDEO),
        stage.file(
            clip, role="audio_track", verified=Verified(content_type="audio/mp4", suffix=".m4a")
        ),
        ended(clip),
    )
    assert outcome == Outcome(S.DONE)
    assert stage.asked["options"].prefer == "highest"
    assert (stage.asked["options"].posts, stage.asked["options"].audio) == (True, "m4a")
    assert stage.asked["target"].name == "sample.user"
    item.refresh_from_db()
    assert (item.author_id, item.author_name) == (AUTHOR.id, AUTHOR.name)
    assert item.author_nickname == "Sample  Näme"
    assert files(item) == [
        ("media", 1, "sample.user_2026-11-20_1401_01.jpg"),
        ("poster", 1, "sample.user_2026-11-20_1401_01_poster.jpg"),
        ("audio_track", 1, "sample.user_2026-11-20_1402_01.m4a"),
        ("media", 1, "sample.user_2026-11-20_1402_01.mp4"),
    ]
    row = item.artifacts.get(role=Role.MEDIA, story__position=1)
    assert (row.width, row.height, row.size_bytes, row.checked) == (1080, 1920, 7, True)
    assert row.labels == ["watermarked"]
    assert row.expires_at > timezone.now() + timedelta(hours=1)
    with store.open_artifact(row.pk) as file:
        assert file.read() == b"picture"
    assert [story.state for story in item.stories.all()] == [S.DONE, S.DONE]
    assert all(story.captured_at for story in item.stories.all())
    assert "left out: 2 expired, 1 foreign" in caplog.text
    check_disk()


def test_no_story_is_an_answer(stage: Stage) -> None:
    assert run(stage, make_item(), listed(expired=1)) == Outcome(S.EMPTY)


def test_what_failed_is_named_and_the_rest_is_kept(stage: Stage) -> None:
    photo, album = a_story(1), a_story(2, StoryKind.CAROUSEL, 3)
    item = make_item()
    error = MediaCorrupt("not a picture")
    outcome = run(
        stage,
        item,
        listed(photo, album),
        MediaFailed(story_id=photo.id, position=1, error=TooLarge()),
        ended(photo, 0, TooLarge()),
        stage.file(album, 1),
        stage.file(album, 3),
        MediaFailed(story_id=album.id, position=2, error=error),
        ended(album, 2, error),
    )
    assert outcome == Outcome(S.PARTIAL, error)  # of two errors, the one that may pass
    first, second = item.stories.order_by("position")
    assert (first.state, first.error_code) == (S.FAILED, "too_large")
    assert (second.state, second.error_code) == (S.PARTIAL, "media_corrupt")
    assert [role for role, _, _ in files(item)].count("zip") == 1
    check_disk()


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


def test_a_picture_deleted_while_its_carousel_is_packed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    album = a_story(1, StoryKind.CAROUSEL, 2)
    item = make_item()
    carousel = builder.build_carousel

    def late(*args: Any) -> Artifact:
        made = carousel(*args)
        deletion.delete(Artifact.objects.filter(role=Role.MEDIA, position=1))
        return made

    monkeypatch.setattr(recorder, "build_carousel", late)
    run(stage, item, listed(album), stage.file(album, 1), stage.file(album, 2), ended(album, 2))
    assert [(role, position) for role, position, _ in files(item)] == [("media", 2)]
    check_disk()


def test_nothing_saved_is_a_failure(stage: Stage) -> None:
    photo = a_story()
    error = MediaUnavailable()
    outcome = run(stage, make_item(), listed(photo), ended(photo, 0, error))
    assert outcome == Outcome(S.FAILED, error)


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


def test_what_is_not_listed_any_more_is_gone(stage: Stage) -> None:
    item = make_item()
    saved = make_story(item, tiktok_id="1")
    make_artifact(saved)
    make_story(item, tiktok_id="2", state=S.QUEUED)
    assert run(stage, item, listed()).state == S.PARTIAL
    assert {story.tiktok_id: story.error_code for story in item.stories.all()} == {
        "1": "",
        "2": Gone.code,
    }


def test_files_that_are_gone_are_fetched_again(stage: Stage) -> None:
    photo = a_story()
    item = make_item()
    story = make_story(item, tiktok_id=photo.id, state=S.PARTIAL)
    make_artifact(story, removed_at=timezone.now())
    assert run(stage, item, listed(photo), stage.file(photo), ended(photo)).state == S.DONE
    assert stage.asked["have"] == frozenset()
    assert len(files(item)) == 1


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
    assert Artifact.objects.filter(pk__in=[one.pk for one in old], removed_at=None).count() == 0
    kept = {one.id for group in store.walk() for one in group}
    assert kept == set(present.values_list("pk", flat=True))


def test_a_video_whose_sound_is_missing_is_fetched_again_and_kept_once(stage: Stage) -> None:
    clip = a_story(1, StoryKind.VIDEO)
    item = make_item(make_job(audio="mp3"))
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
    kept = {one.id for group in store.walk() for one in group}
    assert kept >= set(item.artifacts.values_list("pk", flat=True))


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
    kept = {one.id for group in store.walk() for one in group}
    assert kept == set(item.artifacts.values_list("pk", flat=True))
    check_disk()


def test_what_cannot_be_had_again_for_a_poster_is_still_saved(stage: Stage) -> None:
    photo = a_story()
    item = make_item(attempt=1)
    make_artifact(make_story(item, tiktok_id=photo.id, state=S.QUEUED))
    error = MediaUnavailable()
    outcome = run(
        stage,
        item,
        listed(photo),
        MediaFailed(story_id=photo.id, position=1, error=error),
        ended(photo, 0, error),
    )
    assert stage.asked["have"] == frozenset()
    assert outcome == Outcome(S.DONE)


def test_what_could_not_be_made_is_not_tried_for_ever(stage: Stage) -> None:
    done, missing = a_story(1), a_story(2)
    item = make_item(attempt=1)
    make_artifact(make_story(item, tiktok_id=done.id), content_type="image/webp")
    make_story(item, tiktok_id=missing.id, state=S.FAILED)
    run(stage, item, listed(done, missing), stage.file(missing), ended(done), ended(missing))
    assert stage.asked["have"] == {(done.id, 1)}


def test_names_are_unique_in_their_job(stage: Stage) -> None:
    photo = a_story()
    job = make_job(links=2)
    for item in job.items.all():
        run(stage, item, listed(photo), stage.file(photo), ended(photo))
    assert sorted(job.artifacts.values_list("name", flat=True)) == [
        "sample.user_2026-11-20_1401_01.jpg",
        "sample.user_2026-11-20_1401_01_2.jpg",
    ]


@pytest.mark.parametrize(
    ("was", "is_story", "becomes"),
    [
        (ItemKind.POST, True, ItemKind.STORY),
        (ItemKind.STORY, False, ItemKind.POST),
        (ItemKind.STORY, True, ItemKind.STORY),
        (ItemKind.USER, True, ItemKind.USER),
    ],
)
def test_what_a_link_turned_out_to_be(
    stage: Stage, was: ItemKind, is_story: bool, becomes: ItemKind
) -> None:
    found = a_story(is_story=is_story)
    item = make_item(kind=was)
    run(stage, item, listed(found), ended(found, 0, Gone()))
    item.refresh_from_db()
    assert item.kind == becomes


# --- interruptions ------------------------------------------------------------------------------


def test_nothing_is_written_once_the_claim_is_lost(stage: Stage) -> None:
    photo = a_story()
    item = make_item()

    def cancel() -> None:
        actions.cancel_item(item)

    with pytest.raises(ClaimLost):
        run(stage, item, listed(photo), cancel, stage.file(photo), ended(photo))
    assert files(item) == []
    assert Story.objects.get().state == S.CANCELLED
    check_disk()


def test_a_cancel_between_two_looks_is_noticed_by_the_fence(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "CHECK_EVERY_S", 1000)
    photo = a_story()
    item = make_item()

    def cancel() -> None:
        actions.cancel_item(item)

    with pytest.raises(ClaimLost):
        run(stage, item, listed(photo), cancel, stage.file(photo), ended(photo))
    assert files(item) == []
    check_disk()


def test_a_worker_that_stops_lets_go(stage: Stage) -> None:
    item = make_item()
    with pytest.raises(ShutdownRequested):
        run(stage, item, listed(a_story()), shutdown.shutdown_requested.set, None)
    check_disk()


def test_a_forgotten_item_ends_quietly(stage: Stage) -> None:
    item = make_item()
    held = claims.claim(item.pk)
    assert held
    item.job.delete()
    with pytest.raises(ClaimLost):
        pipeline.run(held)


def test_a_long_silence_keeps_the_lease(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "HEARTBEAT_EVERY_S", 0)
    item = make_item()
    old = timezone.now() - timedelta(minutes=5)

    def age() -> None:
        Item.objects.update(heartbeat_at=old)

    run(stage, item, listed(), age, None)
    item.refresh_from_db()
    assert item.heartbeat_at
    assert item.heartbeat_at > old


# --- the door -----------------------------------------------------------------------------------


def fetch(stage: Stage, *script: Any) -> Item:
    item = make_item()
    stage.script = script
    tasks.fetch_item(str(item.pk))
    item.refresh_from_db()
    return item


def test_the_task_settles_what_it_claimed(stage: Stage) -> None:
    photo = a_story()
    item = fetch(stage, listed(photo), stage.file(photo), ended(photo))
    assert (item.state, item.attempt) == (S.DONE, 1)
    assert item.job.settled_at is not None


def test_an_error_of_the_whole_item_is_its_code(stage: Stage) -> None:
    item = fetch(stage, NoSuchAccount("code 10221"))
    assert (item.state, item.error_code, item.error_detail) == (
        S.FAILED,
        "no_such_account",
        "code 10221",
    )


def test_what_is_forgotten_meanwhile_leaves_no_progress(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped: list[Any] = []
    monkeypatch.setattr(progress, "erase", dropped.append)
    photo = a_story()
    item = make_item()
    stage.script = (listed(photo), lambda: erasure.erase(item.job), stage.file(photo))
    tasks.fetch_item(str(item.pk))
    assert dropped == [item.job_id] * 2


def test_while_the_database_is_away_nothing_is_decided(stage: Stage) -> None:
    item = fetch(stage, OperationalError("database is locked"))
    assert item.state == S.RUNNING
    reaper.requeue_stalled(timezone.now() + claims.LEASE)
    item.refresh_from_db()
    assert item.state == S.QUEUED


def test_a_bug_is_an_id_for_the_reader_and_a_traceback_for_the_log(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    item = fetch(stage, ZeroDivisionError("secret"))
    assert (item.state, item.error_code) == (S.FAILED, "internal")
    assert item.error_detail in caplog.text
    assert len(item.error_detail) == 8
    assert "secret" not in item.error_detail
    (record,) = [one for one in caplog.records if one.levelname == "ERROR"]
    assert record.exc_info


def test_a_stopping_worker_releases(stage: Stage) -> None:
    item = fetch(stage, shutdown.shutdown_requested.set, None)
    assert (item.state, item.tries) == (S.QUEUED, 0)


def test_a_file_that_vanished_with_its_claim_is_no_bug(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker presumed dead comes back: its workspace is gone and the item is someone else's."""
    photo = a_story()

    def presumed_dead() -> None:
        reaper.requeue_stalled(timezone.now() + claims.LEASE)

    item = fetch(stage, listed(photo), stage.file(photo), presumed_dead, stage.file(photo), None)
    assert item.state == S.QUEUED
    assert not [one for one in caplog.records if one.levelname == "ERROR"]


def test_an_answer_ends_the_pause_for_everyone(stage: Stage) -> None:
    waiting = make_item(not_before=timezone.now() + timedelta(minutes=9), error_code="refused")
    breaker.open_for(Refused())
    breaker._local.until = 1.0  # the pause is over; this one goes first
    fetch(stage, listed())
    waiting.refresh_from_db()
    assert waiting.not_before is None
    assert breaker.open_state() is None
