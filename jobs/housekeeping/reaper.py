"""The reaper: frees what a lost worker held, and sends messages that never arrived.

The database promises delivery, and this is how it keeps the promise. The clock sends for it
every few seconds.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from jobs.errors import Internal, new_bug_id
from jobs.files import capacity
from jobs.files.deletion import DeletionTally
from jobs.files.workspace import remove_workspace
from jobs.housekeeping.clock import HOLD_S, ends_waits, watch
from jobs.models import Item
from jobs.queue import backoff, claims, erasure, settling
from jobs.queue.claims import LEASE, Claim
from jobs.queue.dispatch import dispatch
from jobs.states import ItemState
from jobs.upstream import breaker
from jobs.zips import claims as zip_claims

logger = logging.getLogger(__name__)

MAX_WORKER_LOSSES: Final = 3
"""So many workers may be lost over one item or package before it is taken for the cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaperReport:
    """The counts, by kind, of what the reaper found to do. closed: jobs nobody had settled."""

    requeued: int = 0
    packages: int = 0
    gave_up: int = 0
    closed: int = 0
    sent: int = 0


def requeue_stalled(now: datetime) -> ReaperReport:
    """Requeue what lost workers held, settle what nobody settled, send what is due; remove a piece
    of what was erased.

    When the clock was set forward a moment ago, all workers look lost, and get the time to show
    that they are not. When it was set back, nothing waits for the old time to come again.
    """
    if ends_waits(watch.look()):
        breaker.end_pause()
        backoff.end_waits()
    backoff.end_impossible_waits(now)
    requeued = packages = gave_up = 0
    if not watch.was_set_forward(LEASE.total_seconds()):
        requeued = _requeue_stalled_items(now)
        packages = _requeue_stalled_packages(now)
    if not watch.was_set_forward(HOLD_S):
        gave_up = settling.give_up_waiting(now)
    closed = settling.settle_overlooked_jobs(now)
    report = ReaperReport(
        requeued=requeued, packages=packages, gave_up=gave_up, closed=closed, sent=dispatch(now)
    )
    if erasure.erase_marked(DeletionTally()):
        capacity.invalidate()
    if requeued or packages or gave_up or closed:
        logger.warning("requeued and settled: %s", report)
    return report


def _requeue_stalled_items(now: datetime) -> int:
    stalled = claims.stalled(now)
    count = 0
    rows = Item.objects.filter(stalled, state=ItemState.RUNNING)
    for item_id, attempt, tries in list(rows.values_list("pk", "attempt", "tries")):
        claim = Claim(item_id, attempt)
        if not claims.claimed_row(claim).filter(stalled).exists():
            continue
        if tries + 1 >= MAX_WORKER_LOSSES:
            bug_id = new_bug_id()
            logger.error("item %s: its workers vanish, bug %s", item_id, bug_id)
            over = settling.fail(claim, Internal(bug_id))
        else:
            over = claims.requeue_stalled(claim, now, tries=tries + 1)
        if over:
            count += 1
            _clear(claim.workspace)
    return count


def _requeue_stalled_packages(now: datetime) -> int:
    count = 0
    for claim, tries in zip_claims.stalled(now):
        give_up = tries + 1 >= MAX_WORKER_LOSSES
        if zip_claims.requeue_stalled(claim, now, tries=tries + 1, give_up=give_up):
            count += 1
            _clear(claim.workspace)
    return count


def _clear(workspace: str) -> None:
    with suppress(OSError):  # the sweep takes what we cannot
        remove_workspace(workspace)
