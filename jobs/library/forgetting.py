"""Forgetting what is in the library: told in numbers first, and removed by the next run."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Case, F, QuerySet, Value, When
from django.utils import timezone

from jobs.files import library_folder
from jobs.library import turns
from jobs.models import CopyRole, CopyState, LibraryCopy, SendState, Story


def copies_of(owner_id: int, job_ids: Sequence[UUID]) -> QuerySet[LibraryCopy]:
    """A member's files in the library that go with these jobs: those of stories that are in no
    other job of theirs."""
    copies = _in_jobs(owner_id, job_ids)
    found = set(copies.values_list("tiktok_id", flat=True))
    elsewhere = (
        Story.objects.kept()
        .filter(owner_id=owner_id, tiktok_id__in=found)
        .exclude(item__job_id__in=job_ids)
    )
    return copies.exclude(tiktok_id__in=set(elsewhere.values_list("tiktok_id", flat=True)))


def _in_jobs(owner_id: int, job_ids: Sequence[UUID]) -> QuerySet[LibraryCopy]:
    stories = Story.objects.filter(owner_id=owner_id, item__job_id__in=job_ids)
    return LibraryCopy.objects.filter(
        owner_id=owner_id, tiktok_id__in=stories.values("tiktok_id")
    ).exclude(state=CopyState.REMOVING)


def count(owner_id: int, job_ids: Sequence[UUID]) -> int:
    """How many pictures and videos of these jobs are in the library. No query without one."""
    if not library_folder.is_set() or not job_ids:
        return 0
    copies = copies_of(owner_id, job_ids)
    return copies.filter(role=CopyRole.MEDIA).exclude(state=CopyState.FAILED).count()


def jobs_with_copies(owner_id: int, job_ids: Sequence[UUID]) -> frozenset[UUID]:
    """Those of a member's jobs that have stories in the library, or on their way there.

    No query without a library, else one.
    """
    if not library_folder.is_set() or not job_ids:
        return frozenset()
    copies = LibraryCopy.objects.filter(owner_id=owner_id).exclude(state=CopyState.REMOVING)
    stories = Story.objects.filter(
        owner_id=owner_id, item__job_id__in=job_ids, tiktok_id__in=copies.values("tiktok_id")
    )
    return frozenset(stories.values_list("item__job_id", flat=True).distinct())


def forget(owner_id: int, job_ids: Sequence[UUID]) -> None:
    """Have these jobs' files in the library removed, where they are as they were written.

    To be called in the transaction that erases them, before they go: in between, a story could be
    taken for one that is missing in the library. What is at Immich stays there.
    """
    # Locked first: of two jobs that are erased at once, the later one sees that it is the last.
    locked = _in_jobs(owner_id, job_ids).order_by("pk").select_for_update(no_key=True)
    list(locked.values_list("pk"))
    ids = list(copies_of(owner_id, job_ids).values_list("pk", flat=True))
    until = timezone.now() + turns.LEASE
    LibraryCopy.objects.filter(pk__in=ids).update(
        state=CopyState.REMOVING,
        reason="",
        tries=0,
        # One that is just being written stays its worker's: else it were written after it went.
        not_before=Case(When(not_before__gt=until, then=Value(until)), default=F("not_before")),
        send_state=SendState.NONE,
    )


def drop_ownerless() -> None:
    """Know nothing more of files whose owner's account is gone, but of those to be removed."""
    LibraryCopy.objects.filter(owner=None).exclude(state=CopyState.REMOVING).delete()


def drop_rows(owner_id: int) -> None:
    """Know nothing more of a member's files in the library, which stay: they are for good."""
    LibraryCopy.objects.filter(owner_id=owner_id).exclude(state=CopyState.REMOVING).delete()
