"""Claims: the right of one worker to work on one item, and how it is kept, fenced and given up.

A claim names the item's `attempt`, which grows with every claim: a worker presumed dead that comes
back finds the number gone and can write nothing. A worker renews its claim by heartbeats; without
one for a `LEASE` the reaper takes the item back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from jobs.models import Item
from jobs.prepared import PreparedQuery, id_slot, number_slot
from jobs.queue import holders
from jobs.queue.holders import Losses
from jobs.queue.transitions import transition
from jobs.states import EDGES, ItemState

logger = logging.getLogger(__name__)
S = ItemState

LEASE: Final = timedelta(seconds=40)
"""A worker without a heartbeat for longer than this is taken for dead."""
HEARTBEAT_EVERY_S: Final = 10.0


class ClaimLost(Exception):
    """The item was cancelled, erased, or given to another worker meanwhile."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on an item; ends when the item's attempt or state moves on."""

    item_id: UUID
    attempt: int

    @property
    def workspace(self) -> str:
        """The name of this attempt's workspace."""
        return f"{self.item_id}.{self.attempt}"


def claim(item_id: UUID, *, alone: bool = False) -> Claim | None:
    """Claim a due item; None when another worker has it, it was cancelled, or it must wait.

    alone: nothing else is in hand in this process, so it may be one that is to be tried alone.
    """
    now = timezone.now()
    due = Item.objects.due(now).filter(pk=item_id)
    if not alone:
        due = due.filter(deaths=0)
    attempt = due.values_list("attempt", flat=True).first()
    if attempt is None:
        return None
    claimed = transition(
        due.filter(attempt=attempt),
        S.RUNNING,
        attempt=attempt + 1,
        holder=holders.own_name(),
        claimed_at=now,
        heartbeat_at=now,
        sent_at=None,
        not_before=None,
        fetch_key=None,
        listed_at=None,
        error_code="",
        error_detail="",
    )
    return Claim(item_id, attempt + 1) if claimed else None


def claimed_row(claim: Claim) -> QuerySet[Item]:
    """The claimed item's row; empty once the claim was lost."""
    return Item.objects.filter(pk=claim.item_id, attempt=claim.attempt, state=S.RUNNING)


def is_held(claim: Claim) -> bool:
    """Whether the claim still holds. One small query, asked about once a second while working."""
    return _HELD.first(claim.item_id, claim.attempt) is not None


def is_claimed(item_id: UUID, attempt: int) -> bool:
    """Whether this attempt at an item is still running."""
    return is_held(Claim(item_id, attempt))


def heartbeat(claim: Claim) -> bool:
    """Renew the lease; False when the claim was lost."""
    return claimed_row(claim).update(heartbeat_at=timezone.now()) == 1


def write(claim: Claim, **fields: Any) -> None:
    """Write columns of the claimed item, its state excepted. One statement. Raises ClaimLost.

    In a transaction it fences what follows as `fenced` does: the WHERE clause is the lock.
    """
    if not claimed_row(claim).update(**fields):
        raise ClaimLost


def move(claim: Claim, to: ItemState, **fields: Any) -> bool:
    """Move a claimed item along one edge; False when the claim was lost meanwhile.

    Raises ValueError where no edge leads from RUNNING to `to`.
    """
    if to not in EDGES[S.RUNNING]:
        raise ValueError(f"no edge leads from running to {to}")
    return transition(claimed_row(claim), to, fetch_key=None, **fields) == 1


def release(claim: Claim) -> bool:
    """Queue the item again at once, tries unchanged: this worker is shutting down.

    No message is sent yet, for this worker might still receive it; it does so as it ends.
    """
    moved = move(claim, S.QUEUED, sent_at=None)
    if moved:
        logger.info("item %s released", claim.item_id)
    return moved


def try_lead(claim: Claim, fetch_key: str) -> bool:
    """Become the item that fetches `fetch_key`; False while another running item is.

    Raises ClaimLost. See jobs/fetching/coalescing.py.
    """
    try:
        # By itself a statement needs no transaction; within one it needs a savepoint.
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            write(claim, fetch_key=fetch_key, listed_at=None)
    except IntegrityError:
        return False
    return True


ANY_CLAIM: Final = Claim(id_slot(0), number_slot(1))
"""Stands in prepared queries for a claim whose id and attempt are their first two arguments."""


def _held(_: int) -> QuerySet[Item, Any]:
    return claimed_row(ANY_CLAIM).values_list("attempt")


def _locked(arguments: int) -> QuerySet[Item, Any]:
    return _held(arguments).select_for_update()


_HELD: Final = PreparedQuery(_held)
_LOCKED: Final = PreparedQuery(_locked)


@contextmanager
def fenced(
    claim: Claim,
    *,
    first: Callable[[], None] | None = None,
    row: Callable[[], tuple[Any, ...] | None] | None = None,
) -> Iterator[tuple[Any, ...]]:
    """A transaction that writes only while the claim holds. Raises ClaimLost.

    first: locks what is to be locked before the item's row: the job, as everywhere.
    row: reads `claimed_row` locked, and None when it is not there; where the work begins with more
    of what stands in the database, it comes with that one statement. Yields what it returned.
    """
    with transaction.atomic():
        if first is not None:
            first()
        # The lock keeps a cancel out until we are through.
        values = row() if row is not None else _LOCKED.first(claim.item_id, claim.attempt)
        if values is None:
            raise ClaimLost
        yield values


# --- claims of workers that are gone --------------------------------------------------------------


def stalled(now: datetime) -> Q:
    """Rows without a heartbeat for a lease; or with one from the future: the clock was set back."""
    long_ago = Q(heartbeat_at__lte=now - LEASE)
    return long_ago | Q(heartbeat_at__gt=now + LEASE) | Q(heartbeat_at=None)


def requeue_stalled(claim: Claim, now: datetime, losses: Losses) -> bool:
    """Queue an item of a lost worker again; False when it moved on or its worker is back.

    losses: what its counts are now. Its tries are what they were.
    """
    row = claimed_row(claim).filter(stalled(now))
    moved = transition(
        row,
        S.QUEUED,
        deaths=losses.deaths,
        outages=losses.outages,
        not_before=now + losses.wait if losses.wait else None,
        sent_at=None,
        fetch_key=None,
    )
    return moved == 1
