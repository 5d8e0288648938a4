"""Claims on packages: claim, heartbeat, finish, fail, release, and give up stuck ones.

As for items, the WHERE clause of each update is the lock, and the attempt number fences off a
worker presumed dead.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from jobs.errors import Internal, WorkerLost
from jobs.files.deletion import batches
from jobs.models import Artifact, Package, PackageState
from jobs.queue import claims as item_claims
from jobs.queue import holders
from jobs.queue.holders import Losses
from stories.errors import StoriesError

logger = logging.getLogger(__name__)

MAX_PACKING_WAIT: Final = timedelta(hours=6)
"""A package that could not be packed for so long is given up."""
FAILURE_KEPT: Final = timedelta(days=1)
"""The additional time the row of a failed package stays, for its page to say so."""


@dataclass(frozen=True, slots=True)
class PackageClaim:
    """The right to pack a package; ends when its attempt or state moves on."""

    package_id: UUID
    attempt: int

    @property
    def workspace(self) -> str:
        """The name of this attempt's workspace."""
        return f"{self.package_id}.{self.attempt}"


def is_to_be_alone(package_id: UUID) -> bool:
    """Whether a package is to be packed with nothing else in hand: a worker died with it."""
    return Package.objects.filter(pk=package_id, deaths__gt=0).exists()


def claim(package_id: UUID, *, alone: bool = False) -> PackageClaim | None:
    """Claim a queued package; None when another worker has it or it is gone.

    alone: nothing else is in hand in this process, so it may be one that is to be packed alone.
    """
    queued = Package.objects.filter(pk=package_id, state=PackageState.QUEUED)
    if not alone:
        queued = queued.filter(deaths=0)
    attempt = queued.values_list("attempt", flat=True).first()
    if attempt is None:
        return None
    claimed = queued.filter(attempt=attempt).update(
        state=PackageState.RUNNING,
        attempt=attempt + 1,
        holder=holders.own_name(),
        heartbeat_at=timezone.now(),
        error_code="",
    )
    return PackageClaim(package_id, attempt + 1) if claimed else None


def claimed_row(claim: PackageClaim) -> models.QuerySet[Package]:
    """The claimed package's row; empty once the claim was lost."""
    return Package.objects.filter(
        pk=claim.package_id, attempt=claim.attempt, state=PackageState.RUNNING
    )


def is_claimed(package_id: UUID, attempt: int) -> bool:
    """Whether this attempt at a package is still running."""
    return claimed_row(PackageClaim(package_id, attempt)).exists()


def heartbeat(claim: PackageClaim) -> bool:
    """Renew the lease; call it at least every 10 s while packing. False: the claim was lost."""
    return claimed_row(claim).update(heartbeat_at=timezone.now()) == 1


def finish(claim: PackageClaim, artifact: Artifact) -> bool:
    """Record a ZIP that is in the store and has its row. False: the claim was lost, remove it."""
    row = claimed_row(claim)
    return row.update(state=PackageState.DONE, artifact=artifact, **_ENDED) == 1


def fail(claim: PackageClaim, error: StoriesError) -> bool:
    """Record that packing failed for good; False when the claim was lost."""
    logger.info("package %s failed: %s", claim.package_id, error.code)
    row = claimed_row(claim)
    return row.update(state=PackageState.FAILED, error_code=error.code, **_ENDED) == 1


_ENDED: Final[dict[str, Any]] = {"tries": F("tries") + 1, "deaths": 0, "outages": 0}
"""Columns of a package whose attempt came to an end."""


def release(claim: PackageClaim) -> bool:
    """Queue a package again at once; False when the claim was lost."""
    return claimed_row(claim).update(state=PackageState.QUEUED, sent_at=None) == 1


def wait(claim: PackageClaim) -> bool:
    """Queue a package again, to be sent as soon as a message sent now would be worth nothing.

    What it waits for is none of its own: MAX_PACKING_WAIT begins anew.
    """
    now = timezone.now()
    row = claimed_row(claim)
    return row.update(state=PackageState.QUEUED, sent_at=now, created_at=now) == 1


# --- claims of workers that are gone, and what nobody waits for -----------------------------------


def requeue_stalled(claim: PackageClaim, now: datetime, losses: Losses) -> bool:
    """Queue a package of a lost worker again, or give it up; False when it moved on.

    losses: what its counts are now.
    """
    row = claimed_row(claim).filter(item_claims.stalled(now))
    counts = {"deaths": losses.deaths, "outages": losses.outages}
    if losses.are_too_many:
        return row.update(state=PackageState.FAILED, error_code=WorkerLost.code, **counts) == 1
    return row.update(state=PackageState.QUEUED, sent_at=None, **counts) == 1


def sweep(now: datetime) -> int:
    """Give up packages that never came about, and delete rows whose ZIP is gone; how many."""
    stuck = Package.objects.open().filter(created_at__lte=now - MAX_PACKING_WAIT)
    stuck = stuck.exclude(heartbeat_at__gt=now - item_claims.LEASE)
    given_up = stuck.update(state=PackageState.FAILED, error_code=Internal.code)
    gone = Q(artifact=None) | Q(artifact__removed_at__isnull=False)
    over = Package.objects.filter(gone, state=PackageState.DONE)
    failed = Package.objects.filter(
        state=PackageState.FAILED, created_at__lte=now - MAX_PACKING_WAIT - FAILURE_KEPT
    )
    # Two statements, for the database may not delete through a join.
    ids = [*over.values_list("pk", flat=True), *failed.values_list("pk", flat=True)]
    for batch in batches(ids):
        Package.objects.filter(pk__in=batch).delete()
    return given_up + len(ids)
