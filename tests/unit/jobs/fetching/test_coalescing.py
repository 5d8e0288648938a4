"""One leads, others follow: who, when, and what is reused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.utils import timezone

from jobs.ephemeral import progress
from jobs.errors import QuotaExceeded
from jobs.fetching import coalescing, pipeline, recorder
from jobs.files import capacity, store
from jobs.files.workspace import Workspace
from jobs.housekeeping import reaper
from jobs.models import Artifact, Audio, Item, ItemKind, Prefer, Quota, Role, Story, StoryKind
from jobs.queue import actions, backoff, claims, settling, shutdown
from jobs.queue.claims import Claim, ClaimLost
from jobs.queue.settling import Outcome
from jobs.states import ItemState
from stories.errors import NoSuchAccount
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from tests.fake_tiktok import media

pytestmark = pytest.mark.django_db
S = ItemState


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coalescing, "POLL_EVERY_S", 0)


def running(owner: str = "alice", **options: Any) -> Item:
    """A claimed item for the author `someone`."""
    return make_item(make_job(make_user(owner), **options), name="someone", state=S.RUNNING)


def claim_of(item: Item) -> Claim:
    return Claim(item.pk, item.attempt)


def lead(item: Item) -> bool:
    return claims.try_lead(claim_of(item), coalescing.fetch_key(item))


@pytest.fixture
def leader() -> Item:
    """Alice's item; it leads, and has its list and a photo with a poster."""
    item = running()
    assert lead(item)
    Item.objects.filter(pk=item.pk).update(
        listed_at=timezone.now(), author_id="1", author_name="someone", author_nickname="Some One"
    )
    story = make_story(item, tiktok_id="77", caption="hi")
    make_artifact(story, content=b"photo", name="someone_01.jpg", labels=["watermarked"])
    make_artifact(story, content=b"small", name="someone_01.jpg", role=Role.POSTER, position=1)
    return item


def follow(item: Item, **how: Any) -> Outcome:
    """The pipeline's outcome for an item that is to need no harvest."""
    return pipeline.run(claim_of(item), **how)


def settle(item: Item, state: ItemState, **facts: Any) -> None:
    Item.objects.filter(pk=item.pk).update(state=state, fetch_key=None, **facts)


# --- who leads ---


def test_one_leads_and_the_others_do_not() -> None:
    first, second = running(), running("bob")
    assert lead(first)
    assert not lead(second)
    leader = coalescing.find_leader(coalescing.fetch_key(second), Audio.NONE)
    assert leader
    assert not leader.listed_before(timezone.now())
    settling.fail(claim_of(first), NoSuchAccount())
    assert lead(second)


def test_another_rendition_has_another_leader() -> None:
    assert lead(running())
    assert lead(running("bob", prefer=Prefer.HIGHEST))


@pytest.mark.parametrize("wish", [{"audio": Audio.MP3}, {"posts": True}])
def test_what_changes_nothing_about_the_transfer_does_not(wish: dict[str, Any]) -> None:
    assert lead(running())
    assert not lead(running("bob", **wish))


def test_posts_count_where_a_link_may_lead_to_one() -> None:
    items = []
    for posts in (False, True):
        item = running(posts=posts)
        Item.objects.filter(pk=item.pk).update(kind=ItemKind.STORY, key="story:1")
        items.append(Item.objects.select_related("job").get(pk=item.pk))
    assert coalescing.fetch_key(items[0]) != coalescing.fetch_key(items[1])


def test_a_link_with_another_name_is_another_question() -> None:
    """Whoever sends the wrong name must not end what someone asks with the right one."""
    subjects = set()
    for name in ("private.one", "real.one"):
        item = running()
        item.kind, item.key = ItemKind.STORY, "item:7300000000000000000"
        item.target = {"kind": "story", "name": name, "item_id": "7300000000000000000"}
        subjects.add(coalescing.fetch_key(item))
    assert len(subjects) == 2


@pytest.mark.parametrize("end", ["cancel", "release", "finish", "wait"])
def test_whoever_ends_leads_no_more(end: str) -> None:
    item = running()
    assert lead(item)
    claim = claim_of(item)
    if end == "cancel":
        actions.cancel(item.job)
    elif end == "release":
        claims.release(claim)
    elif end == "finish":
        settling.finish(claim, Outcome(S.DONE))
    else:
        backoff.requeue_untried(claim, timezone.now(), "refused")
    item.refresh_from_db()
    assert item.fetch_key is None
    with pytest.raises(ClaimLost):
        lead(item)


def test_a_vanished_worker_leads_no_more() -> None:
    item = running()
    assert lead(item)
    Item.objects.update(heartbeat_at=timezone.now() - coalescing.STALLED_AFTER)
    assert coalescing.find_leader(coalescing.fetch_key(item), Audio.NONE) is None
    assert lead(running("bob"))
    reaper.requeue_stalled(timezone.now() + claims.LEASE)  # requeues the first one
    item.refresh_from_db()
    assert (item.state, item.fetch_key) == (S.QUEUED, None)


# --- what is reused ---


def test_what_the_leader_wrote_down_is_told_as_if_it_happened(leader: Item) -> None:
    attempt = coalescing.find_leader(coalescing.fetch_key(leader), Audio.NONE)
    assert attempt
    settle(leader, S.DONE)
    with Workspace("bob.1") as workspace:
        events = [type(event).__name__ for event in attempt.events(workspace)]
    assert events == ["Listed", "FileReady", "FileReady", "StoryFinished"]
    assert attempt.complete


def finishing(monkeypatch: pytest.MonkeyPatch, leader: Item, *ends: Any) -> None:
    """Call `ends`, one each time the follower waits: the leader ends meanwhile."""
    remaining = list(ends)

    def wait(_seconds: float) -> bool:
        if remaining:
            remaining.pop(0)()
        return False

    monkeypatch.setattr(shutdown.shutdown_requested, "wait", wait)


def test_a_follower_gets_everything_without_asking(
    leader: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = timezone.now()
    bob = running("bob")
    finishing(monkeypatch, leader, lambda: None, lambda: settle(leader, S.DONE))
    assert follow(bob) == Outcome(S.DONE)
    bob.refresh_from_db()
    assert (bob.author_name, bob.author_nickname) == ("someone", "Some One")
    (story,) = Story.objects.filter(item=bob)
    assert (story.caption, story.tiktok_id, story.state) == ("hi", "77", S.DONE)
    assert story.captured_at
    assert story.captured_at >= started
    photo, poster = Artifact.objects.filter(item=bob).order_by("role")
    assert (photo.role, poster.role) == (Role.MEDIA, Role.POSTER)
    assert (photo.owner, photo.job_id, photo.labels) == (bob.owner, bob.job_id, ["watermarked"])
    with store.open_artifact(photo.pk) as file:
        assert file.read() == b"photo"
    assert photo.created_at >= started
    for artifact in Artifact.objects.filter(item=leader):
        store.remove(artifact.pk)
    assert store.size(photo.pk) == 5


def test_a_follower_looks_for_no_list(leader: Item, monkeypatch: pytest.MonkeyPatch) -> None:
    bob, on_list = running("bob"), Mock()
    finishing(monkeypatch, leader, on_list.assert_called_once_with, lambda: settle(leader, S.DONE))
    assert follow(bob, on_list=on_list) == Outcome(S.DONE)


def test_a_follower_needs_no_room_on_a_full_disk(
    leader: Item, monkeypatch: pytest.MonkeyPatch, set_env: Callable[..., None]
) -> None:
    bob = running("bob")
    set_env(disk_max=1, disk_min_free=10**18)
    finishing(monkeypatch, leader, lambda: settle(leader, S.DONE))
    assert follow(bob) == Outcome(S.DONE)
    assert Artifact.objects.filter(item=bob).count() == 2
    assert capacity.used_bytes() == len(b"photo") + len(b"small")


def test_nothing_is_as_good_as_something(leader: Item, monkeypatch: pytest.MonkeyPatch) -> None:
    Story.objects.all().delete()
    bob = running("bob")
    finishing(monkeypatch, leader, lambda: settle(leader, S.EMPTY))
    assert follow(bob) == Outcome(S.EMPTY)


def test_who_is_not_there_is_not_there_for_anyone(
    leader: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    Item.objects.filter(pk=leader.pk).update(listed_at=None)
    Story.objects.all().delete()
    ended = {"error_code": "no_such_account", "error_detail": "status 10221"}
    finishing(monkeypatch, leader, lambda: settle(leader, S.FAILED, **ended))
    with pytest.raises(NoSuchAccount, match="10221"):
        follow(running("bob"))


# --- sound ---


def filming(audio: Audio, *, photo: bool = False, silent: bool = False) -> Item:
    """Alice's item, in the lead with a video, and the sound she asked for."""
    item = running(audio=audio)
    assert lead(item)
    Item.objects.filter(pk=item.pk).update(listed_at=timezone.now(), author_name="someone")
    story = make_story(item, tiktok_id="78", kind=StoryKind.VIDEO)
    make_artifact(
        story,
        content=media.video(1, (144, 256), audio=not silent),
        content_type="video/mp4",
        has_audio=not silent,
        name="someone_01.mp4",
    )
    if audio != Audio.NONE:
        make_artifact(
            story,
            content=b"hers",
            role=Role.AUDIO_TRACK,
            position=1,
            content_type="audio/mp4",
            name="someone_01.m4a",
        )
    if photo:
        make_artifact(make_story(item, tiktok_id="79"), content=b"photo")
    return item


@pytest.mark.parametrize("leader_audio", [Audio.NONE, Audio.M4A])
@pytest.mark.parametrize("follower_audio", [Audio.NONE, Audio.M4A, Audio.MP3])
def test_sound_is_taken_over_or_made_here(
    monkeypatch: pytest.MonkeyPatch, leader_audio: Audio, follower_audio: Audio
) -> None:
    leader = filming(leader_audio)
    bob = running("bob", audio=follower_audio)
    finishing(monkeypatch, leader, lambda: settle(leader, S.DONE))
    assert follow(bob) == Outcome(S.DONE)
    types = {
        file.role: file.content_type for file in Artifact.objects.filter(item=bob, checked=True)
    }
    sound = {Audio.M4A: "audio/mp4", Audio.MP3: "audio/mpeg"}
    assert types.pop(Role.MEDIA) == "video/mp4"
    assert types == (
        {Role.AUDIO_TRACK: sound[follower_audio]} if follower_audio != Audio.NONE else {}
    )
    if follower_audio != Audio.NONE:
        track = Artifact.objects.get(item=bob, role=Role.AUDIO_TRACK)
        with store.open_artifact(track.pk) as file:
            content = file.read()
        assert track.size_bytes == len(content)
        assert (content == b"hers") == (leader_audio == follower_audio)
        if leader_audio != follower_audio:
            assert track.sha256 == hashlib.sha256(content).hexdigest()
            assert track.labels == ["audio_track"]


def test_of_a_silent_video_there_is_no_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    leader = filming(Audio.NONE, silent=True)
    finishing(monkeypatch, leader, lambda: settle(leader, S.DONE))
    bob = running("bob", audio=Audio.MP3)
    assert follow(bob) == Outcome(S.DONE)
    assert Artifact.objects.filter(item=bob).count() == 1


def test_sound_that_cannot_be_made_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    leader = filming(Audio.NONE, silent=True)
    Artifact.objects.update(has_audio=True)  # the row says so, and the file has none
    finishing(monkeypatch, leader, lambda: settle(leader, S.DONE))
    bob = running("bob", audio=Audio.M4A)
    assert follow(bob) == Outcome(S.DONE)
    assert Artifact.objects.filter(item=bob).count() == 1


# --- what the leader did not bring ---


class Alone(Exception):
    """The follower went to fetch something itself."""


@pytest.fixture
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def events(_item: Item, _workspace: Any, have: Any, _watch: Any) -> Any:
        raise Alone(sorted(have))

    monkeypatch.setattr(pipeline, "_fetch", events)


def test_a_second_leader_brings_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first leader was cancelled; files reused from it count once."""

    def album(item: Item) -> None:
        Item.objects.filter(pk=item.pk).update(
            listed_at=timezone.now(), author_id="1", author_name="someone"
        )
        story = make_story(item, tiktok_id="77", state=S.QUEUED, kind=StoryKind.CAROUSEL)
        Story.objects.filter(pk=story.pk).update(media_count=3)
        for position in (1, 2):
            make_artifact(story, content=b"p" * 100, position=position)
        make_artifact(story, content=b"small", role=Role.POSTER, position=1)

    alice, carol, bob = running(), running("carol"), running("bob")
    assert lead(alice)
    album(alice)
    Quota.objects.create(owner=bob.owner, stored_bytes=350)

    def wait(_seconds: float) -> bool:
        if not carol.stories.exists():
            actions.cancel(alice.job)
            assert lead(carol)
            album(carol)
        else:
            make_artifact(carol.stories.get(), content=b"p" * 100, position=3)
            carol.stories.update(state=S.DONE)
            settle(carol, S.DONE)
        return False

    monkeypatch.setattr(shutdown.shutdown_requested, "wait", wait)
    files_done: list[int] = []
    monkeypatch.setattr(progress.Reporter, "file_done", lambda *_: files_done.append(1))
    monkeypatch.setattr(recorder, "build_carousel", no_room)
    assert follow(bob) == Outcome(S.DONE)
    assert bob.artifacts.filter(role=Role.MEDIA).count() == 3
    assert len(files_done) == 3


def no_room(*_: Any) -> Any:
    raise QuotaExceeded("stored_bytes")


@pytest.mark.usefixtures("_alone")
@pytest.mark.parametrize("state", [S.QUEUED, S.CANCELLED, S.PARTIAL, S.FAILED])
def test_without_a_whole_result_the_rest_is_fetched(
    state: ItemState, leader: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_story(leader, tiktok_id="78", state=S.QUEUED)
    bob = running("bob")
    finishing(monkeypatch, leader, lambda: settle(leader, state, error_code="media_unavailable"))
    with pytest.raises(Alone, match=r"\[\('77', 1\)\]"):
        follow(bob)
    bob.refresh_from_db()
    assert bob.fetch_key == coalescing.fetch_key(bob)  # and may be followed


@pytest.mark.usefixtures("_alone")
def test_songs_behind_photos_are_asked_for_when_the_leader_did_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    leader = filming(Audio.NONE, photo=True)
    Story.objects.filter(tiktok_id="79").update(kind=StoryKind.PHOTO)
    finishing(monkeypatch, leader, lambda: settle(leader, S.DONE))
    with pytest.raises(Alone, match=r"\[\('78', 1\), \('79', 1\)\]"):  # no picture, no video
        follow(running("bob", audio=Audio.M4A))


@pytest.mark.usefixtures("_alone")
def test_what_was_deleted_meanwhile_is_fetched(
    leader: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.remove(Artifact.objects.get(role=Role.MEDIA).pk)
    finishing(monkeypatch, leader, lambda: settle(leader, S.DONE))
    with pytest.raises(Alone, match=r"\[\]"):
        follow(running("bob"))


@pytest.mark.usefixtures("_alone")
def test_a_forgotten_leader_is_not_waited_for(
    leader: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    finishing(monkeypatch, leader, lambda: leader.job.delete())
    with pytest.raises(Alone, match="77"):
        follow(running("bob"))


@pytest.mark.usefixtures("_alone")
def test_a_silent_leader_is_not_waited_for(leader: Item, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = timezone.now() - coalescing.STALLED_AFTER
    finishing(
        monkeypatch, leader, lambda: Item.objects.filter(pk=leader.pk).update(heartbeat_at=silent)
    )
    bob = running("bob")
    with pytest.raises(Alone, match="77"):
        follow(bob)
    assert Item.objects.get(fetch_key__isnull=False) == bob


@pytest.mark.usefixtures("_alone")
def test_an_old_list_is_nobody_elses(leader: Item) -> None:
    old = timezone.now() - coalescing.FRESH - timedelta(seconds=1)
    Item.objects.filter(pk=leader.pk).update(listed_at=old)
    bob = running("bob")
    with pytest.raises(Alone, match=r"\[\]"):
        follow(bob)
    bob.refresh_from_db()
    assert bob.fetch_key is None


@pytest.mark.usefixtures("_alone")
def test_an_item_with_a_past_neither_leads_nor_follows(leader: Item) -> None:
    bob = running("bob")
    bob.attempt = 2
    bob.save()
    make_story(bob, tiktok_id="70", state=S.FAILED)
    with pytest.raises(Alone):
        follow(bob)
    bob.refresh_from_db()
    assert bob.fetch_key is None
