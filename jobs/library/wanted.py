"""What is to be kept for good: rows for what a member asked for, and for what they keep always.

A row is written first, and the file later, by whoever finds the row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from jobs.files import library_folder
from jobs.library import turns
from jobs.models import (
    Artifact,
    CopyRole,
    CopyState,
    Item,
    Job,
    LibraryChoice,
    LibraryCopy,
    LibraryMode,
    Role,
    Story,
)
from jobs.states import OPEN

_UNWANTED: Final = frozenset({CopyState.FAILED, CopyState.REMOVING})
BATCH: Final = 500
"""Files that are wanted at one call, at most."""


def keep_story(story: Story) -> int:
    """Keep a story's pictures and videos for good; how many are new in the library.

    Those that are there already, or on their way, are left alone; what was given up is tried again,
    and what was forgotten is not removed, or written once more.
    """
    files = Artifact.objects.present().kept().filter(story=story, role=Role.MEDIA)
    with transaction.atomic():
        _lock(Item.objects.filter(pk=story.item_id).values_list("job_id", flat=True))
        positions = list(files.values_list("position", flat=True))
        return _want(story.owner_id, {story.tiktok_id: (story.posted_at, positions)})


def keep_automatically(now: datetime | None = None) -> int:
    """Keep what is here and belongs to members who keep it always; how many files are new.

    Stories whose files are still coming wait until they are all there.
    """
    now = now or timezone.now()
    modes = dict(
        LibraryChoice.objects.filter(
            mode__in=[LibraryMode.WATCHES, LibraryMode.EVERYTHING], owner__is_active=True
        ).values_list("owner_id", "mode")
    )
    if not modes or not library_folder.is_set():
        return 0
    everything = [owner for owner, mode in modes.items() if mode == LibraryMode.EVERYTHING]
    known = LibraryCopy.objects.filter(
        owner_id=OuterRef("owner_id"),
        tiktok_id=OuterRef("story__tiktok_id"),
        role=CopyRole.MEDIA,
        position=OuterRef("position"),
    ).exclude(state=CopyState.FAILED, created_at__lt=OuterRef("created_at"))
    missing = (
        _media(now)
        .filter(Q(owner_id__in=everything) | Q(owner_id__in=list(modes), job__from_watch=True))
        .exclude(story__state__in=OPEN)
        .filter(~Exists(known))
        .order_by("expires_at")
        .values_list("owner_id", "story__tiktok_id", "story__posted_at", "position")
    )
    jobs = set(missing.values_list("job_id", flat=True)[:BATCH])
    if not jobs:  # mostly: seen without the database's one write lock
        return 0
    with transaction.atomic():
        _lock(jobs)
        by_owner: dict[int, dict[str, tuple[datetime, list[int]]]] = {}
        for owner_id, tiktok_id, posted_at, position in missing.filter(job_id__in=jobs)[:BATCH]:
            stories = by_owner.setdefault(owner_id, {})
            stories.setdefault(tiktok_id, (posted_at, []))[1].append(position)
        return sum(_want(owner_id, stories) for owner_id, stories in by_owner.items())


def _lock(job_ids: Iterable[UUID]) -> None:
    """Have none of these jobs be erased until the transaction ends: what is forgotten with one is
    not wanted again."""
    jobs = Job.objects.filter(pk__in=job_ids).order_by("pk")
    list(jobs.select_for_update(no_key=True).values_list("pk"))


def _media(now: datetime) -> QuerySet[Artifact]:
    return Artifact.objects.present(now).kept().filter(role=Role.MEDIA, story__isnull=False)


def _want(owner_id: int, stories: Mapping[str, tuple[datetime, Iterable[int]]]) -> int:
    """Write the rows that are missing; how many. stories: TikTok's id → when it was posted, and
    positions."""
    rows = LibraryCopy.objects.filter(owner_id=owner_id, tiktok_id__in=list(stories))
    now = timezone.now()
    with transaction.atomic():
        states = {
            (tiktok_id, role, position): state
            for tiktok_id, role, position, state in rows.values_list(
                "tiktok_id", "role", "position", "state"
            )
        }
        new: list[LibraryCopy] = []
        again: list[tuple[str, int]] = []
        for tiktok_id, (posted_at, positions) in stories.items():
            wanted = []
            for position in sorted(set(positions)):
                state = states.get((tiktok_id, CopyRole.MEDIA, position))
                if state is None:
                    wanted.append(_row(owner_id, tiktok_id, CopyRole.MEDIA, position, posted_at))
                elif state in _UNWANTED:
                    again.append((tiktok_id, position))
            new += wanted
            if wanted or any(story == tiktok_id for story, _position in again):
                new += _story_row(owner_id, tiktok_id, posted_at, states)
        LibraryCopy.objects.bulk_create(new, ignore_conflicts=True)
        for tiktok_id, position in again:
            mine = rows.filter(
                tiktok_id=tiktok_id, position=position, role=CopyRole.MEDIA, state__in=_UNWANTED
            )
            mine.filter(state=CopyState.FAILED).update(not_before=None)
            # One that is just being removed stays its worker's, who then gives it back.
            mine.filter(not_before__gt=now + turns.LEASE).update(not_before=now + turns.LEASE)
            mine.update(state=CopyState.WAITING, reason="", tries=0, created_at=now)
    return sum(row.role == CopyRole.MEDIA for row in new) + len(again)


def _story_row(
    owner_id: int, tiktok_id: str, posted_at: datetime, states: Mapping[tuple[str, str, int], str]
) -> list[LibraryCopy]:
    """A row for another JSON of a story, unless one is still to be written: none is overwritten."""
    numbers = {
        number: state
        for (story, role, number), state in states.items()
        if story == tiktok_id and role == CopyRole.STORY
    }
    if CopyState.WAITING in numbers.values():
        return []
    number = max(numbers, default=-1) + 1
    return [_row(owner_id, tiktok_id, CopyRole.STORY, number, posted_at)]


def _row(
    owner_id: int, tiktok_id: str, role: CopyRole, position: int, posted_at: datetime
) -> LibraryCopy:
    return LibraryCopy(
        owner_id=owner_id, tiktok_id=tiktok_id, role=role, position=position, posted_at=posted_at
    )
