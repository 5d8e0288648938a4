"""The probes: each tries its part as the app uses it, and gives a bare reason."""

from __future__ import annotations

import errno
import socket
import sqlite3
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from jobs.ephemeral import connection as redis_connection
from jobs.ephemeral import processes
from jobs.ephemeral.connection import RedisUnavailable
from jobs.ephemeral.processes import RunningProcess
from jobs.files import disk
from jobs.models import Item
from jobs.ops import readiness
from jobs.states import ItemState
from tests.factories import make_item
from tests.unit.jobs.database_work import on_sqlite

pytestmark = pytest.mark.django_db
S = ItemState


# --- the database ---------------------------------------------------------------------------------


def test_a_database_that_can_be_written() -> None:
    assert readiness.database() == ""


@pytest.mark.django_db(transaction=True)
def test_a_database_that_a_backup_holds_is_found_busy_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("SQLite alone has one lock for all")
    monkeypatch.setattr(readiness, "BUSY_AFTER_MS", 20)
    backup = sqlite3.connect(str(connection.settings_dict["NAME"]), isolation_level=None)
    with connection.cursor() as cursor:
        before = cursor.execute("PRAGMA busy_timeout").fetchone()
        backup.execute("BEGIN EXCLUSIVE")
        assert readiness.database() == "busy"
        backup.execute("ROLLBACK")
        backup.close()
        assert readiness.database() == ""
        assert cursor.execute("PRAGMA busy_timeout").fetchone() == before


@pytest.mark.django_db(transaction=True)
def test_a_database_that_can_only_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert readiness.database() == ""
    if connection.vendor == "sqlite":
        path = connection.settings_dict["NAME"]
        connection.close()
        monkeypatch.setitem(connection.settings_dict, "NAME", f"file:{path}?mode=ro")
        assert readiness.database() == "read_only"
        connection.close()
    else:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
            assert readiness.database() == "read_only"
            cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE")


def test_a_database_that_is_away() -> None:
    def away(*_: Any) -> None:
        raise OperationalError("password of someone at db.example is wrong")

    with connection.execute_wrapper(away):
        assert readiness.database() == "away"


@on_sqlite
@pytest.mark.parametrize(
    ("code", "reason"), [(errno.ENOSPC, "full"), (errno.EDQUOT, "full"), (errno.EROFS, "read_only")]
)
def test_a_database_whose_disk_takes_no_more(
    monkeypatch: pytest.MonkeyPatch, code: int, reason: str
) -> None:
    """What SQLite rolls back it never writes, so a transaction alone would find all well."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(code, "…")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert readiness.database() == reason


@pytest.mark.parametrize(
    ("state", "reason"),
    [("53100", "full"), ("25006", "read_only"), ("55P03", "busy"), ("57P01", "away")],
)
def test_what_postgresql_says(state: str, reason: str) -> None:
    def refuse(*_: Any) -> None:
        cause = Exception("what the server said")
        cause.sqlstate = state  # type: ignore[attr-defined]
        raise OperationalError("…") from cause

    with connection.execute_wrapper(refuse):
        assert readiness.database() == reason


# --- Redis ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "away"),
        ("WRONGPASS", "password"),
        ("LOADING", "loading"),
        ("READONLY", "read_only"),
        ("MISCONF", "no_snapshot"),
        ("OOM", "full"),
        ("NOPERM", "refuses"),
    ],
)
def test_why_redis_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, answer: str, reason: str
) -> None:
    def refuse() -> None:
        raise RedisUnavailable(answer)

    monkeypatch.setattr(redis_connection, "probe_write", refuse)
    assert readiness.redis() == reason


def test_a_redis_that_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_connection, "probe_write", lambda: None)
    assert readiness.redis() == ""


# --- workers --------------------------------------------------------------------------------------


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[RunningProcess]:
    """What processes told of themselves: change the list. This host is `here`."""
    running: list[RunningProcess] = []
    monkeypatch.setattr(processes, "running", lambda: tuple(running))
    monkeypatch.setattr(socket, "gethostname", lambda: "here")
    monkeypatch.setattr(readiness._Here, "workers", 0)
    return running


def process(name: str, workers: int = 1) -> RunningProcess:
    return RunningProcess(
        name=name, version="1", started_at=datetime(2026, 11, 30, tzinfo=UTC), workers=workers
    )


def test_workers_of_several_hosts_are_wanted_together(
    told: list[RunningProcess], set_env: Callable[..., None]
) -> None:
    set_env(workers=2)
    assert readiness.workers_wanted() == 2, "nobody tells"
    told += [process("worker-1@here", 2), process("worker-2@here", 2), process("scheduler-3@c")]
    assert readiness.workers_wanted() == 2
    told += [process("worker-1@nas", 3), process("worker-1@attic")]
    assert readiness.workers_wanted() == 6


def test_a_web_server_apart_from_the_workers_wants_those_there_are(
    told: list[RunningProcess], set_env: Callable[..., None]
) -> None:
    set_env(workers=1)
    told += [process("worker-1@pod-a"), process("worker-1@pod-b")]
    assert readiness.workers_wanted() == 2


def test_workers_that_are_gone_from_this_host_are_missing_however_many_are_elsewhere(
    told: list[RunningProcess], set_env: Callable[..., None]
) -> None:
    set_env(workers=2)
    readiness.expect_workers_here()
    told.append(process("worker-1@nas", 3))
    assert readiness.workers_wanted() == 5


def test_without_redis_the_settings_say_how_many_workers(
    monkeypatch: pytest.MonkeyPatch, told: list[RunningProcess], set_env: Callable[..., None]
) -> None:
    def away() -> None:
        raise RedisUnavailable

    monkeypatch.setattr(processes, "running", away)
    set_env(workers=2)
    assert readiness.workers_wanted() == 2


# --- the disk -------------------------------------------------------------------------------------


def test_a_disk_with_room() -> None:
    assert readiness.artifact_disk() == ""


def test_a_disk_without_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda: -1)
    assert readiness.artifact_disk() == "full"


def test_a_disk_that_is_not_mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "is_unmounted", lambda: True)
    assert readiness.artifact_disk() == "not_mounted"


def test_a_disk_that_is_there_and_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise OSError(30, "Read-only file system", "/srv/secret/place")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert readiness.artifact_disk() == "not_writable"


def test_a_disk_with_free_bytes_that_takes_no_more_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert readiness.artifact_disk() == "no_more_files"


def test_a_probe_of_the_disk_leaves_nothing(tmp_path: Path, settings: Any) -> None:
    assert readiness.artifact_disk() == ""
    assert not list((settings.STORYKEEP.artifacts / disk.WORK).iterdir())


# --- the queue ------------------------------------------------------------------------------------

LONG = readiness.NOBODY_TAKES_AFTER + timedelta(minutes=1)


def ago(span: timedelta) -> datetime:
    return timezone.now() - span


def test_a_due_line_that_nobody_takes_is_not_ready() -> None:
    make_item(asked_at=ago(LONG))
    assert readiness.queue() == "nobody_takes"


def test_a_line_that_was_due_again_long_ago() -> None:
    make_item(asked_at=ago(timedelta(hours=2)), not_before=ago(LONG))
    assert readiness.queue() == "nobody_takes"


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"asked_at": timedelta(seconds=30)}, id="asked for a moment ago"),
        pytest.param(
            {"asked_at": LONG, "not_before": timedelta(hours=-1)},
            id="it has to wait",
        ),
        pytest.param(
            {"asked_at": LONG, "not_before": timedelta(seconds=30)},
            id="its wait is over since a moment",
        ),
        pytest.param({"asked_at": LONG, "state": S.DONE}, id="it is settled"),
        pytest.param({"asked_at": -LONG}, id="asked for before the clock was set back"),
    ],
)
def test_a_line_that_is_not_left_lying(facts: dict[str, Any]) -> None:
    """facts: a span is so long ago when the test runs, which is not when it was collected."""
    columns: dict[str, Any] = {
        name: ago(fact) if isinstance(fact, timedelta) else fact for name, fact in facts.items()
    }
    make_item(**columns)
    assert readiness.queue() == ""


def test_a_queue_that_is_merely_long_is_ready() -> None:
    for _ in range(5):
        make_item(asked_at=ago(timedelta(hours=1)))
    running = make_item(state=S.RUNNING, claimed_at=ago(LONG), heartbeat_at=timezone.now())
    assert readiness.queue() == ""
    Item.objects.filter(pk=running.pk).update(heartbeat_at=ago(LONG))  # its worker is gone, too
    assert readiness.queue() == "nobody_takes"


def test_short_lines_one_after_the_other_are_work_as_well() -> None:
    make_item(asked_at=ago(timedelta(hours=1)))
    make_item(state=S.DONE, claimed_at=ago(timedelta(seconds=20)))
    assert readiness.queue() == ""
