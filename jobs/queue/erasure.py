"""Erasing jobs: rows, files and progress go at once, whatever state they are in.

A worker still busy with an erased job finds its claim gone within a second and leaves nothing; a
file it kept in that moment is an orphan for the sweep. Log lines name ids only, so none has to go.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet, Sum

from jobs.ephemeral import progress
from jobs.files import capacity
from jobs.files.deletion import DeletionTally, SizedFile
from jobs.models import Artifact, Item, Job
from jobs.queue import actions, quotas

logger = logging.getLogger(__name__)


def erase(job: Job) -> None:
    """Cancel a job, then remove its rows, files and progress."""
    actions.cancel(job)
    erase_rows_and_files(job.pk, DeletionTally())
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
    present = Artifact.objects.filter(owner_id=owner_id, removed_at=None)
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
    capacity.invalidate()
    logger.info("erased all %d jobs of user %s", before.jobs, owner_id)
    return before


def erase_rows_and_files(
    job_id: UUID, tally: DeletionTally, *, among: QuerySet[Job] | None = None
) -> bool:
    """Remove a job's rows, then its files and progress; False when it is not among those any more.

    among: the jobs that may be erased, looked at once more under the lock; None = any job.
    """
    files = _erase_rows(job_id, Job.objects.all() if among is None else among)
    if files is None:
        return False
    progress.erase(job_id)
    for artifact_id, size_bytes in files:
        tally.delete_file(artifact_id, size_bytes)
    return True


def _erase_rows(job_id: UUID, among: QuerySet[Job]) -> list[SizedFile] | None:
    """Delete a job's rows; its present files, None when there is no such job among those.

    The job's row is locked first, so that nothing is added to it meanwhile.
    """
    with transaction.atomic():
        if not among.select_for_update().filter(pk=job_id).exists():
            return None
        present = Artifact.objects.filter(job_id=job_id, removed_at=None)
        files = list(present.values_list("id", "size_bytes"))
        quotas.carry_over(job_id)
        Job.objects.filter(pk=job_id).delete()
    return files
