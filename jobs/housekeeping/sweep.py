"""The sweep: removes what has served its time, and repairs where rows and files disagree.

Expired files, orphaned files and rows, workspaces of dead workers, ZIPs nobody waits for, old jobs,
expired sessions. It is safe to run at any time, and beside another one.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.db.models import Exists, OuterRef

from jobs.ephemeral import heartbeats
from jobs.ephemeral.clock import HOLD_S, watch
from jobs.files import capacity, disk, lifetime, store
from jobs.files.deletion import BATCH, DeletionTally, batches, remove
from jobs.files.workspace import remove_workspace, stale_workspaces
from jobs.housekeeping import statistics
from jobs.housekeeping.orphans import ORPHAN_GRACE, Orphans, comparison
from jobs.models import Artifact, Item, Job, Package
from jobs.queue import remembered_authors
from jobs.queue.claims import LEASE, is_claimed
from jobs.queue.erasure import erase_rows_and_files
from jobs.upstream import way_switches
from jobs.zips import claims as zip_claims

logger = logging.getLogger(__name__)


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


def sweep(now: datetime, *, whole: bool = False) -> SweepReport:
    """Remove everything whose time has come; what was removed.

    whole: compare all rows and files, and not only the share that is due.
    Nothing is removed for HOLD_S after the clock was set forward: what it then takes for expired
    may not be, and does not come back.
    """
    watch.look()
    if watch.was_set_forward(HOLD_S):
        logger.warning("the clock was set forward: nothing is cleaned up for now")
        heartbeats.record_sweep(now, asdict(SweepReport()))
        return SweepReport()
    _put_times_right()
    tally = DeletionTally()
    unmounted = disk.is_away(again=True)
    if unmounted:  # files that are not there are not lost: their disk may come back
        logger.error(
            "the place for saved files is away: is its disk mounted? See `manage.py diagnose`"
        )
    packages, expired = zip_claims.sweep(now), _expired(now, tally)
    orphans, workspaces = Orphans(), 0
    if not unmounted:
        try:
            orphans = comparison.run(now, tally, whole=whole)
            workspaces = _workspaces(now, tally) + store.abort_stale_uploads(now)
        except OSError as error:  # of what it could not read, nothing is known
            logger.warning("the disk does not answer: %s", error.strerror)
    counts = {
        "packages": packages,
        "expired": expired,
        "orphan_rows": orphans.rows,
        "orphan_files": orphans.files,
        "workspaces": workspaces,
        "jobs": _jobs(now, tally),
        "sessions": _sessions(now),
    }
    remembered_authors.drop_unneeded()
    way_switches.mirror()
    report = SweepReport(**counts, freed_bytes=tally.freed_bytes, failed=tally.failed)
    if not report.idle:
        capacity.invalidate()
        logger.info("swept: %s", report)
    statistics.refresher.refresh()
    heartbeats.record_sweep(now, asdict(report))
    return report


def _put_times_right() -> None:
    """Give files that were saved while the clock was wrong the time they would have had."""
    wrong = watch.take_wrong_times()
    if wrong is None:
        return
    since = datetime.fromtimestamp(wrong.since_s, UTC)
    until = None if wrong.until_s is None else datetime.fromtimestamp(wrong.until_s, UTC)
    by = timedelta(seconds=wrong.by_s)
    try:
        count = lifetime.put_right(by, since, until)
    except DatabaseError:
        watch.keep_wrong_times(wrong)  # or they would expire by the times they have
        raise
    logger.warning("%d files had their times put right", count)


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
