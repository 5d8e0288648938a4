"""Readiness: whether each part can be used, tried as the app uses it: written, not only asked.

Each probe gives a bare reason, "" when all is well; reasons are public and name nobody. They are
what `/health/ready` and the diagnosis have in common.
"""

from __future__ import annotations

import errno
import socket
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Q
from django.utils import timezone

from jobs import patience
from jobs.ephemeral import connection as redis_connection
from jobs.ephemeral import heartbeats, processes
from jobs.ephemeral.connection import RedisUnavailable
from jobs.errors import NoSpaceLeft
from jobs.files import bucket_mark, capacity, disk, store
from jobs.models import Item
from jobs.ops import schema
from jobs.queue.claims import LEASE
from jobs.states import ItemState
from stories.errors import StoriesError

NOBODY_TAKES_AFTER: Final = timedelta(minutes=2)
"""A line that could start for this long, while nothing runs and nothing was begun, is left lying.
Longer than a message is lost for, and than a worker that hangs takes to be replaced."""
BUSY_AFTER_MS: Final = 3000
"""Milliseconds a probe waits for SQLite's write lock: a sweep may hold it for a moment."""

_REDIS_REASONS: Final[Mapping[str, str]] = {
    "READONLY": "read_only",
    "MISCONF": "no_snapshot",
    "OOM": "full",
    "WRONGPASS": "password",
    "LOADING": "loading",
}
_SQLITE_REASONS: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_READONLY: "read_only",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_IOERR: "full",
}
_POSTGRESQL_REASONS: Final[Mapping[str, str]] = {
    "25006": "read_only",
    "53100": "full",
    "55P03": "busy",
    "57014": "busy",
}
_BUCKET_REASONS: Final[Mapping[int, str]] = {
    errno.EACCES: "store_refuses",
    errno.ENODEV: "store_missing",
    errno.ENOSPC: "store_full",
}
_TRIAL_ROW: Final = (
    "INSERT INTO django_session (session_key, session_data, expire_date)"
    " VALUES (%s, '', CURRENT_TIMESTAMP)"
)
"""A row as every sign-in writes one, never committed."""
_TRIAL_BYTES: Final = 64 * 1024
"""So much has to fit beside SQLite's file: a sign-in, a submission."""

Probe = Callable[[], str]


def database() -> str:
    """Whether what is written is taken: "" or "busy", "read_only", "full", "away"."""
    try:
        with patience.at_most(BUSY_AFTER_MS), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_TRIAL_ROW, [uuid4().hex])
            transaction.set_rollback(True)
        _try_disk_of_sqlite()
    except DatabaseError as error:
        cause = error.__cause__
        if state := getattr(cause, "sqlstate", None):
            return _POSTGRESQL_REASONS.get(state, "away")
        return _SQLITE_REASONS.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF, "away")
    except OSError as error:
        return "read_only" if error.errno == errno.EROFS else "full"
    return ""


def _try_disk_of_sqlite() -> None:
    """Write a file beside SQLite's. SQLite itself writes nothing of what is rolled back.

    Raises OSError.
    """
    name = str(connection.settings_dict["NAME"])
    if connection.vendor != "sqlite" or not Path(name).is_file():
        return
    with tempfile.TemporaryFile(dir=Path(name).parent, buffering=0) as file:
        file.write(bytes(_TRIAL_BYTES))


class _Migrations:
    """Whether every migration is applied, and no other: "" or "behind", "newer".

    Once true, it stays so while this process runs.
    """

    done = False

    def __call__(self) -> str:
        if not self.done:
            if schema.unknown_migrations():
                return "newer"
            executor = MigrationExecutor(connection)
            self.done = not executor.migration_plan(executor.loader.graph.leaf_nodes())
        return "" if self.done else "behind"


migrations: Final = _Migrations()


def redis() -> str:
    """Whether Redis takes what is written: "" or "away", "password", "loading", "read_only" (it is
    a replica), "no_snapshot" (its disk), "full" (its memory), "refuses"."""
    try:
        redis_connection.probe_write()
    except RedisUnavailable as error:
        return _REDIS_REASONS.get(error.reason, "refuses" if error.reason else "away")
    return ""


def artifact_disk() -> str:
    """Whether the disk takes files: "" or "not_mounted", "full" (no more than
    STORYKEEP_DISK_MIN_FREE is left), "no_more_files" (of inodes, or of a quota), "not_writable";
    where saved files are in a bucket, of that "store_away", "store_refuses" (our keys),
    "store_missing" (there is no such bucket), "store_full", "store_is_another".

    At STORYKEEP_DISK_MAX it is ready: everything but new work goes on, and saved files make room by
    themselves when their time is over. Which files should be there, the database knows; while it is
    away, the folder is taken for the right one.
    """
    try:
        with suppress(DatabaseError):
            if not store.is_remote() and disk.is_unmounted():
                return "not_mounted"
        if capacity.is_scarce(disk.free_bytes()):
            return "full"
        if store.is_remote() and (reason := _bucket_reason()):
            return reason
        disk.probe_write()
    except NoSpaceLeft:
        return "no_more_files"
    except (OSError, StoriesError):
        return "not_writable"
    return ""


def _bucket_reason() -> str:
    """Why the bucket for saved files cannot be used; "" when it can, and while the database is
    away, which knows whose it is."""
    with suppress(DatabaseError):
        look = bucket_mark.looks.look()
        fault = look.read_fault or look.write_fault
        if fault is not None:
            return _BUCKET_REASONS.get(fault.errno or 0, "store_away")
        return "store_is_another" if look.is_another else ""
    return ""


def queue() -> str:
    """Whether lines are taken: "", or "nobody_takes" when one is due for NOBODY_TAKES_AFTER and no
    worker works.

    A queue that is merely long is ready, for then something runs.
    """
    now = timezone.now()
    since = now - NOBODY_TAKES_AFTER
    overdue = Item.objects.due(now).filter(
        Q(not_before=None) | Q(not_before__lte=since), asked_at__lte=since
    )
    if not overdue.exists():
        return ""
    running = Q(state=ItemState.RUNNING, heartbeat_at__gt=now - LEASE)
    begun = Q(claimed_at__gt=since)
    return "" if Item.objects.filter(running | begun).exists() else "nobody_takes"


class _Here:
    """What runs beside this process. workers: that its supervisor keeps running; 0 without one."""

    workers = 0


def expect_workers_here() -> None:
    """The supervisor of this process keeps workers running beside it: as many as settings say."""
    _Here.workers = settings.STORYKEEP.workers


def workers_wanted() -> int:
    """How many workers there should be: on each host as many as `up` keeps running there.

    Known of the hosts whose workers told of themselves lately, and of this one; without any, and
    while Redis is away, it is what the settings say.
    """
    wanted: dict[str, int] = {}
    if _Here.workers:
        wanted[socket.gethostname()] = _Here.workers
    with suppress(RedisUnavailable):
        for process in processes.running():
            if process.kind == "worker":
                wanted[process.host] = max(wanted.get(process.host, 0), process.workers)
    return sum(wanted.values()) or settings.STORYKEEP.workers


def workers_alive() -> int | None:
    """How many workers gave a sign of life lately; None while Redis is away."""
    try:
        return len(heartbeats.alive())
    except RedisUnavailable:
        return None


PROBES: Final[Mapping[str, Probe]] = {
    "database": database,
    "migrations": migrations,
    "redis": redis,
    "disk": artifact_disk,
    "queue": queue,
}
"""The probes by the part they try, in the order of the report."""
