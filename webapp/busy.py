"""A database that cannot do it now: locked, away, full or read-only; how long to wait before
the next try.

A backup that holds SQLite, a deadlock, a restart of PostgreSQL, a disk without room: none of them
is a bug, and the same request works once it is over.
"""

from __future__ import annotations

import errno
import sqlite3
from typing import Final, Literal

from django.db import InterfaceError, InternalError, OperationalError

RETRY_AFTER_S: Final = 5
"""Seconds whoever asked is told to wait while the database is busy."""
RETRY_FULL_AFTER_S: Final = 60
"""Seconds to wait while nothing can be written: somebody has to make room first."""

Trouble = Literal["busy", "cannot_write", ""]
"""Codes of `jobs.errors`; "" for a bug."""

_SQLITE: Final[dict[int, Trouble]] = {
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_PROTOCOL: "busy",
    sqlite3.SQLITE_FULL: "cannot_write",
    sqlite3.SQLITE_IOERR: "cannot_write",
    sqlite3.SQLITE_READONLY: "cannot_write",
    sqlite3.SQLITE_CANTOPEN: "cannot_write",
}
_POSTGRESQL: Final[dict[str, Trouble]] = {
    "53100": "cannot_write",  # its disk is full
    "58030": "cannot_write",  # its disk fails
    "25006": "cannot_write",  # it is read-only: a replica, as after a failover
    "25P03": "busy",  # a transaction ended by a limit on its time
}
_POSTGRESQL_CLASSES: Final = ("08", "40", "53", "55", "57", "58")
"""Classes of SQLSTATE: connection lost, transaction rolled back (deadlock, serialization), too few
resources (connections), not in the needed state (lock), operator intervention (shutdown, start,
limit on a statement's time), system error."""
_DISK_ERRORS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})


def trouble(error: BaseException) -> Trouble:
    """What keeps the database, or a disk, from doing it now, when it may do it later.

    error: as Django raises it, with the driver's own error as its cause; or an OSError.
    """
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        # Extended codes hold the plain one in their lowest byte.
        return _SQLITE.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF, "")
    if isinstance(error, OSError):
        return "cannot_write" if error.errno in _DISK_ERRORS else ""
    if cause is None or not isinstance(error, OperationalError | InterfaceError | InternalError):
        return ""
    state = getattr(cause, "sqlstate", None)
    if state is None:
        # It never came to an answer: the connection was refused, or it broke.
        return "" if isinstance(error, InternalError) else "busy"
    return _POSTGRESQL.get(state) or ("busy" if state.startswith(_POSTGRESQL_CLASSES) else "")


def retry_after_s(kind: Trouble) -> int:
    """Seconds to wait before the next try."""
    return RETRY_FULL_AFTER_S if kind == "cannot_write" else RETRY_AFTER_S
