"""What is missing beside a saved file is made of it: the file is not fetched a second time."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any, Literal

import pytest
from django.utils import timezone
from PIL import Image

from jobs.fetching import coalescing, derived_files
from jobs.files import store
from jobs.files.workspace import Workspace
from jobs.models import Artifact, Audio, Item, Job, Role, Story
from jobs.queue import actions, claims, shutdown
from jobs.queue.claims import Claim
from jobs.queue.settling import Outcome
from jobs.queue.shutdown import ShutdownRequested
from jobs.states import ItemState
from stories.errors import MediaCorrupt
from stories.events import FileReady
from stories.structures import StoryKind, Verified
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from tests.fake_tiktok import media
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

PHOTO, CLIP = a_story(1), a_story(2, StoryKind.VIDEO)
SIZE = (144, 256)
WEBP = Verified(content_type="image/webp", suffix=".webp", width=SIZE[0], height=SIZE[1])


def webp() -> bytes:
    return media.picture("webp", SIZE)


def clip() -> bytes:
    return media.video(1, SIZE)


def saved_photo(item: Item, *roles: Role, state: ItemState = S.QUEUED) -> Story:
    """A WebP picture of the item, and those of the files made of it."""
    story = make_story(item, tiktok_id=PHOTO.id, state=state)
    make_artifact(story, content=webp(), content_type="image/webp", name="someone_01.webp")
    for role in roles:
        make_artifact(story, content=b"small", role=role, position=1)
    return story


def saved_clip(item: Item, state: ItemState = S.QUEUED, **facts: Any) -> Story:
    """A video of the item, with its poster."""
    story = make_story(item, tiktok_id=CLIP.id, kind=StoryKind.VIDEO, state=state)
    facts = {"content": clip(), "has_audio": True, **facts}
    make_artifact(story, content_type="video/mp4", name="someone_02.mp4", **facts)
    make_artifact(story, content=b"small", role=Role.POSTER, position=1)
    return story


def content_of(artifact: Artifact) -> bytes:
    with store.open_artifact(artifact.pk) as file:
        return file.read()


def the_jpeg(item: Item) -> Artifact:
    """The item's JPEG beside its picture: one that opens, with the facts its row says."""
    artifact = item.artifacts.get(role=Role.CONVERTED)
    content = content_of(artifact)
    assert artifact.sha256 == hashlib.sha256(content).hexdigest()
    assert (artifact.size_bytes, artifact.labels) == (len(content), ["converted"])
    with store.open_artifact(artifact.pk) as file, Image.open(file) as picture:
        assert (picture.format, picture.size) == ("JPEG", SIZE)
    return artifact


# --- an item that takes over from its leader ------------------------------------------------------


@pytest.fixture
def leader(monkeypatch: pytest.MonkeyPatch) -> Item:
    """Alice's item, with its list; cancelled while another one waits for what it saves."""
    monkeypatch.setattr(coalescing, "POLL_EVERY_S", 0)
    item = make_item(make_job(make_user("alice")), name="someone", state=S.RUNNING)
    assert claims.try_lead(Claim(item.pk, item.attempt), coalescing.fetch_key(item))
    Item.objects.filter(pk=item.pk).update(listed_at=timezone.now(), author_name="someone")

    def wait(_seconds: float) -> bool:
        actions.cancel(item.job)
        return False

    monkeypatch.setattr(shutdown.shutdown_requested, "wait", wait)
    return item


def a_follower(**options: Any) -> Item:
    return make_item(make_job(make_user("bob"), **options), name="someone")


@pytest.mark.parametrize("made", [(), (Role.POSTER,)])
def test_a_leader_cancelled_before_its_jpeg_was_made(
    stage: Stage, leader: Item, made: tuple[Role, ...]
) -> None:
    saved_photo(leader, *made)
    bob = a_follower()
    assert run(stage, bob, listed(PHOTO), ended(PHOTO)) == Outcome(S.DONE)
    assert stage.asked["have"] == {(PHOTO.id, 1)}
    assert [role for role, _, _ in files(bob)] == ["converted", "media", "poster"]
    the_jpeg(bob)
    check_disk()


@pytest.mark.parametrize(
    ("audio", "content_type"), [(Audio.M4A, "audio/mp4"), (Audio.MP3, "audio/mpeg")]
)
def test_a_leader_cancelled_before_its_sound_was_made(
    stage: Stage, leader: Item, audio: Audio, content_type: str
) -> None:
    Job.objects.filter(pk=leader.job_id).update(audio=audio)
    saved_clip(leader)
    bob = a_follower(audio=audio)
    assert run(stage, bob, listed(CLIP), ended(CLIP)) == Outcome(S.DONE)
    assert stage.asked["have"] == {(CLIP.id, 1)}
    track = bob.artifacts.get(role=Role.AUDIO_TRACK)
    assert (track.content_type, track.checked) == (content_type, True)
    check_disk()


def test_what_the_follower_makes_is_told_to_who_follows_it(stage: Stage, leader: Item) -> None:
    saved_photo(leader, Role.POSTER)
    bob = a_follower()
    seen: list[str] = []

    def look() -> None:
        """Carol's look at Bob's item, once it has a list of its own."""
        attempt = coalescing.find_leader(coalescing.fetch_key(bob), Audio.NONE)
        assert attempt
        with Workspace("carol.1") as workspace:
            for event in attempt.events(workspace):
                if event is None:
                    return
                seen.append(getattr(event, "role", ""))

    run(stage, bob, listed(PHOTO), look, ended(PHOTO))
    assert {"media", "poster", "converted"} <= set(seen)


# --- a later attempt ------------------------------------------------------------------------------


def test_a_worker_that_ended_between_a_picture_and_its_jpeg(stage: Stage) -> None:
    item = make_item(name="sample.user")
    picture = stage.file(PHOTO, content=webp(), verified=WEBP)
    with pytest.raises(ShutdownRequested):
        run(stage, item, listed(PHOTO), picture, ShutdownRequested())
    Item.objects.update(state=S.QUEUED)
    assert run(stage, item, listed(PHOTO), ended(PHOTO)) == Outcome(S.DONE)
    assert stage.asked["have"] == {(PHOTO.id, 1)}
    assert [role for role, _, _ in files(item)] == ["converted", "media", "poster"]
    the_jpeg(item)
    check_disk()


def test_what_is_made_stays_when_there_is_no_list_any_more(stage: Stage) -> None:
    item = make_item(attempt=1, name="someone")
    saved_photo(item, Role.POSTER)
    with pytest.raises(ShutdownRequested):
        run(stage, item, ShutdownRequested())
    the_jpeg(item)


# --- what is fetched all the same -----------------------------------------------------------------


def test_a_saved_file_that_cannot_be_read_is_fetched_again(stage: Stage) -> None:
    item = make_item(attempt=1, name="someone")
    story = saved_photo(item, Role.POSTER)
    broken = story.artifacts.get(role=Role.MEDIA)
    store.remove(broken.pk)
    run(stage, item, listed(PHOTO), ended(PHOTO))
    assert stage.asked["have"] == frozenset()


def test_of_several_files_each_is_made_for_itself(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise MediaCorrupt("no")

    monkeypatch.setattr("stories.media.derive.as_jpeg", broken)
    item = make_item(make_job(audio=Audio.MP3), attempt=1, name="someone")
    saved_photo(item)
    saved_clip(item)
    run(stage, item, listed(PHOTO, CLIP), ended(PHOTO), ended(CLIP))
    assert stage.asked["have"] == {(CLIP.id, 1)}
    roles = sorted(item.artifacts.exclude(role=Role.MEDIA).values_list("role", flat=True))
    assert roles == ["audio_track", "poster", "poster"]
    check_disk()


def test_a_silent_file_is_fetched_with_its_sound(stage: Stage) -> None:
    item = make_item(make_job(audio=Audio.MP3), attempt=1, name="someone")
    saved_clip(item, labels=["sound_missing"])
    run(stage, item, listed(CLIP), ended(CLIP))
    assert stage.asked["have"] == frozenset()
    assert not item.artifacts.filter(role=Role.AUDIO_TRACK).exists()


def test_what_was_deleted_on_purpose_is_not_made_of(stage: Stage) -> None:
    item = make_item(attempt=1, name="someone")
    story = saved_photo(item)
    now = timezone.now()
    story.artifacts.update(removed_at=now, expires_at=now + timedelta(hours=1))
    run(stage, item, listed(PHOTO), ended(PHOTO))
    assert stage.asked["have"] == {(PHOTO.id, 1)}
    assert files(item) == []


@pytest.mark.parametrize("state", [S.DONE, S.PARTIAL])
def test_of_a_story_that_is_closed_nothing_is_made(stage: Stage, state: ItemState) -> None:
    """What is missing there could not be made, and is not tried for ever."""
    item = make_item(attempt=1, name="someone")
    saved_photo(item, Role.POSTER, state=state)
    run(stage, item, listed(PHOTO), ended(PHOTO))
    assert stage.asked["have"] == {(PHOTO.id, 1)}
    assert not item.artifacts.filter(role=Role.CONVERTED).exists()


# --- a track of another item's video --------------------------------------------------------------


@pytest.mark.parametrize("form", ["m4a", "mp3"])
def test_a_track_is_a_file_of_the_workspace(form: Literal["m4a", "mp3"]) -> None:
    with Workspace("bob.1") as workspace:
        key, file = workspace.create()
        with file:
            file.write(clip())
        video = FileReady(
            story_id=CLIP.id,
            position=1,
            role="media",
            key=key,
            size_bytes=len(clip()),
            sha256="",
            verified=VIDEO,
        )
        track = derived_files.make_audio(video, form, workspace)
        assert track
        assert (track.story_id, track.position, track.role) == (CLIP.id, 1, "audio_track")
        with workspace.open(track.key) as made:
            assert hashlib.sha256(made.read()).hexdigest() == track.sha256
