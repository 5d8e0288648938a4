"""A disk that takes no files: the line waits, nothing is used up, and it goes on by itself."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from jobs import tasks
from jobs.errors import NoSpaceLeft, StorageUnavailable
from jobs.fetching import derived_files, earlier_files, recorder
from jobs.files import disk
from jobs.files.disk import FAULT_RETRY_S
from jobs.housekeeping import reaper
from jobs.models import Item, Package, PackageState, Role
from jobs.queue import resubmission, settling
from jobs.queue.backoff import MAX_REFUSAL_WAIT
from jobs.states import ItemState
from jobs.zips import packing
from stories.errors import Refused
from stories.events import MediaFailed
from stories.structures import StoryKind
from tests.factories import make_artifact, make_item, make_job, make_story
from tests.unit.jobs.claims import claimed
from tests.unit.jobs.fetching.stage import Stage, a_story, ended, files, listed

pytestmark = pytest.mark.django_db
S = ItemState

CODES = {
    errno.EROFS: "storage_unavailable",
    errno.EACCES: "storage_unavailable",
    errno.EIO: "storage_unavailable",
    errno.ESTALE: "storage_unavailable",
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
}


def fails(number: int) -> Callable[..., Any]:
    """A system call that ends with this error."""

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


def fault(*_: Any, **__: Any) -> Any:
    """What is to be written meets a fault of the disk."""
    raise StorageUnavailable("the disk answers EROFS")


def fetch(stage: Stage, item: Item, *script: Any) -> Item:
    """Run the task of an item that may wait; the item afterwards."""
    Item.objects.update(not_before=None)
    stage.script = script
    tasks.fetch_item(str(item.pk))
    item.refresh_from_db()
    return item


def is_waiting(item: Item, code: str) -> bool:
    """Whether the item waits for the disk, and nothing of it was used up."""
    assert item.not_before is not None
    assert item.not_before <= timezone.now() + timedelta(seconds=FAULT_RETRY_S)
    return (item.state, item.error_code, item.tries) == (S.QUEUED, code, 0)


@pytest.mark.parametrize(
    ("number", "call"),
    [
        *((number, "write") for number in CODES),
        *((errno.EROFS, call) for call in ("mkdir", "fsync", "rename")),
    ],
)
def test_a_line_waits_and_goes_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, number: int, call: str
) -> None:
    photo = a_story()
    script = (listed(photo), stage.file(photo), ended(photo))
    item = make_item()
    with monkeypatch.context() as broken:
        if call == "write":
            broken.setattr(disk._RawFile, "_put", fails(number))
        else:
            broken.setattr(os, call, fails(number))
        for _ in range(3):
            assert is_waiting(fetch(stage, item, *script), CODES[number])
    assert fetch(stage, item, *script).state == S.DONE
    assert len(files(item)) == 1


def test_tiktok_is_not_asked_while_the_disk_is_known_to_fail(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = a_story()
    item = make_item()
    with monkeypatch.context() as broken:
        broken.setattr(disk._RawFile, "_put", fails(errno.EIO))
        broken.setattr(tempfile, "TemporaryFile", fails(errno.EIO))
        fetch(stage, item, listed(photo), stage.file(photo))
        stage.asked.clear()
        assert is_waiting(fetch(stage, item, listed(photo)), "storage_unavailable")
        assert stage.asked == {}
    assert fetch(stage, item, listed(photo), stage.file(photo), ended(photo)).state == S.DONE


def test_a_transfer_that_met_the_fault_ends_the_attempt_and_not_the_line(stage: Stage) -> None:
    first, second = a_story(1), a_story(2)
    item = make_item()
    failed = MediaFailed(story_id=second.id, position=1, error=StorageUnavailable("EROFS"))
    events = (
        listed(first, second),
        stage.file(first),
        ended(first),
        failed,
        ended(second, saved=0),
    )
    assert is_waiting(fetch(stage, item, *events), "storage_unavailable")
    assert len(files(item)) == 1, "what was saved stays"
    done = fetch(
        stage, item, listed(first, second), ended(first), stage.file(second), ended(second)
    )
    assert (done.state, len(files(item))) == (S.DONE, 2)


def test_a_carousel_that_cannot_be_packed_for_the_disk_waits(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    album = a_story(1, StoryKind.CAROUSEL, 2)
    item = make_item()
    with monkeypatch.context() as broken:
        broken.setattr(recorder, "build_carousel", fault)
        pictures = stage.file(album, 1), stage.file(album, 2)
        waits = fetch(stage, item, listed(album), *pictures, ended(album, 2))
        assert is_waiting(waits, "storage_unavailable")
    assert fetch(stage, item, listed(album), ended(album, 2)).state == S.DONE
    assert [role for role, _, _ in files(item)] == ["zip", "media", "media"]


def test_what_is_made_of_a_saved_file_waits_for_the_disk(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = a_story()
    item = make_item(attempt=1, name="someone")
    story = make_story(item, tiktok_id=photo.id, state=S.QUEUED)
    make_artifact(story, content=b"photo", content_type="image/webp", name="photo.webp")
    monkeypatch.setattr(derived_files, "_make_of_saved", fault)
    assert is_waiting(fetch(stage, item, listed(photo), ended(photo)), "storage_unavailable")


def test_what_an_earlier_job_saved_is_not_fetched_anew_for_the_disk(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = a_story()
    old = make_item(name="someone", state=S.CANCELLED)
    story = make_story(old, tiktok_id=photo.id, state=S.CANCELLED)
    make_artifact(story, content=b"photo", name="photo.jpg")
    make_artifact(story, content=b"small", name="poster.jpg", role=Role.POSTER, position=1)
    make_story(old, tiktok_id=a_story(2).id, state=S.CANCELLED)
    job = resubmission.refetch(old.job)
    assert job
    monkeypatch.setattr(earlier_files, "reuse", fault)
    assert is_waiting(fetch(stage, job.items.get(), listed(photo)), "storage_unavailable")
    assert stage.asked == {}


def test_the_other_lines_wait_with_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    item = make_item()
    others = [make_item(item.job), make_item(make_job())]
    monkeypatch.setattr(os, "mkdir", fails(errno.EROFS))
    fetch(stage, item)
    for other in others:
        other.refresh_from_db()
        assert is_waiting(other, "storage_unavailable")
        assert other.attempt == 0


def test_patience_has_no_end(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    item = make_item()
    with monkeypatch.context() as broken:
        broken.setattr(os, "mkdir", fails(errno.EROFS))
        fetch(stage, item)
    long_after = timezone.now() + 10 * MAX_REFUSAL_WAIT
    reaper.requeue_stalled(long_after)
    assert settling.give_up_waiting(long_after) == 0
    item.refresh_from_db()
    assert item.state == S.QUEUED


def test_a_wait_for_the_disk_is_no_wait_for_tiktok(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Turned away before and after it, a line is not given up as after one long pause."""
    long_ago = timezone.now() - 2 * MAX_REFUSAL_WAIT
    item, other = make_item(), make_item(refused_since=long_ago, error_code="refused")
    with monkeypatch.context() as broken:
        broken.setattr(os, "mkdir", fails(errno.EROFS))
        fetch(stage, item)
    Item.objects.update(not_before=None)
    settling.fail(claimed(other), Refused())
    other.refresh_from_db()
    assert (other.state, other.error_code) == (S.QUEUED, "refused")


def test_a_folder_exchanged_in_mid_job_is_waited_for(
    stage: Stage, artifacts: Path, tmp_path: Path
) -> None:
    first, second = a_story(1), a_story(2)
    item = make_item()
    stored = make_artifact(content=b"of an earlier job")
    elsewhere = tmp_path / "the disk"

    def exchange() -> None:
        shutil.move(artifacts, elsewhere)
        artifacts.mkdir()

    events: tuple[Any, ...] = (
        listed(first, second),
        stage.file(first),
        exchange,
        stage.file(second),
    )
    for _ in range(3):
        assert is_waiting(fetch(stage, item, *events), "storage_unavailable")
        assert list(artifacts.iterdir()) == [], "nothing is made in the wrong folder"
        events = (listed(first, second),)
    artifacts.rmdir()
    shutil.move(elsewhere, artifacts)
    both = (listed(first, second), stage.file(first), ended(first))
    done = fetch(stage, item, *both, stage.file(second), ended(second))
    assert (done.state, len(files(item))) == (S.DONE, 2)
    assert stored.removed_at is None


def test_a_workspace_that_vanished_is_waited_for(stage: Stage, artifacts: Path) -> None:
    photo = a_story()
    item = make_item()

    def vanish() -> None:
        shutil.rmtree(artifacts / disk.WORK)

    events = (listed(photo), vanish, stage.file(photo))
    assert is_waiting(fetch(stage, item, *events), "storage_unavailable")


@pytest.mark.parametrize("number", CODES)
def test_a_zip_waits_as_well(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    story = make_story()
    for _ in range(2):
        make_artifact(story, content=b"a picture")
    package = packing.request(story.item.job)
    with monkeypatch.context() as broken:
        broken.setattr(disk._RawFile, "_put", fails(number))
        tasks.pack_package(str(package.pk))
    package.refresh_from_db()
    assert (package.state, package.error_code) == (PackageState.QUEUED, "")
    assert package.sent_at is not None, "not sent again at once"
    tasks.pack_package(str(package.pk))
    assert Package.objects.get().state == PackageState.DONE


def test_each_fault_has_its_code() -> None:
    for number, code in CODES.items():
        with (
            pytest.raises((StorageUnavailable, NoSpaceLeft)) as raised,
            disk.translate_disk_errors(),
        ):
            fails(number)()
        assert raised.value.code == code
        assert raised.value.retryable
