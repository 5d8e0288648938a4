"""Turns in one statement, on PostgreSQL: who is next is chosen and claimed, or marked as sent.

Several processes that choose at once each lock another line (SKIP LOCKED) and wait for none. None
counts what the others take in the same moment: a line may go one place too early for each process
that chooses beside it. The order is that of jobs/queue/fairness.py. Elsewhere there is one writer
at a time, and nothing is locked (jobs/queue/dispatch.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from jobs.queue import holders
from jobs.queue.claims import Claim
from jobs.queue.fairness import OWNERS, RUNNING, Window
from jobs.queue.transitions import edge
from jobs.states import ItemState

CHOICES: Final = 4
"""Lines of each owner that one is chosen from: so many processes can choose one person's lines at
once."""


# MATERIALIZED: a planner that knows nothing of the table yet, just after a large paste, looked for
# the lines of everyone once for each line that waits.
_LINES: Final = """
WITH RECURSIVE {owners},
lines(owner_id, id, place) AS MATERIALIZED (
    SELECT owners.owner_id, first.id, first.place
    FROM owners CROSS JOIN LATERAL (
      SELECT id, ROW_NUMBER() OVER (ORDER BY asked_at, position, id) - 1 AS place
      FROM (
        SELECT * FROM jobs_item item WHERE item.owner_id = owners.owner_id AND {wanted}
        ORDER BY asked_at, position, id LIMIT %(choices)s
      ) line
    ) first
    WHERE owners.owner_id IS NOT NULL
),
{running}"""
_WAITING: Final = (
    "item.state = 'queued' AND (item.not_before IS NULL OR item.not_before <= %(now)s)"
)
_SENT: Final = (
    "({row}.sent_at IS NOT NULL AND {row}.sent_at > %(after)s AND {row}.sent_at <= %(until)s)"
)
_PARTS: Final = {
    "waiting": _WAITING,
    "sent": _SENT.format(row="item"),
    "package_sent": _SENT.format(row="package"),
    "turn": "COALESCE(running.lines, 0) + lines.place",
    "yields": "item.asked_at > %(now)s",
    "of_lines": "FROM lines JOIN jobs_item item ON item.id = lines.id"
    " LEFT JOIN running ON running.owner_id = lines.owner_id",
    "take": edge(ItemState.QUEUED, ItemState.RUNNING),
}


def _statement(text: str, wanted: str) -> str:
    """A statement over the first `choices` lines of each owner among those that are wanted."""
    lines = _LINES.format(
        owners=OWNERS.format(by_item_waiting=""),
        running=RUNNING.format(by_item_lease=""),
        wanted=wanted.format(**_PARTS),
    )
    return lines + text.format(**_PARTS)


_TAKE: Final = _statement(
    """,
chosen AS MATERIALIZED (
    SELECT item.id, item.deaths, {sent} AS was_sent
    {of_lines}
    WHERE {waiting}
    ORDER BY {yields}, {turn}, item.asked_at, item.position, item.id
    LIMIT 1 FOR UPDATE OF item SKIP LOCKED
),
claimed AS (
    {take}, attempt = item.attempt + 1, holder = %(holder)s, claimed_at = %(now)s,
        heartbeat_at = %(now)s, sent_at = NULL, not_before = NULL, fetch_key = NULL,
        listed_at = NULL, error_code = '', error_detail = ''
    FROM chosen WHERE item.id = chosen.id AND chosen.deaths = 0
    RETURNING item.id, item.attempt, chosen.was_sent
)
SELECT id, attempt, was_sent,
    (SELECT COUNT(*) FROM jobs_item item WHERE {waiting} AND {sent}),
    EXISTS(
      SELECT 1 FROM jobs_package package WHERE package.state = 'queued' AND NOT {package_sent}
    )
FROM claimed
""",
    wanted="{waiting}",
)
_SEND: Final = _statement(
    """,
picked AS MATERIALIZED (
    SELECT item.id, {yields} AS yields, {turn} AS turn
    {of_lines}
    ORDER BY yields, turn, item.asked_at, item.position, item.id
    LIMIT GREATEST(0, %(choices)s - (
      SELECT COUNT(*) FROM jobs_item item WHERE {waiting} AND {sent}
    ))
),
free AS MATERIALIZED (
    SELECT item.id, picked.yields, picked.turn
    FROM picked JOIN jobs_item item ON item.id = picked.id
    WHERE {waiting} AND NOT {sent}
    FOR UPDATE OF item SKIP LOCKED
)
UPDATE jobs_item item SET sent_at = %(now)s FROM free WHERE item.id = free.id
RETURNING free.yields, free.turn, item.asked_at, item.position, item.id
""",
    wanted="{waiting} AND NOT {sent}",
)


@dataclass(frozen=True, slots=True)
class Taken:
    """A line that was claimed because it is next.

    was_sent: its own message may still be in the broker. in_broker: messages of other lines that
    may be there; None where nobody looked. package_waits: a package that nobody was told of does.
    """

    claim: Claim
    was_sent: bool
    in_broker: int | None = None
    package_waits: bool = False


def take(now: datetime, window: Window) -> Taken | None:
    """Claim what is next; None when nothing is due, or what is next is to be tried alone.

    window: the times between which a message was sent that may still be in the broker.
    """
    rows = _rows(_TAKE, now, window, choices=CHOICES, holder=holders.own_name())
    for item_id, attempt, was_sent, in_broker, package_waits in rows:
        return Taken(Claim(item_id, attempt), was_sent, in_broker - was_sent, package_waits)
    return None


def mark_sent(now: datetime, window: Window, most: int) -> list[UUID]:
    """Note that messages about the next lines are about to be sent, so that at most `most` are in
    the broker; their ids, in the order of their turns. Lines that somebody has locked are left out.
    """
    return [row[-1] for row in sorted(_rows(_SEND, now, window, choices=most))]


def _rows(query: str, now: datetime, window: Window, **more: Any) -> Sequence[tuple[Any, ...]]:
    after, until = window
    with connection.cursor() as cursor:
        cursor.execute(query, {"now": now, "after": after, "until": until, **more})
        rows: Sequence[tuple[Any, ...]] = cursor.fetchall()
    return rows
