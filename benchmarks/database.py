"""What PostgreSQL tells of a run: statements and their time, waits for locks, deadlocks.

Asked over a connection of its own, by a role whose own statements do not count. Needs the extension
pg_stat_statements, which comes with PostgreSQL's server.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import psycopg

from benchmarks.meters import _Watch
from tests.postgres import Cluster

EVERY_S: Final = 0.02
"""Seconds between two looks at what the connections wait for."""
_OPEN: Final = """
SELECT count(*) FROM jobs_item
WHERE state IN ('queued', 'running') AND (not_before IS NULL OR not_before < now() + '30 min')
"""
_BUSY: Final = """
SELECT count(*), count(*) FILTER (WHERE wait_event_type = 'Lock')
FROM pg_stat_activity
WHERE state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
_LONGEST: Final = """
SELECT COALESCE(MAX(EXTRACT(EPOCH FROM clock_timestamp() - waitstart)), 0)
FROM pg_locks WHERE NOT granted
"""
_SENT: Final = """
SELECT SUM(calls), SUM(total_exec_time) / 1000, query FROM pg_stat_statements
WHERE userid <> (SELECT oid FROM pg_roles WHERE rolname = current_user)
GROUP BY query ORDER BY 1 DESC, 2 DESC
"""
_KEY_CHECK: Final = "FOR KEY SHARE OF x"
"""The end of the statements PostgreSQL itself makes to check foreign keys as a transaction ends."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What happened from `begin` to `end`.

    statements: number, seconds and text of each, transactions' beginnings and ends among them, most
    frequent first. long_waits: for a lock, for more than a second.
    """

    statements: Sequence[tuple[int, float, str]]
    long_waits: int
    deadlocks: int

    @property
    def sent(self) -> int:
        """Statements that were sent."""
        return sum(calls for calls, _, sql in self.statements if _KEY_CHECK not in sql)

    @property
    def key_checks(self) -> int:
        """Looks at foreign keys, which nobody sends."""
        return sum(calls for calls, _, sql in self.statements if _KEY_CHECK in sql)

    @property
    def spent_s(self) -> float:
        """Seconds in the database, waits included."""
        return sum(spent_s for _, spent_s, _ in self.statements)


class Database:
    """A throwaway server, as somebody sees it who only looks. For a cluster with SETTINGS."""

    SETTINGS: ClassVar = {
        "shared_preload_libraries": "pg_stat_statements",
        "log_lock_waits": "on",  # those of longer than deadlock_timeout
        "deadlock_timeout": "1s",
    }

    def __init__(self, cluster: Cluster) -> None:
        self.pid, self._log = cluster.pid, cluster.log
        with psycopg.connect(cluster.url, autocommit=True) as owner:
            owner.execute("CREATE ROLE observer SUPERUSER LOGIN")
            owner.execute("CREATE EXTENSION pg_stat_statements")
        url = cluster.url.replace("//storykeep@", "//observer@")
        self._connection = psycopg.connect(url, autocommit=True)
        self._at_begin = (0, 0)

    def close(self) -> None:
        """Look no more."""
        self._connection.close()

    def begin(self) -> None:
        """Count from here."""
        self._row("SELECT pg_stat_statements_reset() IS NULL")
        self._at_begin = self._told()

    def end(self) -> Counted:
        """What was counted since `begin`."""
        rows = self._connection.execute(_SENT).fetchall()
        waits, deadlocks = (
            now - then for now, then in zip(self._told(), self._at_begin, strict=True)
        )
        return Counted([(int(calls), float(s), sql) for calls, s, sql in rows], waits, deadlocks)

    def open_lines(self) -> int:
        """Lines that are not settled, those that are held back aside."""
        return int(self._row(_OPEN)[0])

    def busy(self) -> tuple[int, int, float]:
        """Connections with a statement at work, those of them that wait for a lock, and the seconds
        the longest of these has waited."""
        active, waiting = self._row(_BUSY)
        return active, waiting, float(self._row(_LONGEST)[0]) if waiting else 0.0

    def _told(self) -> tuple[int, int]:
        log = self._log.read_text(errors="replace")
        return log.count(" still waiting for "), log.count("deadlock detected")

    def _row(self, sql: str) -> tuple[Any, ...]:
        row = self._connection.execute(sql).fetchone()
        assert row is not None
        return row


class Watch(_Watch):
    """Samples of what the connections wait for while the block runs."""

    every_s = EVERY_S

    def __init__(self, database: Database) -> None:
        super().__init__(database.pid)
        self._database = database
        self._active = self._waiting = 0
        self.longest_wait_s = 0.0

    @property
    def lock_share(self) -> float:
        """Of the time in the database, the share spent waiting for locks."""
        return self._waiting / self._active if self._active else 0.0

    def until_settled(self, within_s: float) -> None:
        """Return once no line is open. Raises RuntimeError when that takes too long."""
        give_up_at = time.monotonic() + within_s
        while self._database.open_lines():
            if time.monotonic() > give_up_at:
                raise RuntimeError(f"lines were open for {within_s:.0f} s")
            time.sleep(EVERY_S)

    def _look(self) -> None:
        active, waiting, longest_s = self._database.busy()
        self._active += active
        self._waiting += waiting
        self.longest_wait_s = max(self.longest_wait_s, longest_s)
