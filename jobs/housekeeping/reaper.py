"""The reaper: frees what a lost worker held, and sends messages that never arrived.

The database promises delivery, and this is how it keeps the promise. The clock sends for it
every few seconds.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from jobs.ephemeral.clock import HOLD_S, ends_waits, watch
from jobs.errors import WorkerLost, new_bug_id
from jobs.files import capacity
from jobs.files.deletion import DeletionTally
from jobs.files.workspace import remove_workspace
from jobs.housekeeping import traces
from jobs.models import Item, Package, PackageState
from jobs.queue import backoff, claims, erasure, settling
from jobs.queue.claims import LEASE, Claim
from jobs.queue.dispatch import dispatch
from jobs.queue.holders import Losses, Witnesses
from jobs.states import ItemState
from jobs.zips import claims as zip_claims
from jobs.zips.claims import PackageClaim

logger = logging.getLogger(__name__)


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
    of what was erased, and the traces it leaves.

    When the clock was set a moment ago, all workers look lost, and get the time to show that they
    are not. When it was set back, nothing waits for the old time to come again.
    """
    watch.look()
    if ends_waits(watch.take_step_back()):
        backoff.end_waits()
    backoff.end_impossible_waits(now)
    requeued = packages = gave_up = 0
    if not watch.was_set(LEASE.total_seconds()):
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
    traces.remover.remove()
    if requeued or packages or gave_up or closed:
        logger.warning("requeued and settled: %s", report)
    return report


def _requeue_stalled_items(now: datetime) -> int:
    count = 0
    for item_id, attempt, losses in _lost(Item.objects.filter(state=ItemState.RUNNING), now):
        claim = Claim(item_id, attempt)
        if not claims.claimed_row(claim).filter(claims.stalled(now)).exists():
            continue
        if losses.are_too_many:
            over = settling.fail(claim, WorkerLost(_log_cause("item", item_id, losses)))
        else:
            over = claims.requeue_stalled(claim, now, losses)
        if over:
            count += 1
            _clear(claim.workspace)
    return count


def _requeue_stalled_packages(now: datetime) -> int:
    count = 0
    running = Package.objects.filter(state=PackageState.RUNNING)
    for package_id, attempt, losses in _lost(running, now):
        claim = PackageClaim(package_id, attempt)
        if zip_claims.requeue_stalled(claim, now, losses):
            count += 1
            _clear(claim.workspace)
            if losses.are_too_many:
                _log_cause("package", package_id, losses)
    return count


def _lost(running: QuerySet[Any], now: datetime) -> Iterator[tuple[UUID, int, Losses]]:
    """Id, attempt and counts of the rows that lost their holder; the counts with this loss."""
    columns = ("pk", "attempt", "holder", "heartbeat_at", "deaths", "outages")
    rows = list(running.filter(claims.stalled(now)).values_list(*columns))
    if not rows:
        return
    witnesses = Witnesses.find()
    for row_id, attempt, holder, last_seen, deaths, outages in rows:
        death = witnesses.tell_of_death(holder, last_seen, now)
        yield row_id, attempt, Losses(deaths, outages).after(death=death)


def _log_cause(kind: str, row_id: UUID, losses: Losses) -> str:
    """Log that workers died of a row; the id under which that is."""
    bug_id = new_bug_id()
    logger.error(
        "%s %s is given up: %d workers died with it alone in hand, bug %s",
        kind,
        row_id,
        losses.deaths_alone,
        bug_id,
    )
    return bug_id


def _clear(workspace: str) -> None:
    with suppress(OSError):  # the sweep takes what we cannot
        remove_workspace(workspace)
