"""What goes, and when: expired files, what crashes left behind, old jobs, and what people delete.

Row before file when removing: a row marked `removed_at` whose file is still there is found as an
orphan by the next sweep, while a file without its row would be promised and missing. No failed
deletion stops the others.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, TypeVar
from uuid import UUID

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import DatabaseError, transaction
from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from jobs.ephemeral import heartbeats, progress
from jobs.files import capacity, disk, store
from jobs.models import Artifact, Item, Job, Package, PackageState, Role
from jobs.queue import quotas, settling
from jobs.states import ItemState

logger = logging.getLogger(__name__)

GRACE: Final = timedelta(minutes=15)
"""A file without a row may be about to get one, a row without a file cannot; only files wait."""
BATCH: Final = 200
PACKING_PATIENCE: Final = timedelta(hours=6)
"""A package nobody could pack for so long is given up."""
NOTHING_TO_SPEAK_OF: Final = timedelta(minutes=1)

_ZIPS = (Role.BUNDLE, Role.SELECTION)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How many of what a sweep removed; failed: deletions that did not work and are due again."""

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


class _Tally:
    """A report in the making."""

    def __init__(self) -> None:
        self.freed_bytes = 0
        self.failed = 0

    def remove(self, artifact_id: UUID, size_bytes: int) -> bool:
        """Delete one saved file and count it; False when the disk says no."""
        try:
            if store.remove(artifact_id):
                self.freed_bytes += size_bytes
        except OSError as error:
            self.failed += 1
            logger.warning("could not delete artifact %s: %s", artifact_id, error.strerror)
            return False
        return True


def sweep(now: datetime) -> Report:
    """Remove everything whose time has come, and repair what does not match. Safe at any time."""
    tally = _Tally()
    away = disk.is_away()
    if away:  # what is not there is not lost: its disk may come back
        logger.error(
            "the folder for saved files is away: is its disk mounted? See `manage.py diagnose`"
        )
    counts = {
        "packages": _packages(now),
        "expired": _expired(now, tally),
        "orphan_rows": 0 if away else _orphan_rows(now),
        "orphan_files": 0 if away else _orphan_files(now, tally),
        "workspaces": 0 if away else _workspaces(now, tally),
        "jobs": _jobs(now, tally),
        "sessions": _sessions(now),
    }
    report = Report(**counts, freed_bytes=tally.freed_bytes, failed=tally.failed)
    if not report.idle:
        capacity.recount()
        logger.info("swept: %s", report)
    heartbeats.record_sweep(now, asdict(report))
    return report


def _batches(rows: Iterable[_T]) -> Iterator[list[_T]]:
    left = iter(rows)
    while batch := list(islice(left, BATCH)):
        yield batch


def _remove(found: Iterable[tuple[UUID, int]], now: datetime, tally: _Tally) -> int:
    """Mark rows, then delete their files. A file that resists is an orphan from now on."""
    count = 0
    for batch in _batches(found):
        count += len(_mark(batch, now))
        for artifact_id, size_bytes in batch:
            tally.remove(artifact_id, size_bytes)
    return count


def _mark(found: Iterable[tuple[UUID, int]], now: datetime) -> list[UUID]:
    """Those of the rows that were not marked before: of two who remove the same, one does."""
    marked = []
    for batch in _batches(artifact_id for artifact_id, _size in found):
        here = Artifact.objects.filter(pk__in=batch, removed_at=None)
        with transaction.atomic():
            ids = list(here.select_for_update().values_list("pk", flat=True))
            Artifact.objects.filter(pk__in=ids).update(removed_at=now)
        marked += ids
    return marked


def _expired(now: datetime, tally: _Tally) -> int:
    count = 0
    while True:
        # Read in pieces, not through one long cursor: the table changes under it.
        found = list(
            Artifact.objects.expired(now)
            .order_by("expires_at")
            .values_list("id", "size_bytes")[:BATCH]
        )
        if not found:
            return count
        count += _remove(found, now, tally)


def expire(item_id: UUID, now: datetime) -> None:
    """Remove what an item saved and is past its time, without waiting for the sweep."""
    expired = Artifact.objects.expired(now).filter(item=item_id)
    if _remove(list(expired.values_list("id", "size_bytes")), now, _Tally()):
        capacity.recount()


def _orphan_rows(now: datetime) -> int:
    """Rows whose file is not there, or not whole, as after a power cut: they promise nothing."""
    count = 0
    after: UUID | None = None
    while True:
        rows = Artifact.objects.filter(removed_at=None).order_by("pk")
        if after is not None:
            rows = rows.filter(pk__gt=after)
        found = list(rows.values_list("id", "size_bytes")[:BATCH])
        if not found:
            return count
        after = found[-1][0]
        wrong = [one for one, size_bytes in found if _is_wrong(one, size_bytes)]
        if wrong:
            logger.warning("%d saved files are missing or cut short", len(wrong))
            marked = Artifact.objects.filter(pk__in=wrong, removed_at=None)
            # It expires as it is found lost: "removed before its time" means deleted by someone.
            count += marked.update(removed_at=now, expires_at=now)


def _is_wrong(artifact_id: UUID, size_bytes: int) -> bool:
    try:
        return store.size(artifact_id) != size_bytes
    except OSError:
        return False  # the disk does not answer: that says nothing about the file


def _orphan_files(now: datetime, tally: _Tally) -> int:
    """Files no row speaks for: their worker died between keeping and recording them."""
    limit = (now - GRACE).timestamp()
    count = 0
    for folder in store.stored():
        for batch in _batches(folder):
            ids = [file.id for file in batch]
            known = Artifact.objects.filter(pk__in=ids)
            wanted = set(known.filter(removed_at=None).values_list("pk", flat=True))
            removed = set(known.exclude(removed_at=None).values_list("pk", flat=True))
            for file in batch:
                # A row that says "removed" needs no grace: this file only resisted last time.
                due = file.id in removed or file.modified_at < limit
                if file.id not in wanted and due and tally.remove(file.id, file.size_bytes):
                    count += 1
    return count


def _workspaces(now: datetime, tally: _Tally) -> int:
    """Folders of claims that are over. A slow transfer may leave a folder untouched for long, so
    its claim is asked for, not only its age."""
    count = 0
    for name in store.workspaces(older_than_s=settling.LEASE.total_seconds(), now=now.timestamp()):
        if _is_claimed(name):
            continue
        try:
            store.remove_workspace(name)
        except OSError as error:
            tally.failed += 1
            logger.warning("could not delete workspace %s: %s", name, error.strerror)
        else:
            count += 1
    return count


def _is_claimed(workspace: str) -> bool:
    owner, _, attempt = workspace.rpartition(".")
    try:
        held = {"pk": UUID(owner), "attempt": int(attempt)}
    except ValueError:
        return False
    return (
        Item.objects.filter(**held, state=ItemState.RUNNING).exists()
        or Package.objects.filter(**held, state=PackageState.RUNNING).exists()
    )


def _packages(now: datetime) -> int:
    """Give up packages that never came about, and forget those whose ZIP is gone."""
    stuck = Package.objects.filter(
        state__in=(PackageState.QUEUED, PackageState.RUNNING),
        created_at__lte=now - PACKING_PATIENCE,
    ).exclude(heartbeat_at__gt=now - settling.LEASE)
    given_up = stuck.update(state=PackageState.FAILED, error_code="internal")
    gone = Q(artifact=None) | Q(artifact__removed_at__isnull=False)
    over = Package.objects.filter(gone, state=PackageState.DONE)
    failed = Package.objects.filter(
        state=PackageState.FAILED, created_at__lte=now - PACKING_PATIENCE - timedelta(days=1)
    )
    # Two statements, for the database may not delete through a join.
    ids = [*over.values_list("pk", flat=True), *failed.values_list("pk", flat=True)]
    for batch in _batches(ids):
        Package.objects.filter(pk__in=batch).delete()
    return given_up + len(ids)


def _jobs(now: datetime, tally: _Tally) -> int:
    """Settled jobs past their time; with retention 0, as soon as their last file is gone."""
    settled = Job.objects.filter(settled_at__lte=now - settings.STORYKEEP.job_retention)
    present = Artifact.objects.filter(job=OuterRef("pk"), removed_at=None)
    packing = Package.objects.filter(
        job=OuterRef("pk"), state__in=(PackageState.QUEUED, PackageState.RUNNING)
    )
    still_open = Item.objects.open().filter(job=OuterRef("pk"))
    old = settled.filter(~Exists(present), ~Exists(packing), ~Exists(still_open))
    if not settings.STORYKEEP.job_retention:
        # Whoever looks at a result without files is to see it for a moment at least.
        old = old.filter(settled_at__lte=now - GRACE)
    count = 0
    for batch in _batches(list(old.values_list("pk", flat=True))):
        for job_id in batch:
            try:
                count += _erase(job_id, among=old) is not None
            except DatabaseError as error:
                tally.failed += 1
                logger.warning("could not delete job %s: %s", job_id, type(error).__name__)
    return count


def _sessions(now: datetime) -> int:
    """Nobody comes back to these; one may hold what was typed before it was known by whom."""
    gone, _each = Session.objects.filter(expire_date__lt=now).delete()
    return gone


def _erase(job_id: UUID, among: QuerySet[Job] | None = None) -> list[tuple[UUID, int]] | None:
    """A job's rows; its files, which the caller deletes. None when it is not among those any more.

    Its row is locked first, so that nothing is added to it meanwhile.
    """
    with transaction.atomic():
        jobs = Job.objects.all() if among is None else among
        if not jobs.select_for_update().filter(pk=job_id).exists():
            return None
        files = list(
            Artifact.objects.filter(job_id=job_id, removed_at=None).values_list("id", "size_bytes")
        )
        quotas.forgetting(job_id)
        Job.objects.filter(pk=job_id).delete()
    progress.erase(job_id)
    return files


# --- what people do -----------------------------------------------------------------------------


def forget(job: Job) -> None:
    """Stop a job, then remove its rows, files and progress, at once.

    A worker still busy with it finds its claim gone within a second and leaves nothing; what it
    kept in that moment is an orphan for the sweep. Log lines name ids only, so none has to go.
    """
    settling.cancel(job)
    tally = _Tally()
    for artifact_id, size_bytes in _erase(job.pk) or ():
        tally.remove(artifact_id, size_bytes)
    capacity.recount()
    logger.info("forgot job %s", job.pk)


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongings:
    """What one person has here: jobs, files on the disk, and what those weigh."""

    jobs: int
    files: int
    size_bytes: int


def belongings(owner_id: int) -> Belongings:
    """What would go with this person."""
    files = Artifact.objects.filter(owner_id=owner_id, removed_at=None)
    found = files.aggregate(count=Count("pk"), weight=Sum("size_bytes"))
    return Belongings(
        jobs=Job.objects.filter(owner_id=owner_id).count(),
        files=found["count"],
        size_bytes=found["weight"] or 0,
    )


def forget_everything(owner_id: int) -> Belongings:
    """Forget all of someone's jobs, as `forget` does one; what went."""
    before = belongings(owner_id)
    mine = Job.objects.filter(owner_id=owner_id)
    for job in mine.filter(Exists(Item.objects.open().filter(job=OuterRef("pk")))):
        settling.cancel(job)
    tally = _Tally()
    for job_id in list(mine.values_list("pk", flat=True)):
        for artifact_id, size_bytes in _erase(job_id) or ():
            tally.remove(artifact_id, size_bytes)
    capacity.recount()
    logger.info("forgot all %d jobs of user %s", before.jobs, owner_id)
    return before


def delete_files(job: Job) -> int:
    """Delete all of a job's files now; its record stays."""
    return len(delete(Artifact.objects.filter(job=job)))


def doomed(files: QuerySet[Artifact]) -> QuerySet[Artifact]:
    """What there is of these files, of what was made from them, and of the ZIPs with a copy."""
    chosen = files.order_by()
    same = chosen.filter(
        role=Role.MEDIA, story_id=OuterRef("story_id"), position=OuterRef("position")
    )
    packed = chosen.exclude(story=None).exclude(role__in=(Role.ZIP, Role.POSTER))
    return Artifact.objects.filter(
        Q(pk__in=chosen.values("pk"))
        | Exists(same)
        | Q(role=Role.ZIP, story_id__in=packed.values("story_id"))
        | Q(role__in=_ZIPS, job_id__in=packed.values("job_id")),
        job_id__in=chosen.values("job_id"),  # implied; spares a look at everyone's files
        removed_at=None,
    )


def delete(files: QuerySet[Artifact]) -> list[UUID]:
    """Delete these files now, and with them all that is `doomed`; the ids of what went.

    Their rows stay, so that pages can say when.
    """
    with transaction.atomic():
        # A ZIP that is just being finished is here when we look, or finds its files gone.
        jobs = Job.objects.filter(pk__in=files.order_by().values("job_id")).order_by("pk")
        list(jobs.select_for_update().values_list("pk", flat=True))
        found = list(doomed(files).values_list("pk", "size_bytes"))
        marked = _mark(found, timezone.now())
    tally = _Tally()
    for artifact_id, size_bytes in found:
        tally.remove(artifact_id, size_bytes)
    capacity.recount()
    return marked


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Until when a job's files are here: the first of them goes then.

    longest: the instance's maximum is reached, so asking again later gains nothing.
    """

    until: datetime
    longest: bool


def prolonged(expires_at: datetime, since: datetime) -> datetime:
    """When a file goes that is kept longer once more: one lifetime later, within the maximum.

    since: when it was saved, from which the maximum counts. `expires_at` itself when that gains
    nothing worth the asking.
    """
    env = settings.STORYKEEP
    longest = min(expires_at + env.artifact_ttl, since + env.artifact_ttl_max)
    return longest if longest - expires_at >= NOTHING_TO_SPEAK_OF else expires_at


def extend(job: Job) -> Kept | None:
    """Keep a job's files for one more lifetime than they have left, within the instance's maximum.

    Until when that is; None when there is no file left. Never shortens.
    """
    now = timezone.now()
    of_job = Artifact.objects.filter(job=job)
    first_saved = of_job.filter(role=Role.MEDIA).aggregate(at=Min("created_at"))["at"]

    def later(file: Artifact) -> datetime:
        # A ZIP is made later than what it holds, and may not outlive it for that.
        since = first_saved if file.role in _ZIPS and first_saved else file.created_at
        return prolonged(file.expires_at, since)

    with transaction.atomic():
        for file in of_job.present(now).only("role", "created_at", "expires_at"):
            # WHERE again: a file that was removed meanwhile stays removed, and of two that ask at
            # the same moment one is enough.
            still = Artifact.objects.filter(pk=file.pk, removed_at=None, expires_at=file.expires_at)
            still.update(expires_at=later(file))
    first = of_job.present(now).order_by("expires_at").first()
    if first is None:
        return None
    return Kept(until=first.expires_at, longest=later(first) == first.expires_at)
