"""A sound that does not arrive: its story is partial, and a later attempt can bring it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.utils import timezone

from jobs.errors import DiskFull
from jobs.fetching import coalescing
from jobs.fetching.file_rows import FileRows
from jobs.files import deletion, store
from jobs.models import Artifact, Audio, Item, Role
from jobs.queue import actions, claims, resubmission, settling, shutdown
from jobs.queue.claims import Claim
from jobs.queue.settling import Outcome
from jobs.states import ItemState
from stories.errors import MediaCorrupt, MediaUnavailable, SoundMissing, TooLarge
from stories.events import MediaFailed
from stories.structures import StoryKind
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
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

CLIP = a_story(1, StoryKind.VIDEO)
SILENT = replace(VIDEO, has_audio=False)
LABELS = ("no_sound", "sound_missing")
MISSING = SoundMissing("media_unavailable status 503")


def silent(stage: Stage) -> Any:
    return stage.file(CLIP, content=b"silent", verified=SILENT, labels=LABELS)


def first_attempt(stage: Stage, **options: Any) -> Item:
    """An item whose video came without its sound, and that waits for another attempt."""
    item = make_item(make_job(**options), name="someone")
    poster = stage.file(CLIP, role="poster", content=b"poster")
    script = (listed(CLIP), silent(stage), poster, ended(CLIP, 1, lacks=MISSING))
    outcome = run(stage, item, *script)
    assert outcome == Outcome(S.PARTIAL, MISSING)
    settling.finish(Claim(item.pk, 1), outcome)
    item.refresh_from_db()
    assert item.state == S.QUEUED, "what is missing may still come"
    Item.objects.update(not_before=None)
    return item


def state(item: Item) -> tuple[str, str]:
    story = item.stories.get()
    return story.state, story.error_code


def the_video(item: Item) -> Artifact:
    return Artifact.objects.present().get(item=item, role=Role.MEDIA)


def content_of(artifact: Artifact) -> bytes:
    with store.open_artifact(artifact.pk) as file:
        return file.read()


def test_a_silent_file_makes_the_story_partial_and_is_kept(stage: Stage) -> None:
    item = first_attempt(stage)
    assert state(item) == (S.PARTIAL, "sound_missing")
    assert content_of(the_video(item)) == b"silent"


def test_the_file_with_its_sound_replaces_the_silent_one(stage: Stage) -> None:
    item = first_attempt(stage)
    old = the_video(item)
    loud = stage.file(CLIP, content=b"with sound", verified=VIDEO)
    poster = stage.file(CLIP, role="poster", content=b"poster")
    assert run(stage, item, listed(CLIP), loud, poster, ended(CLIP)) == Outcome(S.DONE)
    assert stage.asked["have"] == frozenset()
    new = the_video(item)
    assert (new.pk != old.pk, content_of(new), new.has_audio) == (True, b"with sound", True)
    assert state(item) == (S.DONE, "")
    assert [role for role, _, _ in files(item)] == ["media", "poster"]
    with pytest.raises(FileNotFoundError):
        content_of(old)
    check_disk()

    Item.objects.update(state=S.QUEUED)
    run(stage, item, listed(CLIP), ended(CLIP))
    assert stage.asked["have"] == frozenset({(CLIP.id, 1)})


def test_the_silent_file_stays_when_there_is_no_room_for_the_one_with_its_sound(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The room was taken by another process, after it was reserved here."""
    item = first_attempt(stage)
    old = the_video(item)

    def full(_rows: FileRows, inserted: list[Artifact]) -> None:
        if any(artifact.role == Role.MEDIA for artifact in inserted):
            raise DiskFull("the limit for saved files is reached")

    monkeypatch.setattr(FileRows, "_require_room", full)
    loud = stage.file(CLIP, content=b"with sound", verified=VIDEO)
    outcome = run(stage, item, listed(CLIP), loud, ended(CLIP))
    assert outcome.state == S.PARTIAL
    assert isinstance(outcome.error, DiskFull)
    assert state(item) == (S.PARTIAL, "disk_full")
    assert (the_video(item), content_of(old)) == (old, b"silent")
    check_disk()


def test_an_attempt_that_is_silent_again_leaves_one_file_and_the_story_partial(
    stage: Stage,
) -> None:
    item = first_attempt(stage)
    old = the_video(item)
    outcome = run(stage, item, listed(CLIP), silent(stage), ended(CLIP, 1, lacks=MISSING))
    assert outcome == Outcome(S.PARTIAL, MISSING)
    assert the_video(item) == old
    check_disk()


def test_an_attempt_that_brings_nothing_loses_nothing_and_is_not_done(stage: Stage) -> None:
    item = first_attempt(stage)
    error = MediaUnavailable("status 403")
    failed = MediaFailed(story_id=CLIP.id, position=1, error=error)
    outcome = run(stage, item, listed(CLIP), failed, ended(CLIP, 0, error))
    assert outcome == Outcome(S.PARTIAL, error)
    assert content_of(the_video(item)) == b"silent"


def test_a_silent_file_deleted_on_purpose_is_not_fetched_again(stage: Stage) -> None:
    item = first_attempt(stage)
    deletion.delete_job_files(item.job)
    run(stage, item, listed(CLIP), ended(CLIP))
    assert stage.asked["have"] == frozenset({(CLIP.id, 1)})


def test_a_sound_too_large_for_us_is_final(stage: Stage) -> None:
    item = make_item()
    outcome = run(stage, item, listed(CLIP), silent(stage), ended(CLIP, 1, lacks=TooLarge()))
    settling.finish(Claim(item.pk, 1), outcome)
    item.refresh_from_db()
    assert (item.state, item.error_code) == (S.PARTIAL, "too_large")


def test_a_song_that_was_asked_for_is_fetched_by_the_next_attempt(stage: Stage) -> None:
    photo = a_story(2)
    item = make_item(make_job(audio=Audio.MP3))
    outcome = run(stage, item, listed(photo), stage.file(photo), ended(photo, 1, lacks=MISSING))
    assert outcome == Outcome(S.PARTIAL, MISSING)
    settling.finish(Claim(item.pk, 1), outcome)
    Item.objects.update(not_before=None)
    song = stage.file(photo, 0, role="attached_song", verified=VIDEO)
    assert run(stage, item, listed(photo), song, ended(photo)) == Outcome(S.DONE)
    assert stage.asked["have"] == frozenset({(photo.id, 1)})


def test_a_sound_track_that_was_asked_for_is_made_by_the_next_attempt(stage: Stage) -> None:
    item = make_item(make_job(audio=Audio.MP3))
    video = stage.file(CLIP, verified=VIDEO)
    outcome = run(stage, item, listed(CLIP), video, ended(CLIP, 1, lacks=MISSING))
    settling.finish(Claim(item.pk, 1), outcome)
    Item.objects.update(not_before=None)
    track = stage.file(CLIP, role="audio_track", verified=VIDEO)
    assert run(stage, item, listed(CLIP), track, ended(CLIP)) == Outcome(S.DONE)
    assert stage.asked["have"] == frozenset()


def test_fetching_the_rest_asks_for_the_sound_again(stage: Stage) -> None:
    old = make_item(name="someone", state=S.CANCELLED)
    row = make_story(old, tiktok_id=CLIP.id, kind=StoryKind.VIDEO, state=S.PARTIAL)
    make_artifact(row, content=b"silent", labels=list(LABELS))
    make_artifact(row, content=b"poster", role=Role.POSTER, position=1)
    job = resubmission.refetch(old.job)
    assert job
    loud = stage.file(CLIP, content=b"with sound", verified=VIDEO)
    assert run(stage, job.items.get(), listed(CLIP), loud, ended(CLIP)) == Outcome(S.DONE)
    assert stage.asked["have"] == frozenset()


def test_a_retry_by_hand_asks_for_the_sound_again(stage: Stage) -> None:
    item = first_attempt(stage)
    Item.objects.update(tries=9)
    again = run(stage, item, listed(CLIP), silent(stage), ended(CLIP, 1, lacks=MISSING))
    settling.finish(Claim(item.pk, 2), again)
    item.refresh_from_db()
    assert (item.state, item.error_code) == (S.PARTIAL, "sound_missing")
    actions.retry_item(item)
    loud = stage.file(CLIP, content=b"with sound", verified=VIDEO)
    assert run(stage, item, listed(CLIP), loud, ended(CLIP)) == Outcome(S.DONE)
    assert content_of(the_video(item)) == b"with sound"


def test_a_track_that_cannot_be_made_of_anothers_video_is_no_whole_result(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for another's files then fetches the video itself, and says what is missing."""
    monkeypatch.setattr(coalescing, "POLL_EVERY_S", 0)
    leader = make_item(make_job(make_user("alice")), name="someone", state=S.RUNNING)
    key = coalescing.fetch_key(leader)
    assert claims.try_lead(Claim(leader.pk, leader.attempt), key)
    Item.objects.filter(pk=leader.pk).update(listed_at=timezone.now(), author_name="someone")
    row = make_story(leader, tiktok_id=CLIP.id, kind=StoryKind.VIDEO)
    make_artifact(row, content=b"video", content_type="video/mp4", has_audio=True, name="a.mp4")

    def wait(_seconds: float) -> bool:
        Item.objects.filter(pk=leader.pk).update(fetch_key=None, state=S.DONE)
        return False

    def broken(*_: Any) -> Any:
        raise MediaCorrupt("no")

    monkeypatch.setattr(shutdown.shutdown_requested, "wait", wait)
    monkeypatch.setattr("stories.media.derive.audio_track", broken)
    follower = make_item(make_job(make_user("bob"), audio=Audio.MP3), name="someone")
    outcome = run(stage, follower, listed(CLIP), ended(CLIP, 1, lacks=MISSING))
    assert stage.asked["have"] == frozenset()
    assert outcome == Outcome(S.PARTIAL, MISSING)
    assert content_of(the_video(follower)) == b"video"
