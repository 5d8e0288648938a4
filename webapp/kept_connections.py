"""Kept connections: those of the worker's threads to the database, from one task to the next.

Celery would close them before and after each task. A new one costs PostgreSQL a process with empty
caches, and each line several statements more (docs/decisions/0053).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from django.db import DEFAULT_DB_ALIAS, DatabaseError, close_old_connections, connections
from django.db.backends.base.base import BaseDatabaseWrapper

IDLE_S: Final = 20.0
"""Seconds without a task after which a thread's connection is closed: it costs memory."""
TRUSTED_S: Final = 3.0
"""Seconds for which a connection that worked is taken to work. After longer it is asked first."""


class KeptConnections:
    """The connections of a process whose threads have no task. For any thread.

    now: seconds of a clock that nobody sets.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._idle: dict[int, tuple[BaseDatabaseWrapper, float]] = {}

    def begin(self) -> None:
        """A task begins in this thread: nobody else closes its connection until `end`."""
        with self._lock:
            own, since = self._idle.pop(threading.get_ident(), (None, 0.0))
        if own is not None and self._now() - since < TRUSTED_S:
            own.health_check_done = True  # type: ignore[attr-defined]  # not in the stubs
        else:
            close_old_connections()

    def end(self) -> None:
        """A task has ended in this thread; a connection that failed it is closed."""
        close_old_connections()
        own = connections[DEFAULT_DB_ALIAS]
        if own.connection is not None:
            with self._lock:
                self._idle[threading.get_ident()] = (own, self._now())

    def close_idle(self, idle_s: float = IDLE_S) -> int:
        """Close those without a task for so long; how many that were."""
        with self._lock:
            until = self._now() - idle_s
            threads = [thread for thread, (_, since) in self._idle.items() if since <= until]
            for thread in threads:
                _close(self._idle.pop(thread)[0])
        return len(threads)


def _close(connection: BaseDatabaseWrapper) -> None:
    connection.inc_thread_sharing()
    try:
        connection.close()
    except DatabaseError:  # the server went first
        connection.connection = None
    finally:
        connection.dec_thread_sharing()


kept: Final = KeptConnections()
"""Those of this process."""
