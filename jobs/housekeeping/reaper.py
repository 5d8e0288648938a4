"""What the scheduler puts right: rows a vanished worker held, messages that never came.

The database promises delivery, and this is how it keeps the promise.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from jobs.errors import BY_CODE, Internal
from jobs.files import store
from jobs.models import Artifact, Item, Job, Package, PackageState, Role
from jobs.queue import settling
from jobs.queue.dispatch import dispatch
from jobs.queue.settling import Claim
from jobs.states import ItemState
from jobs.zips import claims
from jobs.zips.claims import PackageClaim

logger = logging.getLogger(__name__)
S = ItemState

DEATHS: Final = 3
"""So many workers may vanish over one item or package before it is taken for the cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What a repair found to do."""

    requeued: int = 0
    packages: int = 0
    gave_up: int = 0
    closed: int = 0
    sent: int = 0


def repair(now: datetime) -> Repaired:
    """Requeue what a vanished worker held, close what nobody closed, send what is due."""
    requeued = _requeue_stale(now)
    repacked = _requeue_stale_packages(now)
    gave_up = _give_up_waiting(now)
    still_open = Exists(Item.objects.open().filter(job=OuterRef("pk")))
    unclosed = Job.objects.filter(settled_at=None).exclude(items=None)
    closed = settling.close(unclosed.filter(~still_open), now)
    # A retry that crossed with the closing of its job.
    Job.objects.filter(still_open, settled_at__isnull=False).update(settled_at=None)
    report = Repaired(
        requeued=requeued, packages=repacked, gave_up=gave_up, closed=closed, sent=dispatch(now)
    )
    if requeued or repacked or gave_up or closed:
        logger.warning("repaired: %s", report)
    return report


def _silent(now: datetime) -> Q:
    """No sign of life for a lease; or one from the future, for the clock was set back."""
    long_ago = Q(heartbeat_at__lte=now - settling.LEASE)
    return long_ago | Q(heartbeat_at__gt=now + settling.LEASE) | Q(heartbeat_at=None)


def _requeue_stale(now: datetime) -> int:
    silent = _silent(now)
    count = 0
    stale = Item.objects.filter(silent, state=S.RUNNING).values_list("pk", "attempt", "tries")
    for item_id, attempt, tries in list(stale):
        held = Claim(item_id, attempt)
        if not settling.rows_of(held).filter(silent).exists():
            continue
        if tries + 1 >= DEATHS:
            bug = uuid4().hex[:8]
            logger.error("item %s: its workers vanish, bug %s", item_id, bug)
            ended = settling.fail(held, Internal(bug))
        else:
            facts: dict[str, Any] = {
                "sent_at": None, "not_before": None, "tries": tries + 1, "leads": None
            }  # fmt: skip
            ended = settling.rows_of(held).filter(silent).update(state=S.QUEUED, **facts) == 1
        if ended:
            count += 1
            _clear(held.workspace)
    return count


def _requeue_stale_packages(now: datetime) -> int:
    silent = _silent(now)
    count = 0
    stale = Package.objects.filter(silent, state=PackageState.RUNNING)
    for package_id, attempt, tries in list(stale.values_list("pk", "attempt", "tries")):
        held = PackageClaim(package_id, attempt)
        rows = claims.rows_of(held).filter(silent)
        if tries + 1 >= DEATHS:
            ended = rows.update(state=PackageState.FAILED, error_code=Internal.code)
        else:
            ended = rows.update(state=PackageState.QUEUED, sent_at=None, tries=tries + 1)
        if ended:
            count += 1
            _clear(held.workspace)
    return count


def _clear(workspace: str) -> None:
    with suppress(OSError):  # the sweep takes what we cannot
        store.remove_workspace(workspace)


def _give_up_waiting(now: datetime) -> int:
    """Settle what has waited for TikTok longer than anyone would."""
    tired = Item.objects.filter(
        state=S.QUEUED,
        error_code__in=settling.REFUSALS,
        refused_since__lte=now - settling.PATIENCE,
    )
    count = 0
    for item_id, attempt in list(tired.values_list("pk", "attempt")):
        saved = Artifact.objects.filter(item_id=item_id, role=Role.MEDIA).exists()
        with transaction.atomic():
            row = Item.objects.filter(pk=item_id, attempt=attempt, state=S.QUEUED)
            settled = row.update(
                state=S.PARTIAL if saved else S.FAILED, settled_at=now, not_before=None
            )
            if settled:
                code = Item.objects.values_list("error_code", flat=True).get(pk=item_id)
                settling.leave([item_id], S.FAILED, BY_CODE[code](), now)
        if settled:
            count += 1
            settling.close(Job.objects.filter(items=item_id), now)
    return count
