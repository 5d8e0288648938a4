"""Saved files in a bucket: what is so there alone."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import obstore
import pytest
from django.utils import timezone

from jobs.files import bucket_store, disk, marks, store
from jobs.files.bucket_access import bucket
from jobs.files.bucket_mark import PROBE
from jobs.housekeeping import sweep
from tests.factories import make_artifact
from tests.unit.jobs.files.making import save

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_bucket")]


def test_a_file_has_the_key_of_its_place_in_the_folder() -> None:
    artifact_id = save(b"hello")
    name = str(artifact_id)
    assert bucket().read(f"{name[:2]}/{name}") == b"hello"


def test_objects_that_are_none_of_ours_are_left_out() -> None:
    ours = save(b"hello")
    shard = str(ours)[:2]
    for key in (f"{shard}/notes.txt", f"{shard}/{uuid.uuid4()}/x", f"{shard}/{uuid.uuid4().hex}"):
        bucket().write(key, b"theirs")
    assert [file.id for folder in store.walk([shard]) for file in folder] == [ours]


def test_a_store_that_begins_a_list_behind_a_folder_tells_of_all_files_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = obstore.list

    def as_seaweedfs_does(where: Any, *, offset: str, **options: Any) -> Iterator[list[Any]]:
        for page in listed(where, offset=offset, **options):
            yield [found for found in page if not found["path"].startswith(f"{offset}/")]

    monkeypatch.setattr("obstore.list", as_seaweedfs_does)
    ours = save(b"hello")
    shard = str(ours)[:2]
    assert [file.id for folder in store.walk([shard]) for file in folder] == [ours]


def test_the_probe_is_no_workspace() -> None:
    disk.probe_write()
    assert bucket_store.stale_workspaces(2e10) == []


def test_the_sweep_takes_what_dead_workers_left_and_nothing_of_other_programs() -> None:
    dead = f"work/{uuid.uuid4()}.2"
    theirs = {
        "work/reports/2026.xlsx",
        "work/notes.txt",
        "work/item.1/1.part",
        f"work/{uuid.uuid4()}.1/photo.jpg",
        f"work/{uuid.uuid4()}.1/old/1.part",
        f"work/{uuid.uuid4().hex}.1/1.part",
        f"{dead}/thesis.pdf",
        "ab/letter.txt",
        "photos/1.jpg",
    }
    for key in (*theirs, f"{dead}/1.part", f"{dead}/12.part"):
        bucket().write(key, b"x")
    local = disk.root() / disk.WORK / "reports"  # a folder of this machine has other names
    local.mkdir(parents=True)

    long_after = timezone.now() + timedelta(days=400)
    assert sweep.sweep(long_after, whole=True).workspaces == 2
    assert not local.exists()
    assert {found.key for found in bucket().list("")} - {marks.SENTINEL, PROBE} == theirs


def test_files_that_share_bytes_are_none_of_a_bucket() -> None:
    file = make_artifact(content=b"x")
    assert store.identity(file.pk) is None
