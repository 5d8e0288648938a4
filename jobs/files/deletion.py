"""Deleting saved files: rows are marked first, then the files go.

A row marked `removed_at` whose file is still there is found as an orphan by the next sweep, while a
file that is gone before its row would be promised and missing. No failed deletion stops the others.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Final, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from jobs.ephemeral import clock
from jobs.files import capacity, store
from jobs.models import JOB_ZIP_ROLES, Artifact, Job, Role

logger = logging.getLogger(__name__)
T = TypeVar("T")

BATCH: Final = 200
SizedFile = tuple[UUID, int]
"""An artifact's id and its size in bytes."""


class DeletionTally:
    """Counts deletions while they happen. failed: files the disk would not let go."""

    def __init__(self) -> None:
        self.freed_bytes = 0
        self.failed = 0

    def delete_file(self, artifact_id: UUID, size_bytes: int) -> bool:
        """Delete one file from the store; False, and a line in the log, when the disk refuses."""
        try:
            if store.remove(artifact_id):
                self.freed_bytes += size_bytes
        except OSError as error:
            self.failed += 1
            logger.warning("could not delete artifact %s: %s", artifact_id, error.strerror)
            return False
        return True

    def delete_files(self, files: Sequence[SizedFile]) -> None:
        """Delete files from the store, those of a bucket with few requests; as `delete_file`."""
        for batch in batches(files):
            if store.remove_all([artifact_id for artifact_id, _size in batch]):
                self.freed_bytes += sum(size_bytes for _id, size_bytes in batch)
                continue
            for artifact_id, size_bytes in batch:
                self.delete_file(artifact_id, size_bytes)


def batches(rows: Iterable[T]) -> Iterator[list[T]]:
    """The rows in lists of at most `BATCH`."""
    iterator = iter(rows)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def remove(files: Iterable[SizedFile], now: datetime, tally: DeletionTally) -> int:
    """Mark rows, then delete their files; how many rows were marked.

    A file that cannot be deleted is an orphan from now on.
    """
    count = 0
    for batch in batches(files):
        count += len(mark_removed(batch, now))
        tally.delete_files(batch)
    return count


def mark_removed(files: Iterable[SizedFile], now: datetime) -> list[UUID]:
    """Mark rows as removed; ids of those that were not marked before.

    Of two callers that remove the same file, one gets its id.
    """
    marked = []
    for batch in batches(artifact_id for artifact_id, _size in files):
        present = Artifact.objects.filter(pk__in=batch, removed_at=None)
        with transaction.atomic():
            ids = list(present.select_for_update().values_list("pk", flat=True))
            Artifact.objects.filter(pk__in=ids).update(removed_at=now)
        marked += ids
    return marked


def delete_expired(item_id: UUID, now: datetime) -> None:
    """Delete an item's files that are past their time, without waiting for the sweep.

    Like there, nothing goes for HOLD_S after the clock was set forward.
    """
    expired = list(
        Artifact.objects.expired(now).filter(item=item_id).values_list("id", "size_bytes")
    )
    if not expired:
        return
    clock.watch.look()
    if clock.watch.was_set_forward(clock.HOLD_S):
        return
    if remove(expired, now, DeletionTally()):
        capacity.invalidate()


def dependents(files: QuerySet[Artifact]) -> QuerySet[Artifact]:
    """The present ones of these files, of files derived from them, and of ZIPs that hold a copy."""
    chosen = files.order_by()
    same_media = chosen.filter(
        role=Role.MEDIA, story_id=OuterRef("story_id"), position=OuterRef("position")
    )
    packed = chosen.exclude(story=None).exclude(role__in=(Role.ZIP, Role.POSTER))
    return Artifact.objects.filter(
        Q(pk__in=chosen.values("pk"))
        | Exists(same_media)
        | Q(role=Role.ZIP, story_id__in=packed.values("story_id"))
        | Q(role__in=JOB_ZIP_ROLES, job_id__in=packed.values("job_id")),
        job_id__in=chosen.values("job_id"),  # implied; spares a look at everyone's files
        removed_at=None,
    )


def delete(files: QuerySet[Artifact]) -> list[UUID]:
    """Delete files now, and their `dependents` with them; the ids of all that went.

    Their rows stay, so that pages can say when.
    """
    with transaction.atomic():
        # A ZIP that is just being finished is here when we look, or finds its files gone.
        jobs = Job.objects.filter(pk__in=files.order_by().values("job_id")).order_by("pk")
        list(jobs.select_for_update().values_list("pk", flat=True))
        going = list(dependents(files).values_list("pk", "size_bytes"))
        marked = mark_removed(going, timezone.now())
    DeletionTally().delete_files(going)
    capacity.invalidate()
    return marked


def delete_job_files(job: Job) -> int:
    """Delete all of a job's files now, and keep its record; how many files went."""
    return len(delete(Artifact.objects.filter(job=job)))
