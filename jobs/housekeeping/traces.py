"""Traces: what the database keeps of rows that are gone, removed a moment later.

On SQLite the write-ahead log, which holds every page as it was written, is emptied; after something
was forgotten the file is written anew. On PostgreSQL dead rows give their space back, and the
statistics no longer quote them. docs/privacy.md says what stays.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

from django.db import DatabaseError, connection, connections, transaction

from jobs import patience
from jobs.models import Job
from jobs.queue import residue

logger = logging.getLogger(__name__)

WAIT_MS: Final = 200
"""Milliseconds a look waits for readers and writers, and makes writers wait."""
REST: Final = 200
"""After a database was written anew, it is left alone for so many times as long as that took."""
LEAST_REST_S: Final = 60.0
MAX_BYTES: Final = 256 * 1024 * 1024
"""A larger SQLite file is not written anew by itself: others would wait for it too long."""
VACUUM_EVERY_S: Final = 10 * 60.0
"""Seconds between two looks for dead rows of PostgreSQL."""


class TraceRemover:
    """Removes what the database keeps of deleted rows, when it is due. For threads.

    clock: seconds of a clock that nobody sets.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._due_at = float("-inf")

    def remove(self) -> None:
        """Do what is due. What cannot be done now, since somebody reads or writes or the disk is
        full, is due again at the next call. In a transaction nothing is done."""
        if connection.in_atomic_block or not self._lock.acquire(blocking=False):
            return
        try:
            if connection.vendor == "sqlite":
                self._rewrite_sqlite()
                empty_log()
            else:
                self._vacuum_postgresql()
        except (DatabaseError, OSError) as error:
            logger.info("traces of deleted rows are removed later: %s", type(error).__name__)
        finally:
            self._lock.release()

    def _rewrite_sqlite(self) -> None:
        number = residue.owed()
        path = _sqlite_path()
        if not number or path is None or self._clock() < self._due_at or not _fits(path):
            return
        if Job.with_erased.filter(erased_at__isnull=False).exists():
            return  # its rows are still going
        began = self._clock()
        try:
            with patience.at_most(WAIT_MS), connection.cursor() as cursor:
                cursor.execute("VACUUM")
                with transaction.atomic():
                    residue.settle(number)
        except DatabaseError:  # writers waited for it all the same
            self._rest(since=began, least_s=0.0)
            raise
        self._rest(since=began, least_s=LEAST_REST_S)

    def _vacuum_postgresql(self) -> None:
        if self._clock() < self._due_at:
            return
        began = self._clock()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT relname FROM pg_stat_user_tables"
                " WHERE schemaname = current_schema() AND n_dead_tup > 0"
            )
            dead = {name for (name,) in cursor.fetchall()}
        ours = dead & set(connection.introspection.django_table_names())
        with patience.unlimited(), connection.cursor() as cursor:
            for table in sorted(ours):
                # One that somebody alters is left for the next time.
                cursor.execute(f"VACUUM (ANALYZE, SKIP_LOCKED) {connection.ops.quote_name(table)}")
        self._rest(since=began, least_s=VACUUM_EVERY_S)

    def _rest(self, *, since: float, least_s: float) -> None:
        now = self._clock()
        self._due_at = now + max(least_s, REST * (now - since))


def empty_log() -> bool:
    """Bring SQLite's write-ahead log into its file and cut it to nothing; True when it is empty.

    False while somebody reads or writes: it is tried again. Waits for WAIT_MS.
    """
    path = _sqlite_path()
    if path is None:
        return True
    log = Path(f"{path}-wal")
    if not log.exists() or not log.stat().st_size:
        return True
    with patience.at_most(WAIT_MS), connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (busy, *_pages) = cursor.fetchone()
    return not busy


def leave_none() -> None:
    """Empty the log for the last time, as a process ends; the last one to end leaves none."""
    try:
        empty_log()
    except (DatabaseError, OSError) as error:
        logger.warning("the database's log is not emptied: %s", type(error).__name__)
    connections.close_all()


def _sqlite_path() -> Path | None:
    """The file of the SQLite database; None elsewhere and in memory."""
    if connection.vendor != "sqlite":
        return None
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA database_list")
        files = [file for _number, name, file in cursor.fetchall() if name == "main" and file]
    return Path(cast("Any", files[0])) if files else None


def _fits(path: Path) -> bool:
    """Whether a file is small enough, and the disk has room for two copies of it."""
    size = path.stat().st_size
    free = os.statvfs(path.parent)
    return size <= MAX_BYTES and free.f_bavail * free.f_frsize > 3 * size


remover: Final = TraceRemover()
"""This process's own."""
