"""What one call costs: CPU of this process and of its database connection, and SQL statements."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from django.db import DatabaseError, connection

from benchmarks import meters

LIMIT_S: Final = 10.0
"""CPU seconds after which a statement is broken off."""
REPEAT: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The median of several calls. ended: False for one that was broken off after LIMIT_S.

    cpu_ms: with what the database server used for this connection. wire_bytes: of the answer to a
    request, 0 for other calls.
    """

    cpu_ms: float
    statements: int
    wire_bytes: int = 0
    ended: bool = True


def cost(
    act: Callable[[], Any], *, before_each: Callable[[], Any] = lambda: None, repeat: int = REPEAT
) -> Cost:
    """The cost of `act`, called once without counting and then some times; once when it is slow.

    What `act` returns is taken for the bytes of an answer when it is a number.
    """
    first = _once(act, before_each)
    if not first.ended or first.cpu_ms > 1000 or repeat == 1:
        return first
    costs = [_once(act, before_each) for _ in range(repeat)]
    return Cost(
        cpu_ms=statistics.median(cost.cpu_ms for cost in costs),
        statements=round(statistics.median(cost.statements for cost in costs)),
        wire_bytes=round(statistics.median(cost.wire_bytes for cost in costs)),
    )


def _once(act: Callable[[], Any], before: Callable[[], Any]) -> Cost:
    before()
    counted = 0

    def count(execute: Callable[..., Any], *arguments: Any) -> Any:
        nonlocal counted
        counted += 1
        return execute(*arguments)

    ended, answer = True, None
    server_pid = _server_pid()
    with _limited(), connection.execute_wrapper(count):
        server_s = meters.cpu_s(server_pid) if server_pid else 0.0
        began = time.process_time()
        try:
            answer = act()
        except DatabaseError as error:
            if not _is_limit(error):
                raise
            ended = False
        spent_s = time.process_time() - began
        spent_s += meters.cpu_s(server_pid) - server_s if server_pid else 0.0
    return Cost(
        cpu_ms=spent_s * 1000,
        statements=counted,
        wire_bytes=answer if isinstance(answer, int) else 0,
        ended=ended,
    )


def _server_pid() -> int:
    """The process that serves this connection; 0 with SQLite, which runs in ours."""
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


@contextmanager
def _limited() -> Iterator[None]:
    """Break a statement off that takes too long, so that a table comes to its end."""
    connection.ensure_connection()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET statement_timeout = {int(LIMIT_S * 1000)}")
        yield
        return
    end_at = time.process_time() + LIMIT_S
    connection.connection.set_progress_handler(lambda: time.process_time() > end_at, 100_000)
    try:
        yield
    finally:
        if connection.connection is not None:
            connection.connection.set_progress_handler(None, 0)


def _is_limit(error: DatabaseError) -> bool:
    return any(word in str(error) for word in ("interrupted", "statement timeout"))
