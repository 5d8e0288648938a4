"""Orphans: a share of the folders is compared at a time, and all of them after a start."""

from __future__ import annotations

import os
import time
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from jobs.ephemeral import orphan_files
from jobs.ephemeral.orphan_files import WaitingOrphans
from jobs.files import disk, folder_store, store
from jobs.files.deletion import DeletionTally
from jobs.housekeeping.orphans import ORPHAN_GRACE, SHARDS_A_SWEEP, Comparison, Orphans
from jobs.models import DAMAGED, Artifact
from tests.factories import make_artifact, make_story
from tests.unit.jobs.database_work import statements
from tests.unit.jobs.files.making import save

pytestmark = pytest.mark.django_db
SWEEPS = len(disk.SHARDS) // SHARDS_A_SWEEP


def compare(comparison: Comparison, *, whole: bool = False) -> Orphans:
    return comparison.run(timezone.now(), DeletionTally(), whole=whole)


def make_lost_row(shard: str) -> None:
    """A row in that folder whose file is missing."""
    make_artifact(make_story()).delete()
    artifact = make_artifact()
    Artifact.objects.filter(pk=artifact.pk).update(id=uuid.UUID(shard + uuid.uuid4().hex[2:]))


def test_after_a_start_all_folders_are_compared() -> None:
    for shard in ("00", "7f", "ff"):
        make_lost_row(shard)
    assert compare(Comparison()) == Orphans(rows=3)


def test_from_then_on_a_share_at_a_time_until_all_were_compared() -> None:
    comparison = Comparison()
    compare(comparison)
    for shard in ("00", "7f", "ff"):
        make_lost_row(shard)
    counts = [compare(comparison).rows for _ in range(SWEEPS)]
    assert sum(counts) == 3
    assert max(counts) == 1
    assert [at for at, count in enumerate(counts) if count] == [0, 0x7F // SHARDS_A_SWEEP, 31]
    make_lost_row("00")
    assert compare(comparison).rows == 1


def test_all_folders_on_demand() -> None:
    comparison = Comparison()
    compare(comparison)
    make_lost_row("ff")
    assert compare(comparison, whole=True) == Orphans(rows=1)


@pytest.mark.parametrize("files", [0, 60])
def test_a_share_costs_one_query_however_many_files_there_are(files: int) -> None:
    story = make_story()
    for _ in range(files):
        make_artifact(story, content=b"x")
    comparison = Comparison()
    with statements() as run:
        compare(comparison)
    assert len(run) == SWEEPS
    with statements() as run:
        compare(comparison)
    assert len(run) == 1


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> dict[int, WaitingOrphans]:
    """What was noted of files that wait."""
    noted: dict[int, WaitingOrphans] = {}

    def record(place: int, found: WaitingOrphans | None) -> None:
        noted.pop(place, None)
        if found is not None:
            noted[place] = found

    monkeypatch.setattr(orphan_files, "record", record)
    monkeypatch.setattr(orphan_files, "by_place", lambda: dict(noted))
    return noted


def orphan(shard: str, *, minutes_old: int, size_bytes: int = 10) -> uuid.UUID:
    """A file without a row, as after a SIGKILL."""
    artifact_id = save(bytes(size_bytes), uuid.UUID(shard + uuid.uuid4().hex[2:]))
    at = time.time() - 60 * minutes_old
    with folder_store.shard(artifact_id) as (folder, name):
        os.utime(name, (at, at), dir_fd=folder)
    return artifact_id


def test_files_without_a_row_are_counted_until_they_go(waiting: dict[int, WaitingOrphans]) -> None:
    now, comparison = timezone.now(), Comparison()
    for shard in ("00", "01", "ff"):
        orphan(shard, minutes_old=5)
    orphan("02", minutes_old=0)
    assert comparison.run(now, DeletionTally()) == Orphans()
    found = orphan_files.total(waiting.values())
    assert found is not None
    assert (found.files, found.size_bytes) == (3, 30)
    assert timedelta(minutes=9) < found.until - now < timedelta(minutes=11)
    later = now + timedelta(minutes=11)
    # All at once, wherever they are, and not when the folder's turn comes.
    assert comparison.run(later, DeletionTally()) == Orphans(files=3)
    found = orphan_files.total(waiting.values())
    assert found is not None, "the one that had just arrived waits by now"
    assert found.files == 1
    comparison.run(later + ORPHAN_GRACE, DeletionTally())
    assert waiting == {}


def test_a_file_the_disk_does_not_let_go_waits(
    waiting: dict[int, WaitingOrphans], monkeypatch: pytest.MonkeyPatch
) -> None:
    orphan("00", minutes_old=60)

    def refuse(*_: object) -> bool:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as read_only:
        read_only.setattr(store, "remove", refuse)
        assert compare(Comparison()) == Orphans()
    assert [found.files for found in waiting.values()] == [1]
    assert compare(Comparison()) == Orphans(files=1)
    assert waiting == {}


def test_a_row_whose_file_is_cut_says_that_it_is_damaged(artifacts: Path) -> None:
    file = make_artifact(content=b"whole")
    (artifacts / str(file.pk)[:2] / str(file.pk)).write_bytes(b"wh")
    assert compare(Comparison()).rows == 1
    file.refresh_from_db()
    assert file.labels == [DAMAGED]
    assert file.removed_at is not None


def test_a_file_that_gets_its_row_meanwhile_stays(
    monkeypatch: pytest.MonkeyPatch, artifacts: Path
) -> None:
    """A linked file is as old as the one it is linked to, so its age says nothing."""
    file = make_artifact(content=b"x")
    row = Artifact.objects.get(pk=file.pk)
    file.delete()
    path = artifacts / str(row.pk)[:2] / str(row.pk)
    long_ago = (timezone.now() - ORPHAN_GRACE - timedelta(hours=1)).timestamp()
    os.utime(path, (long_ago, long_ago))
    walk = store.walk

    def late(shards: tuple[str, ...]) -> object:
        folders = list(walk(shards))
        if folders and not Artifact.objects.filter(pk=row.pk).exists():
            row.save(force_insert=True)
        return folders

    monkeypatch.setattr(store, "walk", late)
    assert compare(Comparison()) == Orphans()
    assert path.exists()
