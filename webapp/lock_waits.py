"""Who waits for SQLite's lock in the web process, and for how long: never every thread at once.

While a backup holds the lock, each request that writes would hold a thread until it is told to come
again, and soon nobody would be left to answer those who only read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from django.core.signals import request_started
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from jobs import patience
from webapp import busy

WAIT_S: Final = 30.0
"""Seconds one request waits in all."""
FIRST_MS: Final = 500
"""Milliseconds SQLite waits by itself at each try, with a seat or without."""

Execute = Callable[..., Any]


class LockWaits:
    """Seats for those who wait for the lock. For threads.

    seats: how many wait at once; who finds none is told at once that the database is busy. clock:
    seconds of a clock that nobody sets.
    """

    def __init__(self, seats: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._seats = threading.BoundedSemaphore(seats)
        self._clock = clock
        self._of_thread = threading.local()

    def install(self) -> None:
        """Have every connection made from now on wait like this, and each request begin anew."""
        connection_created.connect(self._on_connection, weak=False)
        request_started.connect(self._on_request, weak=False)

    def uninstall(self) -> None:
        """Undo `install` for connections that are made later."""
        connection_created.disconnect(self._on_connection)
        request_started.disconnect(self._on_request)

    def _on_request(self, **_: Any) -> None:
        self._of_thread.until = None

    def _on_connection(self, connection: BaseDatabaseWrapper, **_: Any) -> None:
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute(f"PRAGMA busy_timeout = {FIRST_MS}")
            if self.wait not in connection.execute_wrappers:
                connection.execute_wrappers.append(self.wait)

    def wait(self, execute: Execute, sql: str, params: Any, many: bool, context: Any) -> Any:
        """Execute a statement, again and again while the database is locked, as Django's wrappers
        of statements do. Raises what the statement raised when it has waited for long enough.

        Nothing has happened when a statement finds the lock taken, and within a transaction that
        has begun none does: there an error is a deadlock and is not waited for.
        """
        began = self._clock()
        try:
            return execute(sql, params, many, context)
        except OperationalError as error:
            if patience.is_short() or context["connection"].in_atomic_block:
                raise
            if busy.trouble(error) != "busy":
                raise
            if not self._seats.acquire(blocking=False):
                raise
        try:
            return self._wait_on(began, execute, sql, params, many, context)
        finally:
            self._seats.release()

    def _wait_on(self, began: float, execute: Execute, *statement: Any) -> Any:
        until = getattr(self._of_thread, "until", None)
        if until is None:
            until = self._of_thread.until = began + WAIT_S
        while True:
            try:
                return execute(*statement)
            except OperationalError as error:
                if busy.trouble(error) != "busy" or self._clock() >= until:
                    raise
