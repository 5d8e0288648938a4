"""Fairness: whose line is next. Each owner has turns; of lines at the same turn the oldest goes.

A line's turn is its place among its owner's lines, plus the number of lines its owner has running.
Only the first lines of an owner can be next, so only those are read, each found in an index: the
cost grows with the number of owners who wait, and not with their lines.

A line whose time of asking lies ahead yields to all others: nobody asked for it, a watch found it
(jobs/watching/found.py). Among themselves such lines have turns as well.

The queries are written as SQL for the sake of their plans. With the state as a constant both
databases can step through the index `item_waiting` from owner to owner; SQLite is told to, for it
takes another index, with statistics or without (docs/decisions/0028).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

_WAITING: Final = "state = 'queued' AND (not_before IS NULL OR not_before <= %s)"
_TRUSTED: Final = " AND deaths = 0"
_UNSENT: Final = " AND (sent_at IS NULL OR sent_at <= %s OR sent_at > %s)"

OWNERS: Final = """owners(owner_id) AS (
    SELECT MIN(owner_id) FROM jobs_item {by_item_waiting} WHERE state = 'queued'
  UNION ALL
    SELECT (
      SELECT MIN(owner_id) FROM jobs_item {by_item_waiting}
      WHERE state = 'queued' AND owner_id > owners.owner_id
    )
    FROM owners WHERE owners.owner_id IS NOT NULL
)"""
"""Whose lines wait, and a NULL at the end: part of a recursive query."""
RUNNING: Final = """running(owner_id, lines) AS (
    SELECT owner_id, COUNT(*) FROM jobs_item {by_item_lease} WHERE state = 'running'
    GROUP BY owner_id
)"""
"""How many lines each owner has running, of those that have some: part of a query."""

_FIRST_LINES: Final = """
WITH RECURSIVE {owners},
first_lines(owner_id, id) AS (
    SELECT owners.owner_id, (
      SELECT id FROM jobs_item {by_item_waiting}
      WHERE owner_id = owners.owner_id AND {wanted}
      ORDER BY asked_at, position, id LIMIT 1
    )
    FROM owners WHERE owners.owner_id IS NOT NULL
),
{running}
SELECT item.id, item.owner_id, COALESCE(running.lines, 0) AS turn, item.deaths,
  item.asked_at > %s AS yields,
  item.sent_at IS NOT NULL AND item.sent_at > %s AND item.sent_at <= %s
FROM first_lines
CROSS JOIN jobs_item item
LEFT JOIN running ON running.owner_id = first_lines.owner_id
WHERE item.id = first_lines.id
ORDER BY yields, turn, item.asked_at, item.position, item.id
LIMIT %s
"""
_LINES_OF: Final = """
SELECT id, asked_at > %s, asked_at, position FROM jobs_item {by_item_waiting}
WHERE {wanted} AND owner_id = %s
ORDER BY asked_at, position, id LIMIT %s
"""
_SENT: Final = """
SELECT COUNT(*) FROM jobs_item {by_item_in_broker}
WHERE {wanted} AND sent_at IS NOT NULL AND sent_at > %s AND sent_at <= %s
"""

_FIRST_SENT: Final = """
SELECT id FROM jobs_item {by_item_in_broker}
WHERE state = 'queued' AND sent_at IS NOT NULL AND sent_at > %s AND sent_at <= %s
ORDER BY sent_at LIMIT 1
"""

Window = tuple[datetime, datetime]
"""The times after and up to which a message was sent that may still be in the broker."""


@dataclass(frozen=True, slots=True)
class NextLine:
    """The line that is next.

    alone: it is to be tried with nothing else in hand. was_sent: within the window asked about.
    """

    item_id: UUID
    alone: bool
    was_sent: bool = field(default=False, compare=False)


def next_line(
    now: datetime, *, trusted: bool = False, window: Window | None = None
) -> NextLine | None:
    """The due line whose owner has the fewest running, the oldest of those; None without one.

    trusted: of the lines that need not be tried alone. window: asks whether its message was sent
    then.
    """
    times = _adapted(*(window or (now, now)))
    for line_id, _, _, deaths, _, was_sent in _rows(
        _FIRST_LINES, now, None, *_adapted(now), *times, 1, trusted=trusted
    ):
        return NextLine(_uuid(line_id), alone=deaths > 0, was_sent=bool(was_sent))
    return None


def fair_order(now: datetime, limit: int, *, unsent: Window | None = None) -> list[UUID]:
    """Ids of the due lines whose owners have the fewest running or ahead in line; then the oldest.

    limit: how many at most. unsent: leaves out lines whose message was sent within that window.
    """
    first_lines = _first_lines(now, limit, unsent)
    if limit == 1 or not first_lines:
        return [line_id for line_id, *_ in first_lines]
    turns: list[tuple[bool, int, Any, int, UUID]] = []
    # An owner beyond these has `limit` lines before its first one.
    for _, owner_id, running in first_lines:
        lines = _rows(_LINES_OF, now, unsent, owner_id, limit, before=_adapted(now))
        for place, (line_id, yields, asked_at, position) in enumerate(lines):
            turns.append((bool(yields), running + place, asked_at, position, _uuid(line_id)))
    return [line_id for *_, line_id in sorted(turns)[:limit]]


def count_sent(now: datetime, window: Window) -> int:
    """Number of due lines whose message was sent within the window."""
    return int(_rows(_SENT, now, None, *_adapted(*window))[0][0])


def first_sent(window: Window) -> UUID | None:
    """The waiting line whose message was sent first within the window; None where none was."""
    by = "INDEXED BY item_in_broker" if connection.vendor == "sqlite" else ""
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_SENT.format(by_item_in_broker=by), _adapted(*window))
        row = cursor.fetchone()
    return _uuid(row[0]) if row else None


def _first_lines(
    now: datetime, limit: int, unsent: Window | None
) -> Sequence[tuple[UUID, int, int]]:
    """The first line of each owner, best first: its id, its owner's, the owner's running lines."""
    rows = _rows(_FIRST_LINES, now, unsent, *_adapted(now, now, now), limit)
    return [(_uuid(line_id), owner_id, running) for line_id, owner_id, running, *_ in rows]


def _rows(
    query: str,
    now: datetime,
    unsent: Window | None,
    *more: Any,
    before: Sequence[Any] = (),
    trusted: bool = False,
) -> list[Any]:
    """The rows of one of the queries above. more, before: its parameters after and before those of
    `wanted`."""

    def by(index: str) -> str:
        return f"INDEXED BY {index}" if connection.vendor == "sqlite" else ""

    times = _adapted(now, *(unsent or ()))
    sql = query.format(
        owners=OWNERS.format(by_item_waiting=by("item_waiting")),
        running=RUNNING.format(by_item_lease=by("item_lease")),
        wanted=_WAITING + (_UNSENT if unsent else "") + (_TRUSTED if trusted else ""),
        by_item_waiting=by("item_waiting"),
        by_item_in_broker=by("item_in_broker"),
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*before, *times, *more])
        return list(cursor.fetchall())


def _adapted(*times: datetime) -> list[Any]:
    """Times as the database takes them in SQL."""
    return [connection.ops.adapt_datetimefield_value(time) for time in times]


def _uuid(value: UUID | str) -> UUID:
    """An id as PostgreSQL (UUID) or SQLite (32 hex digits) returns it."""
    return value if isinstance(value, UUID) else UUID(value)
