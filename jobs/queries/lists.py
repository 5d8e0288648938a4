"""Lists of jobs, filtered by state; pages of any list with a cursor."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from jobs.models import Item, Job
from jobs.states import OPEN, ItemState

_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def in_state(jobs: QuerySet[Job], state: ItemState) -> QuerySet[Job]:
    """The jobs whose computed state is `state`: `jobs.states.job_state` as SQL."""

    def any_item(*states: ItemState) -> Exists:
        """A line is in one of these states."""
        return Exists(Item.objects.filter(job_id=OuterRef("pk"), state__in=states))

    s = ItemState
    opened, begun = any_item(*OPEN), any_item(s.RUNNING, s.DONE, s.PARTIAL, s.EMPTY, s.CANCELLED)
    if state == s.QUEUED:
        return jobs.filter(opened & ~begun)
    if state == s.RUNNING:
        return jobs.filter(opened & begun)
    settled = jobs.filter(~opened)
    if state == s.CANCELLED:
        return settled.filter(any_item(s.CANCELLED))
    uncancelled = settled.filter(~any_item(s.CANCELLED))
    if state == s.DONE:
        return uncancelled.filter(any_item(s.DONE) & ~any_item(s.PARTIAL, s.FAILED))
    if state == s.EMPTY:
        return uncancelled.filter(~any_item(s.DONE, s.PARTIAL, s.FAILED))
    if state == s.FAILED:
        return uncancelled.filter(any_item(s.FAILED) & ~any_item(s.DONE, s.PARTIAL, s.EMPTY))
    mixed = any_item(s.PARTIAL) | (any_item(s.FAILED) & any_item(s.DONE, s.EMPTY))
    return uncancelled.filter(mixed)


def page_of(rows: QuerySet[Any], *, after: str | None, limit: int) -> tuple[list[UUID], str | None]:
    """Ids of one page, newest first, and the cursor of the next page; None at the end.

    rows: of jobs, or of another table with `id` and `created_at`. after: the cursor of this
    page, None for the first. Raises ValueError for a malformed one.
    """
    if after:
        at, last_id = _read_cursor(after)
        rows = rows.filter(Q(created_at__lt=at) | Q(created_at=at, pk__lt=last_id))
    found = list(rows.order_by("-created_at", "-id").values_list("id", "created_at")[: limit + 1])
    more = len(found) > limit
    ids = [row_id for row_id, _ in found[:limit]]
    return ids, _cursor(found[limit - 1][1], ids[-1]) if more else None


def _cursor(at: datetime, job_id: UUID) -> str:
    """The position after one job: its time in microseconds and its id, as URL-safe Base64."""
    microseconds = (at - _EPOCH) // timedelta(microseconds=1)
    raw = microseconds.to_bytes(8, "big") + job_id.bytes
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[datetime, UUID]:
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
        at = _EPOCH + timedelta(microseconds=int.from_bytes(raw[:8], "big"))
        return at, UUID(bytes=raw[8:])  # ValueError, too, unless there are 16
    except (OverflowError, ValueError) as error:
        raise ValueError("that is not a cursor") from error
