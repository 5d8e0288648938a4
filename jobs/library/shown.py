"""What pages show of the library: how far a job's stories have come, and a member's numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Count, Q

from jobs import library_words
from jobs.files import library_folder
from jobs.models import (
    CopyRole,
    CopyState,
    LibraryChoice,
    LibraryCopy,
    LibraryMark,
    LibraryMode,
    SendState,
    Story,
)

_URGENCY: Final = (CopyState.WAITING, CopyState.FAILED, CopyState.KEPT)


@dataclass(frozen=True, slots=True)
class Kept:
    """How far a story has come: the state of the file that is furthest behind, and how many of its
    files have rows."""

    state: str
    files: int


def of_job(owner_id: int, job_id: UUID) -> Mapping[str, Kept] | None:
    """TikTok's id → how far that story of a job has come; None where nothing is offered. What was
    forgotten is not in it: it can be kept again.

    No query without a library, one where its owner keeps nothing, else two.
    """
    if not library_folder.is_set():
        return None
    mode = LibraryChoice.objects.filter(owner_id=owner_id).values_list("mode", flat=True).first()
    if mode in {None, LibraryMode.NEVER}:
        return None
    stories = Story.objects.filter(item__job_id=job_id).values("tiktok_id")
    rows = LibraryCopy.objects.filter(
        owner_id=owner_id, role=CopyRole.MEDIA, tiktok_id__in=stories
    ).exclude(state=CopyState.REMOVING)
    found: dict[str, list[str]] = {}
    for tiktok_id, state in rows.order_by("tiktok_id").values_list("tiktok_id", "state"):
        found.setdefault(tiktok_id, []).append(state)
    return {
        tiktok_id: Kept(
            min(states, key=lambda state: _URGENCY.index(CopyState(state))), len(states)
        )
        for tiktok_id, states in found.items()
    }


def is_away() -> bool:
    """Whether the workers did not find the library's folder when they last looked."""
    return LibraryMark.objects.filter(is_away=True).exists()


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """A member's pictures and videos in the library, or all members'. why: why some wait or were
    given up, as sentences, the most frequent first. sent, unsent, refused: at Immich."""

    kept: int
    waiting: int
    failed: int
    why: tuple[str, ...]
    sent: int
    unsent: int
    refused: int


def numbers(owner_id: int | None = None) -> Numbers:
    """Numbers of one member, or of everybody. Two queries."""
    rows = LibraryCopy.objects.filter(role=CopyRole.MEDIA)
    if owner_id is not None:
        rows = rows.filter(owner_id=owner_id)
    sums = rows.aggregate(
        kept=Count("pk", filter=Q(state=CopyState.KEPT)),
        waiting=Count("pk", filter=Q(state=CopyState.WAITING)),
        failed=Count("pk", filter=Q(state=CopyState.FAILED)),
        sent=Count("pk", filter=Q(send_state=SendState.THERE)),
        unsent=Count("pk", filter=Q(send_state=SendState.WAITING)),
        refused=Count("pk", filter=Q(send_state=SendState.FAILED)),
    )
    found: Counter[str] = Counter()
    behind = rows.filter(Q(state__in=[CopyState.WAITING, CopyState.FAILED]) & ~Q(reason=""))
    for reason, count in behind.values_list("reason").annotate(count=Count("pk")):
        found[reason] += count
    refused = rows.exclude(send_reason="").exclude(send_state=SendState.NONE)
    for reason, count in refused.values_list("send_reason").annotate(count=Count("pk")):
        found[reason] += count
    why = tuple(
        words for reason, _ in found.most_common(4) if (words := library_words.words(reason))
    )
    return Numbers(why=why, **sums)
