"""What is measured of an instance: counts alone, of what is bounded."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from jobs.ephemeral import processes
from jobs.ephemeral.connection import RedisUnavailable
from jobs.ephemeral.processes import RunningProcess
from jobs.ops import measures
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job
from tests.memory import redis_stays_away
from tests.unit.jobs.ops.instances import stand_in_for_redis

pytestmark = pytest.mark.django_db


def test_lines_by_state_and_code() -> None:
    now = timezone.now()
    job = make_job()
    make_item(job)
    make_item(job, error_code="refused", not_before=now + timedelta(minutes=1))
    make_item(job, error_code="of_a_later_version")
    make_item(job, state="running")
    make_item(job, state="failed", error_code="gone")
    make_item(job, state="failed", error_code="gone", settled_at=now - timedelta(hours=2))
    work = measures.work(timezone.now())
    assert work.open_lines == {
        ("queued", ""): 1,
        ("queued", "refused"): 1,
        ("queued", "other"): 1,
        ("running", ""): 1,
    }
    assert work.settled_lines == {("failed", "gone"): 1}


def test_jobs_by_state() -> None:
    now = timezone.now()
    make_item(make_job())
    begun = make_job()
    make_item(begun)
    make_item(begun, state="done")
    refused = make_job()
    make_item(refused)
    make_item(refused, state="failed", error_code="not_understood")
    mixed = make_job(settled_at=now)
    make_item(mixed, state="done")
    make_item(mixed, state="failed", error_code="gone")
    make_job(links=2, state=ItemState.DONE)
    make_job(settled_at=now - timedelta(hours=2))
    make_item(make_job(erased_at=now))
    work = measures.work(timezone.now())
    assert work.open_jobs == {"queued": 2, "running": 1}
    assert work.settled_jobs == {"partial": 1, "done": 1}


def test_lists_and_what_they_hold_back() -> None:
    now = timezone.now()
    make_item(state="done", listed_at=now)
    make_item(state="partial", listed_at=now, left_out={"private": 2, "held_back": 1})
    make_item(state="partial", listed_at=now, left_out={"private": 1, "of_a_later_version": 4})
    make_item(state="failed", error_code="gone")
    work = measures.work(timezone.now())
    assert work.lists == 3
    assert work.left_out == {"private": 3, "held_back": 1, "other": 4}


def test_it_takes_few_queries_whatever_there_is(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(3):
        make_job(links=3)
        make_job(links=2, state=ItemState.DONE)
    with django_assert_max_num_queries(8):
        measures.work(timezone.now())
    with django_assert_max_num_queries(4):
        measures.store()


def test_saved_files() -> None:
    make_artifact(size_bytes=700)
    make_artifact(size_bytes=300)
    make_artifact(size_bytes=5000, removed_at=timezone.now())
    store = measures.store()
    assert (store.files, store.capacity.used_bytes) == (2, 1000)


def test_parts_tell_their_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in_for_redis(monkeypatch)
    told = {"worker-1": 50, "worker-2": 60, "scheduler-3": 20, "worker-4": None}
    running = [
        RunningProcess(
            name=f"{name}@nas", version="1", started_at=timezone.now(), resident_bytes=size
        )
        for name, size in told.items()
    ]
    monkeypatch.setattr(processes, "running", lambda: running)
    parts = measures.parts()
    assert parts.resident_bytes == {"worker": 110, "scheduler": 20}
    assert parts.breaker is None


def test_without_redis_nothing_is_known_of_them() -> None:
    redis_stays_away()
    with pytest.raises(RedisUnavailable):
        measures.parts()


def test_every_way_has_a_row() -> None:
    names = [row.name for row in measures.ways(timezone.now())]
    assert names == ["direct", "browser", "gallery-dl"]
