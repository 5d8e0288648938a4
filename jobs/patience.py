"""Patience with the database: for how long a statement waits for SQLite, or runs on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

_of_thread = threading.local()


def is_short() -> bool:
    """Whether this thread is within `at_most`: nobody else is to wait in its place."""
    return getattr(_of_thread, "short", False)


@contextmanager
def at_most(milliseconds: int) -> Iterator[None]:
    """Have this thread's connection to SQLite say soon that it is locked.

    Elsewhere nothing changes. Not inside a transaction that has begun: it waited already.
    """
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        (usual_ms,) = cursor.fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {milliseconds}")
    _of_thread.short = True
    try:
        yield
    finally:
        _of_thread.short = False
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {int(usual_ms)}")


@contextmanager
def unlimited() -> Iterator[None]:
    """Let a statement take as long as it takes, where PostgreSQL would end it after a while."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        (usual,) = cursor.fetchone()
        cursor.execute("SET statement_timeout = 0")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, false)", [usual])
