"""Actions on queued lines: cancel, retry, queue again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from jobs.errors import FINAL_CODES, Cancelled
from jobs.models import Item, Job
from jobs.queue import quotas
from jobs.queue.backoff import error_fields
from jobs.queue.dispatch import dispatch
from jobs.queue.settling import settle_finished_jobs, settle_stories
from jobs.queue.transitions import transition
from jobs.states import OPEN, SHORT, ItemState, sources

S = ItemState


def cancel(job: Job) -> int:
    """Stop all open items of a job, for good; how many items that were. Saved files stay."""
    return _cancel(Item.objects.filter(job=job))


def cancel_all(owner_id: Any) -> int:
    """Stop all open items of a user, for good; how many items that were. Saved files stay."""
    return _cancel(Item.objects.filter(owner=owner_id))


def cancel_item(item: Item) -> bool:
    """Stop one item, for good; False when it was settled. Saved files stay."""
    return bool(_cancel(Item.objects.filter(pk=item.pk)))


def _cancel(items: QuerySet[Item]) -> int:
    now = timezone.now()
    cancelled: list[UUID] = []
    fields: dict[str, Any] = {"settled_at": now, "not_before": None, "fetch_key": None}
    with transaction.atomic():
        locked = items.filter(state__in=OPEN).order_by("pk").select_for_update()
        for item_id in list(locked.values_list("pk", flat=True)):
            # One by one, so that an item that settled a moment ago is left as it is.
            row = Item.objects.filter(pk=item_id)
            moved = transition(row, S.CANCELLED, **fields, **error_fields(Cancelled()))
            cancelled += [item_id] * moved
        settle_stories(cancelled, S.CANCELLED, Cancelled(), now)
    settle_finished_jobs(Job.objects.filter(items__in=cancelled), now)
    dispatch()
    return len(cancelled)


def retryable(items: QuerySet[Item]) -> QuerySet[Item]:
    """The items a retry may help: `jobs.errors.retry_may_help`, said in SQL."""
    return items.filter(state__in=SHORT).exclude(error_code__in=FINAL_CODES)


def retry(job: Job, *, unlimited: bool = False) -> int:
    """Queue the retryable items of a job for a fresh attempt; how many items that were.

    Where the owner's quota has room for fewer, the first ones. Raises QuotaExceeded when it has
    room for none. unlimited: an admin asks, and the quota does not count.
    """
    return _retry(Item.objects.kept().filter(job=job), job.owner_id, unlimited)


def retry_item(item: Item, *, unlimited: bool = False) -> bool:
    """Queue one item for a fresh attempt; False when it is not retryable.

    Raises QuotaExceeded. unlimited: an admin asks, and the quota does not count.
    """
    return bool(_retry(Item.objects.kept().filter(pk=item.pk), item.owner_id, unlimited))


def _retry(items: QuerySet[Item], owner_id: Any, unlimited: bool) -> int:
    now = timezone.now()
    with transaction.atomic():
        _lock_jobs(items)
        ids = list(retryable(items).order_by("position").values_list("pk", flat=True))
        if ids and not unlimited:
            ids = ids[: quotas.admit_retry(owner_id, len(ids))]
        chosen = Item.objects.filter(pk__in=ids, state__in=SHORT)
        count = transition(chosen, S.QUEUED, asked_at=now, settled_at=None, **_FRESH)
        Job.objects.filter(items__in=ids).update(settled_at=None)
    transaction.on_commit(dispatch, robust=True)
    return count


def requeueable(items: QuerySet[Item]) -> QuerySet[Item]:
    """The items `requeue` would act on: understood lines not in DONE, EMPTY or CANCELLED."""
    return items.filter(state__in=sources(S.QUEUED) | {S.QUEUED}).exclude(key="")


def requeue(items: QuerySet[Item]) -> int:
    """Queue items again at once, on an admin's order; how many items that were.

    Running, queued and short items, whatever their error code says; quotas do not count. A running
    attempt loses its claim and stops within about a second.
    """
    now = timezone.now()
    with transaction.atomic():
        _lock_jobs(items)
        # Locked, so that no worker claims one between the two moves below.
        locked = requeueable(items).order_by("pk").select_for_update()
        ids = list(locked.values_list("pk", flat=True))
        chosen = Item.objects.filter(pk__in=ids)
        short = chosen.filter(state__in=SHORT)
        settled = transition(short, S.QUEUED, asked_at=now, settled_at=None, **_FRESH)
        # Open items keep their place in the line.
        transition(chosen.filter(state=S.RUNNING), S.QUEUED, **_FRESH)
        chosen.filter(state=S.QUEUED).update(**_FRESH)
        if settled:
            Job.objects.filter(items__in=ids).update(settled_at=None)
    transaction.on_commit(dispatch, robust=True)
    return len(ids)


_FRESH: dict[str, Any] = {
    "tries": 0,
    "sent_at": None,
    "not_before": None,
    "refused_since": None,
    "fetch_key": None,
    **error_fields(None),
}
"""Columns of an item whose attempts begin anew."""


def _lock_jobs(items: QuerySet[Item]) -> None:
    """Lock the items' jobs before the items, as erasing a job does: the other order could
    deadlock."""
    jobs = Job.objects.filter(pk__in=items.order_by().values("job_id")).order_by("pk")
    list(jobs.select_for_update().values_list("pk", flat=True))
