"""Packages: asked for by a person, packed by a worker, retired by a newer one of the same files."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import get_language

from jobs.ephemeral import progress
from jobs.ephemeral.progress import PackingReporter
from jobs.errors import NothingToPack, WorkerLost
from jobs.files import bundles, capacity, store
from jobs.files.disk import translate_disk_errors
from jobs.files.workspace import Workspace
from jobs.models import OPEN_PACKAGES, Artifact, Job, Package, PackageState
from jobs.queue import quotas
from jobs.queue.claims import HEARTBEAT_EVERY_S, ClaimLost
from jobs.queue.dispatch import dispatch
from jobs.queue.shutdown import ShutdownRequested, shutdown_requested
from jobs.wording import dialect_for
from jobs.zips import claims
from jobs.zips.builder import FilesDamaged, build_bundle, heartbeats
from jobs.zips.claims import PackageClaim
from jobs.zips.contents import any_removed, package_files, parse_ids

logger = logging.getLogger(__name__)


def request(job: Job, selection: Sequence[UUID | str] = ()) -> Package:
    """Ask for a ZIP of a job's files, or of some of them; the package that makes or holds it.

    selection: artifact ids; those that are not files of this job, or gone, are left out. A second
    request returns the package that is queued, being packed, or ready and still complete. Raises
    NothingToPack, DiskFull.
    """
    asked = sorted({str(artifact_id) for artifact_id in parse_ids(selection)})
    if selection and not asked:
        raise NothingToPack
    with transaction.atomic():
        # Two taps at once: one package. And none for a job that is erased this moment.
        exists = Job.objects.select_for_update().filter(pk=job.pk).exists()
        files = package_files(job.pk, asked) if exists else []
        if not files:
            raise NothingToPack
        wanted = sorted(str(artifact.pk) for artifact in files) if asked else []
        package = _existing(job, wanted)
        if package is None:
            capacity.require_room()
            package = Package.objects.create(
                job=job,
                owner_id=job.owner_id,
                selection=wanted,
                language=get_language() or "",
                deaths=_deaths_of_last(job, wanted),
            )
        column = "selection" if wanted else "bundle"
        Job.objects.filter(pk=job.pk).update(**{column: package})
        transaction.on_commit(dispatch, robust=True)
    return package


def _existing(job: Job, wanted: list[str]) -> Package | None:
    """A package of the same files that is on its way or can still be taken.

    One whose manifest opens in another language's spreadsheets does not count.
    """
    now = timezone.now()
    saved: list[datetime | None] = []
    settled: list[datetime | None] = []
    if not wanted:  # a selection is the files that were chosen, and no manifest of a job
        files = Artifact.objects.filter(job=job, story__isnull=False, role__in=bundles.PACKED_ROLES)
        saved = list(files.order_by().values_list("created_at", flat=True))
        settled = list(job.items.order_by().values_list("settled_at", flat=True))
    for package in job.packages.select_related("artifact").order_by("-created_at"):
        if package.selection != wanted or not bundles.opens_for_reader(package.language):
            continue
        if package.state in OPEN_PACKAGES:
            return package
        ready = package.artifact if package.state == PackageState.DONE else None
        if (
            ready
            and not ready.removed_at
            and now < ready.expires_at
            and bundles.serves(ready.created_at, package.language, saved=saved, settled=settled)
        ):
            return package
    return None


def _deaths_of_last(job: Job, wanted: list[str]) -> int:
    """The deaths of workers that had the same files given up; 0 if the last package was not."""
    for package in job.packages.order_by("-created_at"):
        if package.selection == wanted:
            return package.deaths if package.error_code == WorkerLost.code else 0
    return 0


class _Heartbeat:
    """Renews the claim while packing, often enough and no oftener, and tells how far it is.

    Calling it raises ClaimLost or ShutdownRequested.
    """

    def __init__(self, claim: PackageClaim, job_id: UUID, files: Sequence[Artifact]) -> None:
        self._claim = claim
        self._progress = PackingReporter(job_id, claim.package_id, heartbeats(files))
        self._next = time.monotonic() + HEARTBEAT_EVERY_S / 2

    def __call__(self) -> None:
        self._progress.step()
        self.beat()

    def beat(self) -> None:
        """Renew the claim where that is due; as calling it, without telling how far it is."""
        if shutdown_requested.is_set():
            raise ShutdownRequested
        if time.monotonic() < self._next:
            return
        if not claims.heartbeat(self._claim):
            raise ClaimLost
        self._next = time.monotonic() + HEARTBEAT_EVERY_S / 2


def run(claim: PackageClaim) -> bool:
    """Pack a claimed package and settle it; False when the claim was lost, and nothing is left.

    Raises NothingToPack, DiskFull and QuotaExceeded, for `claims.fail`, its StorageUnavailable and
    NoSpaceLeft, for `claims.wait`, and ShutdownRequested, for `claims.release`.
    """
    package = Package.objects.select_related("job").filter(pk=claim.package_id).first()
    if package is None:
        return False
    job = package.job
    at = timezone.now()
    files = package_files(job.pk, package.selection)
    if not files:
        raise NothingToPack
    limit = quotas.max_stored_bytes(job.owner_id)
    heartbeat = _Heartbeat(claim, job.pk, files)
    with (
        translate_disk_errors(),
        Workspace(
            claim.workspace, owner_id=job.owner_id, max_bytes=limit, pulse=heartbeat.beat
        ) as workspace,
    ):
        try:
            artifact = build_bundle(
                job,
                files,
                workspace,
                heartbeat,
                at=at,
                selection=bool(package.selection),
                chosen=package.selection,
                language=package.language,
            )
        except ClaimLost:
            _erase_what_we_reported(job.pk)
            return False
        except FilesDamaged as damaged:
            logger.warning("package %s begins anew without %s", package.pk, damaged)
            claims.release(claim)
            dispatch()
            return False
        settled = False
        try:
            settled = _settle(claim, package, artifact, files)
        finally:
            if not settled:
                store.discard(artifact.pk)
                _erase_what_we_reported(job.pk)
    return settled


def _erase_what_we_reported(job_id: UUID) -> None:
    """Drop the progress of a job that was erased while it was packed."""
    if not Job.objects.filter(pk=job_id).exists():
        progress.erase(job_id)


def _settle(
    claim: PackageClaim, package: Package, artifact: Artifact, files: Sequence[Artifact]
) -> bool:
    with transaction.atomic():
        # Locked: a file that is deleted or erased meanwhile was so before, or finds this ZIP.
        if not Job.objects.select_for_update().filter(pk=package.job_id).exists():
            return False
        if any_removed(files):
            # Deleted while it was packed: not to come back in a ZIP. Packed anew without it.
            claims.release(claim)
            transaction.on_commit(dispatch, robust=True)
            return False
        artifact.save(force_insert=True)
        limit = quotas.max_stored_bytes(package.owner_id)
        quotas.require_stored_bytes_fit(package.owner_id, limit)
        if claims.finish(claim, artifact):
            _retire_older(package)
            capacity.require_limit_holds([artifact])
            return True
        transaction.set_rollback(True)  # nobody waits for this ZIP any more
    return False


def _retire_older(package: Package) -> None:
    """Expire older ZIPs of the same files and for the same spreadsheets, for the sweep to take."""
    asked_before = package.job.packages.filter(created_at__lt=package.created_at)
    dialect = dialect_for(package.language)
    older = [
        other.artifact_id
        for other in asked_before
        if other.selection == package.selection
        and other.artifact_id
        and dialect_for(other.language) == dialect
    ]
    Artifact.objects.filter(pk__in=older, removed_at=None).update(expires_at=timezone.now())
