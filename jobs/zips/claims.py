"""Claims on packages: claim, heartbeat, finish, fail, release, and give up stuck ones.

As for items, the WHERE clause of each update is the lock, and the attempt number fences off a
worker presumed dead.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone

from jobs.errors import Internal
from jobs.files.deletion import batches
from jobs.models import Artifact, Package, PackageState
from jobs.queue import claims as item_claims
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


def claim(package_id: UUID) -> PackageClaim | None:
    """Claim a queued package; None when another worker has it or it is gone."""
    queued = Package.objects.filter(pk=package_id, state=PackageState.QUEUED)
    attempt = queued.values_list("attempt", flat=True).first()
    if attempt is None:
        return None
    claimed = queued.filter(attempt=attempt).update(
        state=PackageState.RUNNING,
        attempt=attempt + 1,
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
    return claimed_row(claim).update(state=PackageState.DONE, artifact=artifact) == 1


def fail(claim: PackageClaim, error: StoriesError) -> bool:
    """Record that packing failed for good; False when the claim was lost."""
    logger.info("package %s failed: %s", claim.package_id, error.code)
    return claimed_row(claim).update(state=PackageState.FAILED, error_code=error.code) == 1


def release(claim: PackageClaim) -> bool:
    """Queue a package again at once; False when the claim was lost."""
    return claimed_row(claim).update(state=PackageState.QUEUED, sent_at=None) == 1


# --- claims of workers that are gone, and what nobody waits for -----------------------------------


def stalled(now: datetime) -> Iterator[tuple[PackageClaim, int]]:
    """Claims without a heartbeat for a lease, each with its package's tries."""
    rows = Package.objects.filter(item_claims.stalled(now), state=PackageState.RUNNING)
    for package_id, attempt, tries in list(rows.values_list("pk", "attempt", "tries")):
        yield PackageClaim(package_id, attempt), tries


def requeue_stalled(claim: PackageClaim, now: datetime, *, tries: int, give_up: bool) -> bool:
    """Queue a package of a lost worker again, or give it up; False when it moved on.

    tries: what its counter is set to when it is queued again.
    """
    row = claimed_row(claim).filter(item_claims.stalled(now))
    if give_up:
        return row.update(state=PackageState.FAILED, error_code=Internal.code) == 1
    return row.update(state=PackageState.QUEUED, sent_at=None, tries=tries) == 1


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
