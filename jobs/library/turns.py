"""Whose turn it is in the library: a row is taken for a while, kept, put off, or given up.

A row that somebody works on is not due until their time is over, so it is neither lost with a
worker that dies nor taken twice. Whoever ends orderly says why the row waits, or has it be due at
once: so one whose time was over, without a reason, was the death of its worker, or seems so.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from jobs.files import lifetime
from jobs.models import Artifact, CopyRole, CopyState, LibraryCopy, LibraryMark, Role
from jobs.queue.shutdown import ShutdownRequested, shutdown_requested

logger = logging.getLogger(__name__)

LEASE: Final = timedelta(minutes=10)
"""For so long a row belongs to whoever took it, unless they say that they still work on it."""
FIRST_PAUSE_S: Final = 60.0
LONGEST_PAUSE_S: Final = 3600.0
FARTHEST: Final = timedelta(seconds=LONGEST_PAUSE_S) + LEASE
"""Nothing is put off for longer: what lies farther ahead was said by a clock that was wrong."""
MOST_WAITS: Final = 6
"""So many tries count of those that ended for want of a disk: pauses are the longest by then."""
MOST_TRIES: Final = MOST_WAITS + 8
"""Of a row that fails by a mistake of ours, or kills whoever works on it."""
HOLD_BEFORE: Final = timedelta(minutes=10)
"""Saved files that a row waits for are kept longer when they have no more than this left."""


def pause(tries: int) -> timedelta:
    """How long after so many tries the next one is."""
    return timedelta(seconds=min(FIRST_PAUSE_S * 2 ** min(tries, 12), LONGEST_PAUSE_S))


def is_time(column: str, now: datetime) -> Q:
    """Of rows that may be touched now. column: the one that says from when on."""
    return (
        Q(**{column: None}) | Q(**{f"{column}__lte": now}) | Q(**{f"{column}__gt": now + FARTHEST})
    )


def due(now: datetime) -> QuerySet[LibraryCopy]:
    """Rows with something to do now, in order: a story's JSON after all its files."""
    others = LibraryCopy.objects.filter(
        owner_id=OuterRef("owner_id"),
        tiktok_id=OuterRef("tiktok_id"),
        role=CopyRole.MEDIA,
        state=CopyState.WAITING,
    )
    rows = LibraryCopy.objects.filter(
        is_time("not_before", now),
        state__in=[CopyState.WAITING, CopyState.REMOVING],
    )
    early = Q(role=CopyRole.STORY, state=CopyState.WAITING) & Exists(others)
    return rows.exclude(early).order_by("id")


def take(now: datetime | None = None) -> LibraryCopy | None:
    """The next row, which is the caller's for LEASE; None when there is none."""
    now = now or timezone.now()
    for row in due(now)[:20]:
        mine = LibraryCopy.objects.filter(pk=row.pk, state=row.state, not_before=row.not_before)
        was_killed = row.not_before is not None and not row.reason
        if was_killed and row.tries >= MOST_TRIES and row.state == CopyState.WAITING:
            if mine.update(not_before=now + LEASE):
                logger.error("library file %s was never written to its end", row.pk)
                give_up(row, "internal")
        elif mine.update(not_before=now + LEASE, tries=F("tries") + 1, reason=""):
            row.tries += 1
            return row
    return None


def in_work(numbers: Collection[int], now: datetime | None = None) -> set[int]:
    """Which of these rows somebody may be working on. numbers: their primary keys."""
    rows = LibraryCopy.objects.filter(pk__in=numbers)
    taken = rows.exclude(is_time("not_before", now or timezone.now()))
    return set(taken.values_list("pk", flat=True))


class Pulse:
    """Called while a row is worked on: says so now and then, and stops where this process is to
    end. column: the one that says until when it is taken."""

    def __init__(self, row: LibraryCopy, column: str = "not_before") -> None:
        self._row, self._column = row, column
        self._said_at = time.monotonic()

    def __call__(self) -> None:
        """Raises ShutdownRequested."""
        if shutdown_requested.is_set():
            raise ShutdownRequested
        if time.monotonic() - self._said_at > LEASE.total_seconds() / 10:
            self._said_at = time.monotonic()
            until = timezone.now() + LEASE
            LibraryCopy.objects.filter(pk=self._row.pk).update(**{self._column: until})


def put_off(row: LibraryCopy, reason: str) -> None:
    """Have a row wait, for longer each time; not one that was forgotten or wanted again meanwhile.

    reason: a key of `library_words.WORDS`.
    """
    until = timezone.now() + pause(row.tries)
    tries = row.tries if reason == "internal" else min(row.tries, MOST_WAITS)
    mine = LibraryCopy.objects.filter(pk=row.pk)
    if not mine.filter(state=row.state).update(not_before=until, reason=reason, tries=tries):
        mine.update(not_before=None)


def give_back(row: LibraryCopy) -> None:
    """Have a row be due again at once: nothing was wrong with it."""
    LibraryCopy.objects.filter(pk=row.pk).update(
        not_before=None, tries=max(0, row.tries - 1), reason=row.reason
    )


def give_up(row: LibraryCopy, reason: str) -> None:
    """Write a row off; its owner may ask for it once more."""
    LibraryCopy.objects.filter(pk=row.pk, state=CopyState.WAITING).update(
        state=CopyState.FAILED, reason=reason, not_before=None
    )


def keep(row: LibraryCopy, **facts: Any) -> bool:
    """Note that a row's file is there; False when there is no such row any more. One that is to be
    removed meanwhile stays so."""
    now = timezone.now()
    known = LibraryCopy.objects.filter(pk=row.pk).update(
        **facts, kept_at=now, not_before=None, reason="", tries=0
    )
    LibraryCopy.objects.filter(pk=row.pk, state=CopyState.WAITING).update(state=CopyState.KEPT)
    return bool(known)


def all_wait(reason: str) -> int:
    """Note why nothing is written at all; of how many rows that was not known. One statement."""
    return (
        LibraryCopy.objects.filter(state=CopyState.WAITING)
        .exclude(reason=reason)
        .update(reason=reason)
    )


def note_away(is_away: bool) -> None:
    """Note whether the library's folder is away, for pages, whose server may not have it at all."""
    LibraryMark.objects.exclude(is_away=is_away).update(is_away=is_away)


def hold_files(now: datetime | None = None) -> int:
    """Keep the saved files that rows wait for as long as this instance allows; how many."""
    now = now or timezone.now()
    if not LibraryCopy.objects.filter(state=CopyState.WAITING).exists():
        return 0
    waiting = LibraryCopy.objects.filter(
        owner_id=OuterRef("owner_id"),
        tiktok_id=OuterRef("story__tiktok_id"),
        position=OuterRef("position"),
        role=CopyRole.MEDIA,
        state=CopyState.WAITING,
    )
    ending = (
        Artifact.objects.present(now)
        .filter(role=Role.MEDIA, story__isnull=False, expires_at__lt=now + HOLD_BEFORE)
        .filter(Exists(waiting))
    )
    count = 0
    for artifact in ending.only("created_at", "expires_at")[:500]:
        later = lifetime.extended(artifact.expires_at, artifact.created_at)
        if later > artifact.expires_at:
            count += Artifact.objects.filter(
                pk=artifact.pk, removed_at=None, expires_at=artifact.expires_at
            ).update(expires_at=later)
    return count
