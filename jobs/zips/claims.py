"""Every move of a package along its edges: claim, finish, fail, release.

As with items, the WHERE clause of each update is the lock.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from uuid import UUID

from django.db import models
from django.utils import timezone

from jobs.models import Artifact, Package, PackageState
from stories.errors import StoriesError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PackageClaim:
    """The right to pack a package."""

    package_id: UUID
    attempt: int

    @property
    def workspace(self) -> str:
        """The name of this attempt's folder."""
        return f"{self.package_id}.{self.attempt}"


def claim(package_id: UUID) -> PackageClaim | None:
    """Take a queued package; None when another worker has it or it is gone."""
    queued = Package.objects.filter(pk=package_id, state=PackageState.QUEUED)
    attempt = queued.values_list("attempt", flat=True).first()
    if attempt is None:
        return None
    taken = queued.filter(attempt=attempt).update(
        state=PackageState.RUNNING,
        attempt=attempt + 1,
        heartbeat_at=timezone.now(),
        error_code="",
    )
    return PackageClaim(package_id, attempt + 1) if taken else None


def rows_of(held: PackageClaim) -> models.QuerySet[Package]:
    """The claimed package's row; none once the claim was lost."""
    return Package.objects.filter(
        pk=held.package_id, attempt=held.attempt, state=PackageState.RUNNING
    )


def renew(held: PackageClaim) -> bool:
    """A sign of life while packing (call it at least every 10 s); False when the claim was lost."""
    return rows_of(held).update(heartbeat_at=timezone.now()) == 1


def finish(held: PackageClaim, artifact: Artifact) -> bool:
    """The ZIP is kept and its row saved. False: the claim was lost, remove the file again."""
    return rows_of(held).update(state=PackageState.DONE, artifact=artifact) == 1


def fail(held: PackageClaim, error: StoriesError) -> bool:
    """Packing did not work."""
    logger.info("package %s failed: %s", held.package_id, error.code)
    return rows_of(held).update(state=PackageState.FAILED, error_code=error.code) == 1


def release(held: PackageClaim) -> bool:
    """Queue a package again at once: this worker is going away."""
    return rows_of(held).update(state=PackageState.QUEUED, sent_at=None) == 1
