"""Capacity: room for everyone, for one user, and for files that still arrive."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from jobs.errors import DiskFull, QuotaExceeded
from jobs.files import capacity, workspace
from jobs.files.workspace import Workspace
from tests.factories import make_artifact, make_job, make_story, make_user

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


def test_with_plenty_of_room_no_open_file_is_asked_how_long_it_is(
    set_env: SetEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Workspace] = []
    count = Workspace._written_bytes

    def written_bytes(workspace: Workspace) -> int:
        asked.append(workspace)
        return count(workspace)

    monkeypatch.setattr(Workspace, "_written_bytes", written_bytes)
    free = SimpleNamespace(f_bavail=10_000, f_frsize=1, f_bsize=1)
    monkeypatch.setattr(os, "statvfs", lambda path: free)
    set_env(disk_min_free=1000)
    with Workspace("a.1") as one, Workspace("b.1") as other:
        for workspace in (one, other):
            _key, file = workspace.create()
            workspace.reserve(4000)
            assert asked == []
            file.write(bytes(3000))
            file.flush()
        free.f_bavail = 4000
        other.reserve(1000)  # 2000 of 8000 are not on the disk yet
        assert asked == [one, other] or asked == [other, one]
        with pytest.raises(DiskFull):
            one.reserve(1)


def test_a_full_disk_says_when_the_first_file_goes(set_env: SetEnv) -> None:
    make_artifact(size_bytes=5000)
    set_env(disk_max=1000)
    with pytest.raises(DiskFull) as caught:
        capacity.require_room()
    assert caught.value.retry_after_s is not None
    assert 7000 < caught.value.retry_after_s < 7400


def test_admitting_costs_at_most_one_query_a_second(
    django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    capacity.invalidate()
    with Workspace("a.1") as workspace:
        with django_assert_num_queries(0):
            for _ in range(100):
                workspace.reserve(1)
        now += 2
        with django_assert_num_queries(1):
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


# --- files that are one on the disk ---


def test_a_link_needs_no_room_and_is_not_refused_for_room(set_env: SetEnv) -> None:
    file = make_artifact(content=bytes(600))
    set_env(disk_max=700, disk_min_free=10**18)
    with Workspace("a.1") as workspace:
        key = workspace.link_existing(file)
        with pytest.raises(DiskFull):
            workspace.reserve(1)
        workspace.commit(key, uuid.uuid4())
    assert capacity.used_bytes() == 600


def test_links_on_their_way_leave_room_for_others(set_env: SetEnv) -> None:
    file = make_artifact(content=bytes(600))
    set_env(disk_max=1000)
    with Workspace("a.1") as first, Workspace("b.1") as second:
        keys = [first.link_existing(file) for _ in range(3)]
        assert first.in_flight_bytes == 1800
        second.reserve(400)
        first.discard(keys[0])
        first.commit(keys[1], uuid.uuid4())
        assert first.in_flight_bytes == 600
        with pytest.raises(DiskFull):
            second.reserve(1)


def test_where_files_cannot_be_linked_a_copy_needs_room(
    set_env: SetEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    file = make_artifact(content=bytes(600))
    set_env(disk_max=1000)
    with Workspace("a.1") as workspace:
        with pytest.raises(DiskFull):
            workspace.link_existing(file)
        assert workspace.in_flight_bytes == 0
        assert list(workspace.path.iterdir()) == []
        set_env(disk_max=1200)
        key = workspace.link_existing(file)
        assert workspace.content_id(key) is None


def test_a_link_counts_for_its_owner(set_env: SetEnv) -> None:
    file = make_artifact(content=bytes(600))
    bob = make_user("bob")
    with Workspace("a.1", owner_id=bob.pk, max_bytes=1000) as workspace:
        workspace.link_existing(file)
        with pytest.raises(QuotaExceeded):
            workspace.link_existing(file)
        assert len(list(workspace.path.iterdir())) == 1


def test_files_that_are_one_on_the_disk_count_once_until_the_last_is_gone() -> None:
    first = make_artifact(size_bytes=600)
    job = make_job(make_user("bob"))
    second, third = (make_artifact(job=job, size_bytes=600, content_id=first.pk) for _ in range(2))
    other = make_artifact(size_bytes=600)
    assert capacity.used_bytes() == 1200
    assert capacity.used_bytes(job.owner_id) == 1200
    for gone, left in ((first, 1200), (second, 1200), (third, 600), (other, 0)):
        gone.removed_at = gone.created_at
        gone.save()
        assert capacity.used_bytes() == left


# --- the last look, when rows are written ---


def test_rows_that_pass_the_limit_are_refused_with_a_time(set_env: SetEnv) -> None:
    set_env(disk_max=1000)
    artifact = make_artifact(size_bytes=600)
    capacity.require_limit_holds([artifact])
    late = make_artifact(size_bytes=401)
    with pytest.raises(DiskFull) as full:
        capacity.require_limit_holds([late])
    assert full.value.retry_after_s


def test_what_takes_no_room_on_the_disk_is_not_looked_at(
    set_env: SetEnv, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    set_env(disk_max=100)
    original = make_artifact(size_bytes=600)
    linked = make_artifact(size_bytes=600, content_id=original.pk)
    with django_assert_num_queries(0):
        capacity.require_limit_holds([linked])
        capacity.require_limit_holds([])


def test_a_limit_that_is_far_costs_no_query(
    set_env: SetEnv,
    django_assert_num_queries: DjangoAssertNumQueries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    artifact = make_artifact(size_bytes=600)
    monkeypatch.setattr(capacity.reservations, "last_count", lambda: 10**10)
    for limit in (0, 10**10 + 10**9 + 600 + 10**9):
        set_env(disk_max=limit)
        with django_assert_num_queries(0):
            capacity.require_limit_holds([artifact])
    set_env(disk_max=10**10 + 10**9)
    with CaptureQueriesContext(connection) as queries:
        capacity.require_limit_holds([artifact])
    assert queries
