"""Erasing jobs: nobody finds them from then on, whatever state they are in, and nothing is left.

Rows, files and progress of most jobs go at once. A large one is marked as erased, and its rows and
files go in the background, a few hundred at a time.

A worker still busy with an erased job finds its claim gone within a second and leaves nothing; a
file it kept in that moment is an orphan for the sweep. Log lines name ids only, so none has to go.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet, Sum
from django.utils import timezone

from jobs.ephemeral import progress
from jobs.errors import Cancelled
from jobs.files import capacity
from jobs.files.deletion import BATCH, DeletionTally, SizedFile
from jobs.models import Artifact, Item, Job, Package, Story
from jobs.queue import actions, quotas, remembered_authors, residue
from jobs.queue.backoff import error_fields
from jobs.queue.transitions import transition
from jobs.states import ItemState
from notices import outbox

logger = logging.getLogger(__name__)

LARGE: Final = 200
"""A job with more files, stories or lines goes in the background."""
MARKED_ROWS: Final = 2000
"""Rows that go at one call in the background."""


def erase(job: Job, *, beside: Callable[[UUID], object] | None = None) -> None:
    """Cancel a job, then remove its rows, files and progress; of a large one, in the background.

    beside: called with the job's id in the transaction that erases its rows, before they go.
    """
    actions.cancel(job)
    erase_rows_and_files(job.pk, DeletionTally(), beside=beside)
    remembered_authors.drop_unneeded()
    capacity.invalidate()
    logger.info("erased job %s", job.pk)


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongings:
    """One user's jobs and files here. files, size_bytes: those that were not removed yet."""

    jobs: int
    files: int
    size_bytes: int


def belongings(owner_id: int) -> Belongings:
    """The jobs and files `erase_all` would remove. Two queries."""
    present = Artifact.objects.kept().filter(owner_id=owner_id, removed_at=None)
    totals = present.aggregate(count=Count("pk"), size_bytes=Sum("size_bytes"))
    return Belongings(
        jobs=Job.objects.filter(owner_id=owner_id).count(),
        files=totals["count"],
        size_bytes=totals["size_bytes"] or 0,
    )


def erase_all(owner_id: int) -> Belongings:
    """Cancel and erase all of a user's jobs; what was removed."""
    before = belongings(owner_id)
    jobs = Job.objects.filter(owner_id=owner_id)
    for job in jobs.filter(Exists(Item.objects.open().filter(job=OuterRef("pk")))):
        actions.cancel(job)
    tally = DeletionTally()
    for job_id in list(jobs.values_list("pk", flat=True)):
        erase_rows_and_files(job_id, tally)
    erase_marked(tally, rows=None, owner_id=owner_id)
    remembered_authors.drop_unneeded()
    capacity.invalidate()
    logger.info("erased all %d jobs of user %s", before.jobs, owner_id)
    return before


def erase_rows_and_files(
    job_id: UUID,
    tally: DeletionTally,
    *,
    among: QuerySet[Job] | None = None,
    beside: Callable[[UUID], object] | None = None,
) -> bool:
    """Remove a job's rows, then its files and progress; False when it is not among those any more.

    Of a large job the row is marked, and nobody finds it from then on; `erase_marked` removes the
    rest. among: the jobs that may be erased, looked at once more under the lock; None = any job.
    beside: as for `erase`.
    """
    files = _erase_rows(job_id, Job.objects.all() if among is None else among, beside)
    if files is None:
        return False
    progress.erase(job_id)
    tally.delete_files(files)
    return True


def _erase_rows(
    job_id: UUID, among: QuerySet[Job], beside: Callable[[UUID], object] | None
) -> list[SizedFile] | None:
    """Delete a job's rows, or mark a large one; the files that are to go now, None when there is no
    such job among those.

    The job's row is locked first, so that nothing is added to it meanwhile.
    """
    with transaction.atomic():
        if not among.select_for_update().filter(pk=job_id).exists():
            return None
        quotas.carry_over(job_id)
        outbox.forget([job_id.hex])
        if beside is not None:
            beside(job_id)
        residue.note()
        if _is_large(job_id):
            _mark(job_id)
            return []
        present = Artifact.objects.filter(job_id=job_id, removed_at=None)
        files = list(present.values_list("id", "size_bytes"))
        Job.objects.filter(pk=job_id).delete()
    return files


def _is_large(job_id: UUID) -> bool:
    """Whether a job has more rows of some kind than go while somebody waits."""
    of_job = (
        Artifact.objects.filter(job_id=job_id),
        Story.objects.filter(item__job_id=job_id),
        Item.objects.filter(job_id=job_id),
    )
    return any(len(rows.values_list("pk")[: LARGE + 1]) > LARGE for rows in of_job)


def _mark(job_id: UUID) -> None:
    """Have nobody find a job from now on: not by its key either, no ZIP of it is packed, and no
    line fetched that was retried since the job was cancelled."""
    now = timezone.now()
    transition(
        Item.objects.open().filter(job_id=job_id),
        ItemState.CANCELLED,
        settled_at=now,
        not_before=None,
        fetch_key=None,
        **error_fields(Cancelled()),
    )
    Package.objects.filter(job_id=job_id).delete()
    Job.objects.filter(pk=job_id).update(
        erased_at=now, idempotency_key=None, note="", bundle=None, selection=None
    )


def erase_marked(
    tally: DeletionTally, *, rows: int | None = MARKED_ROWS, owner_id: int | None = None
) -> int:
    """Remove rows and files of jobs that were marked, the longest marked first; how many jobs are
    gone for good.

    rows: about how many rows at most; None = all. owner_id: of one user's jobs only. Small
    transactions, each of which is safe to be the last: what is left is found by the next call.
    """
    marked = Job.with_erased.filter(erased_at__isnull=False).order_by("erased_at")
    if owner_id is not None:
        marked = marked.filter(owner_id=owner_id)
    left = float("inf") if rows is None else rows
    count = 0
    for job_id in list(marked.values_list("pk", flat=True)):
        stories = Story.objects.filter(item__job_id=job_id)
        items = Item.objects.filter(job_id=job_id)
        while left > 0 and (gone := _delete_files(job_id, tally)):
            left -= gone
        for of_job in (stories, items):
            while left > 0 and (gone := _delete_some(of_job)):
                left -= gone
        if left <= 0:
            break
        with transaction.atomic():
            Job.with_erased.filter(pk=job_id).delete()
            residue.note()
        count += 1
        logger.info("the last rows of job %s are gone", job_id)
    return count


def _delete_files(job_id: UUID, tally: DeletionTally) -> int:
    """Delete some of a job's file rows, then their files; how many rows."""
    with transaction.atomic():
        rows = Artifact.objects.filter(job_id=job_id).values_list("pk", "size_bytes", "removed_at")
        files = list(rows[:BATCH])
        Artifact.objects.filter(pk__in=[artifact_id for artifact_id, *_ in files]).delete()
    tally.delete_files([(pk, size_bytes) for pk, size_bytes, removed_at in files if not removed_at])
    return len(files)


def _delete_some(rows: QuerySet[Story] | QuerySet[Item]) -> int:
    """Delete some of these rows; how many."""
    ids = list(rows.values_list("pk", flat=True)[:BATCH])
    rows.model._base_manager.filter(pk__in=ids).delete()  # noqa: SLF001  # public by name
    return len(ids)
