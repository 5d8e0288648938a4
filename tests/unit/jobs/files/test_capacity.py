"""Capacity: room for everyone, for one user, and for files that still arrive."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from jobs.errors import DiskFull
from jobs.files import capacity, workspace
from jobs.files.workspace import Workspace
from tests.factories import make_artifact, make_job, make_story

pytestmark = pytest.mark.django_db
SetEnv = Callable[..., None]


def test_the_limit_counts_stored_and_arriving_bytes(set_env: SetEnv) -> None:
    make_artifact(size_bytes=600)
    set_env(disk_max=1000)
    with workspace.Workspace("a.1") as first, workspace.Workspace("b.1") as second:
        key, file = first.create()
        first.reserve(300)
        with pytest.raises(DiskFull):
            second.reserve(101)
        second.reserve(100)
        file.close()
        first.discard(key)
        second.reserve(300)


def test_a_kept_file_counts_until_its_row_does(set_env: SetEnv) -> None:
    set_env(disk_max=1000)
    with Workspace("a.1") as workspace:
        key, file = workspace.create()
        workspace.reserve(700)
        with file:
            file.write(bytes(700))
        workspace.commit(key, uuid.uuid4(), durable=False)
        assert workspace.in_flight_bytes == 0
        with pytest.raises(DiskFull):
            workspace.reserve(301)


def test_removed_files_do_not_count(set_env: SetEnv) -> None:
    artifact = make_artifact(size_bytes=5000)
    set_env(disk_max=1000)
    with pytest.raises(DiskFull):
        capacity.require_room()
    artifact.removed_at = artifact.created_at
    artifact.save()
    capacity.require_room()
    assert capacity.used_bytes() == 0


def test_no_limit(set_env: SetEnv) -> None:
    make_artifact(size_bytes=10**15)
    set_env(disk_max=0)
    capacity.require_room()
    with Workspace("a.1") as workspace:
        workspace.reserve(10**6)


def test_the_floor_of_free_space(set_env: SetEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        os, "statvfs", lambda path: SimpleNamespace(f_bavail=10, f_frsize=100, f_bsize=1)
    )
    set_env(disk_min_free=400)
    capacity.require_room()
    with Workspace("a.1") as workspace:
        workspace.create()
        workspace.reserve(500)
        with pytest.raises(DiskFull):
            workspace.reserve(200)
    set_env(disk_min_free=1000)
    with pytest.raises(DiskFull):
        capacity.require_room()


def test_a_full_disk_says_when_the_first_file_goes(set_env: SetEnv) -> None:
    make_artifact(size_bytes=5000)
    set_env(disk_max=1000)
    with pytest.raises(DiskFull) as caught:
        capacity.require_room()
    assert caught.value.retry_after_s is not None
    assert 7000 < caught.value.retry_after_s < 7400


def test_admitting_costs_at_most_one_query_a_second(
    django_assert_num_queries: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    capacity.invalidate()
    with Workspace("a.1") as workspace:
        with django_assert_num_queries(0):  # type: ignore[attr-defined]
            for _ in range(100):
                workspace.reserve(1)
        now += 2
        with django_assert_num_queries(1):  # type: ignore[attr-defined]
            for _ in range(100):
                workspace.reserve(1)


def test_admitting_on_an_event_loop_asks_no_database(set_env: SetEnv) -> None:
    make_artifact(size_bytes=900)
    set_env(disk_max=1000)

    async def reserve(workspace: Workspace) -> None:
        capacity.invalidate()
        workspace.reserve(50)
        with pytest.raises(DiskFull):
            workspace.reserve(100)

    with Workspace("a.1") as workspace:
        asyncio.run(reserve(workspace))


def test_disk_tells_the_whole_story(set_env: SetEnv) -> None:
    make_artifact(make_story(), size_bytes=7)
    make_artifact(job=make_job(), size_bytes=5)
    set_env(disk_max=12, disk_min_free=1)
    measured = capacity.measure()
    assert (measured.used_bytes, measured.max_bytes, measured.min_free_bytes) == (12, 12, 1)
    assert measured.free_bytes > 0
    assert measured.full
