"""A database that is locked or away: which errors say so, and how long to wait before the next try.

A backup that holds SQLite, a deadlock, a restart of PostgreSQL: none of them is a bug, and the same
request works a moment later.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from django.db import InterfaceError, OperationalError

RETRY_AFTER_S: Final = 5
"""Seconds whoever asked is told to wait."""
_SQLITE_CODES: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_POSTGRESQL_CLASSES: Final = ("08", "40", "53", "55", "57")
"""Classes of SQLSTATE: connection lost, transaction rolled back (deadlock, serialization), too few
resources (connections), not in the needed state (lock), operator intervention (shutdown, start)."""


def is_busy(error: BaseException) -> bool:
    """Whether an error says that the database could not do it now, and may do it later.

    error: as Django raises it, with the driver's own error as its cause.
    """
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        # Extended codes hold the plain one in their lowest byte.
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in _SQLITE_CODES
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    state = getattr(cause, "sqlstate", None)
    # Without a code it never came to an answer: the connection was refused, or it broke.
    return cause is not None and (state is None or state.startswith(_POSTGRESQL_CLASSES))
