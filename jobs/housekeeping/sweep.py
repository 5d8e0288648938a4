"""The sweep: removes what has served its time, and repairs where rows and files disagree.

Expired files, orphaned files and rows, workspaces of dead workers, ZIPs nobody waits for, old jobs,
expired sessions. It is safe to run at any time, and beside another one.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.db.models import Exists, OuterRef

from jobs.ephemeral import heartbeats
from jobs.files import capacity, disk, store
from jobs.files.deletion import BATCH, DeletionTally, batches, remove
from jobs.files.workspace import remove_workspace, stale_workspaces
from jobs.housekeeping import statistics
from jobs.housekeeping.clock import HOLD_S, watch
from jobs.models import Artifact, Item, Job, Package
from jobs.queue.claims import LEASE, is_claimed
from jobs.queue.erasure import erase_rows_and_files
from jobs.zips import claims as zip_claims

logger = logging.getLogger(__name__)

ORPHAN_GRACE: Final = timedelta(minutes=15)
"""A file without a row may be about to get one, a row without a file cannot; only files wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """The counts, by kind, of what a sweep removed; failed: deletions that are due again."""

    expired: int = 0
    orphan_files: int = 0
    orphan_rows: int = 0
    workspaces: int = 0
    packages: int = 0
    jobs: int = 0
    sessions: int = 0
    freed_bytes: int = 0
    failed: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{name} {count}" for name, count in asdict(self).items())

    @property
    def idle(self) -> bool:
        """There was nothing to do."""
        return not any(asdict(self).values())


def sweep(now: datetime) -> SweepReport:
    """Remove everything whose time has come; what was removed.

    Nothing is removed for HOLD_S after the clock was set forward: what it then takes for expired
    may not be, and does not come back.
    """
    watch.look()
    if watch.was_set_forward(HOLD_S):
        logger.warning("the clock was set forward: nothing is cleaned up for now")
        heartbeats.record_sweep(now, asdict(SweepReport()))
        return SweepReport()
    tally = DeletionTally()
    unmounted = disk.is_unmounted()
    if unmounted:  # files that are not there are not lost: their disk may come back
        logger.error(
            "the folder for saved files is away: is its disk mounted? See `manage.py diagnose`"
        )
    counts = {
        "packages": zip_claims.sweep(now),
        "expired": _expired(now, tally),
        "orphan_rows": 0 if unmounted else _orphan_rows(now),
        "orphan_files": 0 if unmounted else _orphan_files(now, tally),
        "workspaces": 0 if unmounted else _workspaces(now, tally),
        "jobs": _jobs(now, tally),
        "sessions": _sessions(now),
    }
    report = SweepReport(**counts, freed_bytes=tally.freed_bytes, failed=tally.failed)
    if not report.idle:
        capacity.invalidate()
        logger.info("swept: %s", report)
    statistics.refresher.refresh()
    heartbeats.record_sweep(now, asdict(report))
    return report


def _expired(now: datetime, tally: DeletionTally) -> int:
    count = 0
    while True:
        # Read in pieces, not through one long cursor: the table changes under it.
        files = list(
            Artifact.objects.expired(now)
            .order_by("expires_at")
            .values_list("id", "size_bytes")[:BATCH]
        )
        if not files:
            return count
        count += remove(files, now, tally)


def _orphan_rows(now: datetime) -> int:
    """Mark rows whose file is missing, or not whole, as after a power cut."""
    count = 0
    after: UUID | None = None
    while True:
        rows = Artifact.objects.filter(removed_at=None).order_by("pk")
        if after is not None:
            rows = rows.filter(pk__gt=after)
        files = list(rows.values_list("id", "size_bytes")[:BATCH])
        if not files:
            return count
        after = files[-1][0]
        wrong = [
            artifact_id for artifact_id, size_bytes in files if _is_cut(artifact_id, size_bytes)
        ]
        if wrong:
            logger.warning("%d saved files are missing or cut short", len(wrong))
            marked = Artifact.objects.filter(pk__in=wrong, removed_at=None)
            # It expires as it is found lost: "removed before its time" means deleted by someone.
            count += marked.update(removed_at=now, expires_at=now)


def _is_cut(artifact_id: UUID, size_bytes: int) -> bool:
    try:
        return store.size(artifact_id) != size_bytes
    except OSError:
        return False  # the disk does not answer: that says nothing about the file


def _orphan_files(now: datetime, tally: DeletionTally) -> int:
    """Delete stored files without a row: their worker died between storing and recording them."""
    limit = (now - ORPHAN_GRACE).timestamp()
    count = 0
    for folder in store.walk():
        for batch in batches(folder):
            ids = [file.id for file in batch]
            known = Artifact.objects.filter(pk__in=ids)
            wanted = set(known.filter(removed_at=None).values_list("pk", flat=True))
            removed = set(known.exclude(removed_at=None).values_list("pk", flat=True))
            for file in batch:
                # A row that says "removed" needs no grace: this file only resisted last time.
                due = file.id in removed or file.modified_at < limit
                if file.id not in wanted and due and tally.delete_file(file.id, file.size_bytes):
                    count += 1
    return count


def _workspaces(now: datetime, tally: DeletionTally) -> int:
    """Delete folders of claims that are over.

    A slow transfer may leave a folder untouched for long, so its claim is asked for, not only its
    age.
    """
    count = 0
    for name in stale_workspaces(older_than_s=LEASE.total_seconds(), now=now.timestamp()):
        owner, _, attempt = name.rpartition(".")
        try:
            claim = UUID(owner), int(attempt)
        except ValueError:
            claim = None
        if claim and (is_claimed(*claim) or zip_claims.is_claimed(*claim)):
            continue
        try:
            remove_workspace(name)
        except OSError as error:
            tally.failed += 1
            logger.warning("could not delete workspace %s: %s", name, error.strerror)
        else:
            count += 1
    return count


def _jobs(now: datetime, tally: DeletionTally) -> int:
    """Erase settled jobs past their time; with retention 0, as soon as their last file is gone."""
    settled = Job.objects.filter(settled_at__lte=now - settings.STORYKEEP.job_retention)
    present = Artifact.objects.filter(job=OuterRef("pk"), removed_at=None)
    packing = Package.objects.open().filter(job=OuterRef("pk"))
    still_open = Item.objects.open().filter(job=OuterRef("pk"))
    old = settled.filter(~Exists(present), ~Exists(packing), ~Exists(still_open))
    if not settings.STORYKEEP.job_retention:
        # Whoever looks at a result without files is to see it for a moment at least.
        old = old.filter(settled_at__lte=now - ORPHAN_GRACE)
    count = 0
    for batch in batches(list(old.values_list("pk", flat=True))):
        for job_id in batch:
            try:
                count += erase_rows_and_files(job_id, tally, among=old)
            except DatabaseError as error:
                tally.failed += 1
                logger.warning("could not delete job %s: %s", job_id, type(error).__name__)
    return count


def _sessions(now: datetime) -> int:
    """Delete expired sessions; one may hold a paste of somebody who never signed in."""
    deleted, _by_model = Session.objects.filter(expire_date__lt=now).delete()
    return deleted
