"""A follower's own limit: of what another line fetches it keeps what fits, and asks for no more."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.utils import timezone

from jobs.errors import QuotaExceeded, StorageUnavailable
from jobs.fetching import coalescing, derived_files, pipeline
from jobs.files.workspace import Workspace
from jobs.models import Artifact, Audio, Item, Quota, Role
from jobs.queue import claims, shutdown
from jobs.queue.claims import Claim
from jobs.queue.settling import Outcome
from jobs.states import ItemState
from stories.events import FileReady
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from tests.unit.jobs.fetching.stage import VIDEO

pytestmark = pytest.mark.django_db
S = ItemState


def running(owner: str) -> Item:
    return make_item(make_job(make_user(owner)), name="someone", state=S.RUNNING)


@pytest.fixture(autouse=True)
def _leader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alice's item leads with three photos, each with a preview; it is done while Bob's waits."""
    item = running("alice")
    assert claims.try_lead(Claim(item.pk, item.attempt), coalescing.fetch_key(item))
    Item.objects.filter(pk=item.pk).update(listed_at=timezone.now(), author_name="someone")
    for tiktok_id, content in (("77", b"photo"), ("78", b"a large one"), ("79", b"photo")):
        story = make_story(item, tiktok_id=tiktok_id)
        make_artifact(story, content=content)
        make_artifact(story, content=b"small", role=Role.POSTER, position=1)

    def wait(_seconds: float) -> bool:
        Item.objects.filter(pk=item.pk).update(state=S.DONE, fetch_key=None)
        return False

    monkeypatch.setattr(shutdown.shutdown_requested, "wait", wait)


def follow(stored_bytes: int) -> tuple[Item, Outcome]:
    """Bob's item, and how it ended without a harvest, where he may have so many bytes."""
    item = running("bob")
    Quota.objects.create(owner=item.owner, stored_bytes=stored_bytes)
    return item, pipeline.run(Claim(item.pk, item.attempt))


def test_what_fits_is_kept_and_previews_need_no_room() -> None:
    item, outcome = follow(10)
    assert outcome.state == S.PARTIAL
    assert isinstance(outcome.error, QuotaExceeded)
    kept = item.artifacts.order_by("story__tiktok_id", "role")
    assert list(kept.values_list("story__tiktok_id", "role")) == [
        ("77", Role.MEDIA),
        ("77", Role.POSTER),
        ("79", Role.MEDIA),
        ("79", Role.POSTER),
    ]
    states = item.stories.order_by("tiktok_id").values_list("state", "error_code")
    assert list(states) == [(S.DONE, ""), (S.FAILED, "quota_exceeded"), (S.DONE, "")]


def test_where_nothing_fits_nothing_is_saved() -> None:
    item, outcome = follow(4)
    assert outcome.state == S.FAILED
    assert isinstance(outcome.error, QuotaExceeded)
    assert not Artifact.objects.filter(item=item).exists()


@pytest.mark.parametrize("role", [Role.MEDIA, Role.POSTER])
def test_a_fault_of_the_disk_is_nothing_its_files_are_refused_for(
    role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = Workspace.link_existing

    def broken(workspace: Workspace, file: Artifact) -> str:
        if file.role == role:
            raise StorageUnavailable("the disk answers EROFS")
        return link(workspace, file)

    monkeypatch.setattr(Workspace, "link_existing", broken)
    with pytest.raises(StorageUnavailable):
        follow(21)


def test_nor_is_a_video_then_said_to_be_without_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> FileReady:
        raise StorageUnavailable("the disk answers EROFS")

    monkeypatch.setattr(derived_files, "make_audio", broken)
    audio = coalescing._AudioOptions(ours=Audio.MP3, theirs=Audio.NONE)
    leader = coalescing.Leader(Claim(uuid4(), 1), "", listed_at=None, audio=audio)
    video = FileReady(
        story_id="77",
        position=1,
        role="media",
        key="1.part",
        size_bytes=1,
        sha256="",
        verified=VIDEO,
    )
    with Workspace("bob.1") as workspace, pytest.raises(StorageUnavailable):
        list(leader._with_audio(video, workspace))


def test_where_all_media_fit_it_is_done() -> None:
    item, outcome = follow(21)
    assert outcome == Outcome(S.DONE)
    assert item.artifacts.count() == 6
