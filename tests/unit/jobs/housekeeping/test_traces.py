"""Traces: words of deleted rows are in no file a moment later, or as soon as it can be done."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from jobs.housekeeping import reaper, traces
from jobs.housekeeping.traces import LEAST_REST_S, VACUUM_EVERY_S, TraceRemover
from jobs.models import Job
from jobs.queue import erasure, residue
from tests.factories import make_item, make_job, make_story
from tests.unit.jobs.database_work import on_sqlite, statements

pytestmark = pytest.mark.django_db(transaction=True)


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def remover(clock: Clock) -> TraceRemover:
    """A remover of its own, which has done nothing yet."""
    return TraceRemover(clock)


@pytest.fixture
def other() -> Iterator[sqlite3.Connection]:
    """Another process that uses the same SQLite file."""
    connection.ensure_connection()
    opened = sqlite3.connect(str(database()), isolation_level=None)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _usual_connection() -> Iterator[None]:
    """What is set on a connection goes with it."""
    yield
    connection.close()


def database() -> Path:
    return Path(str(connection.settings_dict["NAME"]))


def log_bytes() -> int:
    log = Path(f"{database()}-wal")
    return log.stat().st_size if log.exists() else 0


def holds(word: str) -> bool:
    """Whether the database's file, or its log, holds a word."""
    log = Path(f"{database()}-wal")
    content = database().read_bytes() + (log.read_bytes() if log.exists() else b"")
    return word.encode() in content


def fill(word: str) -> Job:
    """A job with a word in some rows, which SQLite will leave where they were."""
    job = make_job(note=word)
    for _number in range(5):
        make_story(make_item(job), caption=f"{word} " * 100)
    # Of a large table it leaves some anyhow: copies of rows that were moved between pages.
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA secure_delete = OFF")
    return job


@on_sqlite
def test_what_is_deleted_is_overwritten() -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA secure_delete")
        assert cursor.fetchone() == (1,)


@on_sqlite
def test_a_word_of_a_forgotten_job_is_in_no_file(remover: TraceRemover) -> None:
    job = fill("Zwiebelkuchen")
    erasure.erase(job)
    assert holds("Zwiebelkuchen")
    remover.remove()
    assert not holds("Zwiebelkuchen")
    assert residue.owed() == 0
    assert log_bytes() == 0


@on_sqlite
def test_the_reaper_has_it_done(monkeypatch: pytest.MonkeyPatch, remover: TraceRemover) -> None:
    monkeypatch.setattr(traces, "remover", remover)
    erasure.erase(fill("Notarikon"))
    reaper.requeue_stalled(timezone.now())
    assert not holds("Notarikon")


@on_sqlite
def test_while_somebody_reads_it_is_left_for_later(
    remover: TraceRemover, other: sqlite3.Connection
) -> None:
    job = fill("Klapperkiste")
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM jobs_job").fetchone()
    erasure.erase(job)
    remover.remove()
    assert log_bytes()
    other.execute("COMMIT")
    remover.remove()
    assert log_bytes() == 0
    assert not holds("Klapperkiste")


@on_sqlite
def test_while_somebody_writes_it_is_left_for_later(
    remover: TraceRemover, other: sqlite3.Connection
) -> None:
    erasure.erase(fill("Flummi"))
    other.execute("BEGIN IMMEDIATE")
    remover.remove()
    assert residue.owed()
    other.execute("ROLLBACK")
    remover.remove()
    assert not holds("Flummi")


@on_sqlite
def test_it_is_written_anew_only_when_something_was_forgotten_and_not_all_the_time(
    remover: TraceRemover, clock: Clock
) -> None:
    residue.settle(residue.owed())

    def rewrites() -> int:
        with statements() as run:
            remover.remove()
        return sum(sql == "VACUUM" for sql, _ in run)

    make_job()
    assert rewrites() == 0
    residue.note()
    assert rewrites() == 1
    residue.note()
    assert rewrites() == 0
    clock.now += LEAST_REST_S
    assert rewrites() == 1


@on_sqlite
def test_a_file_that_took_long_is_left_alone_for_longer(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(Clock):
        """Each look at it is ten seconds after the one before."""

        def __call__(self) -> float:
            self.now += 10
            return self.now

    slow = Slow()
    remover = TraceRemover(slow)
    residue.note()
    remover.remove()
    residue.note()
    slow.now += LEAST_REST_S
    remover.remove()
    assert residue.owed()
    slow.now += traces.REST * 10
    remover.remove()
    assert not residue.owed()


@on_sqlite
def test_what_fails_each_time_is_not_tried_all_the_time_and_leaves_no_log(
    remover: TraceRemover, clock: Clock
) -> None:
    """As where the folder for temporary files is too small for a copy."""
    tried = []

    def fail(execute: Any, sql: str, *more: Any) -> Any:
        if sql != "VACUUM":
            return execute(sql, *more)
        tried.append(clock.now)
        clock.now += 10
        raise OperationalError("database or disk is full")

    residue.note()
    with connection.execute_wrapper(fail):
        remover.remove()
        remover.remove()
        assert len(tried) == 1
        assert log_bytes() == 0
        clock.now += traces.REST * 10
        remover.remove()
        assert len(tried) == 2
    assert residue.owed()


@on_sqlite
def test_a_large_job_is_waited_for(remover: TraceRemover) -> None:
    residue.note()
    job = make_job()
    Job.objects.filter(pk=job.pk).update(erased_at=timezone.now())
    remover.remove()
    assert residue.owed()
    assert log_bytes() == 0
    Job.with_erased.all().delete()
    remover.remove()
    assert not residue.owed()


@on_sqlite
@pytest.mark.parametrize("bound", ["bytes", "room"])
def test_a_file_that_is_too_large_is_left_as_it_is(
    bound: str, remover: TraceRemover, monkeypatch: pytest.MonkeyPatch
) -> None:
    if bound == "bytes":
        monkeypatch.setattr(traces, "MAX_BYTES", 1000)
    else:
        full = type("Full", (), {"f_bavail": 1, "f_frsize": 4096})
        monkeypatch.setattr("os.statvfs", lambda _folder: full)
    residue.note()
    remover.remove()
    assert residue.owed()
    assert log_bytes() == 0


@on_sqlite
def test_in_a_transaction_nothing_is_done(remover: TraceRemover) -> None:
    residue.note()
    with transaction.atomic():
        remover.remove()
    assert residue.owed()


@on_sqlite
def test_a_process_that_ends_leaves_no_log() -> None:
    make_job()
    assert log_bytes()
    traces.leave_none()
    assert log_bytes() == 0
    assert connection.connection is None


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no dead rows")
def test_dead_rows_of_postgresql_are_removed(remover: TraceRemover, clock: Clock) -> None:
    def dead() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_force_next_flush()")
            cursor.execute("SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'jobs_job'")
            return int(cursor.fetchone()[0])

    erasure.erase(make_job(note="x"))
    assert dead()
    remover.remove()
    assert dead() == 0
    erasure.erase(make_job(note="x"))
    remover.remove()
    assert dead()
    clock.now += VACUUM_EVERY_S
    remover.remove()
    assert dead() == 0
