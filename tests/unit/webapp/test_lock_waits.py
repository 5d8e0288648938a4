"""Waiting for SQLite's lock: some wait, and the others are told at once; nobody waits for long."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.signals import request_started
from django.db import OperationalError, connection

from jobs import patience
from jobs.models import Job
from tests.factories import make_job
from tests.unit.jobs.database_work import on_sqlite
from webapp.lock_waits import FIRST_MS, WAIT_S, LockWaits


class Database:
    """Stands in for a database that is locked for so many tries, each of which takes a second."""

    def __init__(self, locked_for: float) -> None:
        self.now = 0.0
        self.locked_for = locked_for
        self.tries = 0
        self.began = threading.Event()
        self.goes_on = threading.Event()
        self.goes_on.set()

    def clock(self) -> float:
        return self.now

    def execute(self, sql: str, _params: Any, _many: bool, _context: Any) -> str:
        self.tries += 1
        if self.tries > 1:
            self.began.set()
            assert self.goes_on.wait(10)
        self.now += 1
        if self.tries > self.locked_for:
            return sql
        raise locked()


def locked() -> OperationalError:
    cause = sqlite3.OperationalError("database is locked")
    cause.sqlite_errorcode = sqlite3.SQLITE_BUSY
    error = OperationalError("database is locked")
    error.__cause__ = cause
    return error


def wait(waits: LockWaits, database: Database, *, in_transaction: bool = False) -> str:
    context = {"connection": SimpleNamespace(in_atomic_block=in_transaction)}
    return str(waits.wait(database.execute, "BEGIN IMMEDIATE", None, False, context))


def test_a_lock_that_is_given_back_in_time_is_waited_for() -> None:
    database = Database(locked_for=12)
    assert wait(LockWaits(1, database.clock), database) == "BEGIN IMMEDIATE"
    assert database.tries == 13


def test_nobody_waits_for_longer_than_promised() -> None:
    database = Database(locked_for=1000)
    with pytest.raises(OperationalError, match="locked"):
        wait(LockWaits(1, database.clock), database)
    assert database.now == WAIT_S


def test_a_request_waits_once_however_many_statements_it_has() -> None:
    database = Database(locked_for=20)
    waits = LockWaits(1, database.clock)
    wait(waits, database)
    database.tries, database.locked_for = 0, 1000
    with pytest.raises(OperationalError, match="locked"):
        wait(waits, database)
    assert database.now == WAIT_S


def test_the_next_request_waits_anew() -> None:
    database = Database(locked_for=1000)
    waits = LockWaits(1, database.clock)
    waits.install()
    try:
        with pytest.raises(OperationalError):
            wait(waits, database)
        request_started.send(sender=object())
        database.tries, database.locked_for = 0, 12
        assert wait(waits, database)
    finally:
        waits.uninstall()


def test_who_finds_no_seat_is_told_at_once_and_seats_are_given_back() -> None:
    slow, quick = Database(locked_for=2), Database(locked_for=1)
    waits = LockWaits(1, slow.clock)
    slow.goes_on.clear()
    sitting = threading.Thread(target=wait, args=(waits, slow))
    sitting.start()
    assert slow.began.wait(10)
    with pytest.raises(OperationalError):
        wait(waits, quick)
    assert quick.tries == 1
    slow.goes_on.set()
    sitting.join(10)
    quick.tries = 0
    assert wait(waits, quick)


def test_within_a_transaction_nothing_is_tried_again() -> None:
    database = Database(locked_for=1)
    with pytest.raises(OperationalError):
        wait(LockWaits(1, database.clock), database, in_transaction=True)
    assert database.tries == 1


@on_sqlite
@pytest.mark.django_db
def test_who_has_little_patience_is_not_made_to_wait() -> None:
    database = Database(locked_for=1)
    with patience.at_most(1), pytest.raises(OperationalError):
        wait(LockWaits(1, database.clock), database)
    assert database.tries == 1


def test_another_error_is_not_waited_for() -> None:
    class Broken(Database):
        """Has no such table."""

        def execute(self, *_: Any) -> str:
            self.tries += 1
            raise OperationalError("no such table")

    database = Broken(0)
    with pytest.raises(OperationalError, match="table"):
        wait(LockWaits(1, database.clock), database)
    assert database.tries == 1


@pytest.fixture
def held(transactional_db: None) -> Iterator[sqlite3.Connection]:
    """SQLite while something else holds it."""
    path = str(connection.settings_dict["NAME"])
    if connection.vendor != "sqlite" or not Path(path).is_file():
        pytest.skip("SQLite alone has one lock for all")
    backup = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    yield backup
    backup.close()
    connection.close()


def test_a_connection_waits_like_this(
    held: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, tries = LockWaits(1), []
    connection.close()
    waits.install()
    try:
        connection.ensure_connection()
    finally:
        waits.uninstall()
    held.execute("BEGIN IMMEDIATE")

    def wait_on(began: float, execute: Callable[..., Any], *statement: Any) -> Any:
        tries.append(statement[0])
        held.execute("ROLLBACK")
        return execute(*statement)

    monkeypatch.setattr(waits, "_wait_on", wait_on)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        assert cursor.fetchone() == (FIRST_MS,)
    make_job()
    assert len(tries) == 1
    assert Job.objects.count() == 1
    connection.execute_wrappers.clear()
