"""The work of queries, counted and not timed: SQLite's own steps, and the plans it makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

on_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="counts SQLite's own steps")
with_and_without_statistics = pytest.mark.parametrize(
    "statistics", [False, True], ids=["without statistics", "with statistics"]
)

STEP = 20


def steps(action: Callable[[], object]) -> int:
    """Instructions of SQLite's virtual machine that an action costs, in steps of twenty."""
    count = 0

    def tick() -> int:
        nonlocal count
        count += STEP
        return 0

    connection.ensure_connection()
    sqlite: Any = connection.connection
    sqlite.set_progress_handler(tick, STEP)
    try:
        action()
    finally:
        sqlite.set_progress_handler(None, STEP)
    return count


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """The statements run meanwhile, with their parameters."""
    run: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        run.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield run


_OUR_OWN = frozenset(
    {"owners", "first_lines", "running", "stories", "files", "subquery", "CONSTANT"}
)
"""Names in our queries that are no tables: what they hold is made on the way."""


def _reads_all_of_a_table(line: str) -> bool:
    """Whether a line of a plan is about a table, or an alias of one, from end to end."""
    words = line.split()
    return words[0] == "SCAN" and words[1] not in _OUR_OWN


def full_scans(action: Callable[[], object]) -> list[str]:
    """Statements of an action that read a table of jobs from end to end, with SQLite's plan."""
    with statements() as run:
        action()
    scans = []
    for sql, params in run:
        reads = sql.lstrip().upper().startswith(("SELECT", "WITH", "UPDATE", "DELETE"))
        if not reads or "jobs_" not in sql:
            continue
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
            plan = [str(row[3]) for row in cursor.fetchall()]
        scans += [f"{line}: {sql}" for line in plan if _reads_all_of_a_table(line)]
    return scans


def analyze(statistics: bool) -> None:  # a parameter of tests
    """Have the database know how many rows there are, or have it guess."""
    with connection.cursor() as cursor:
        if statistics:
            cursor.execute("ANALYZE")
            return
        cursor.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'")
        if cursor.fetchall():
            cursor.execute("DELETE FROM sqlite_stat1")
            cursor.execute("ANALYZE sqlite_master")  # has it read what is left of them
