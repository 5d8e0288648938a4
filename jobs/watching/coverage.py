"""Coverage: up to when a watch has every story that stayed its full day, and where there are holes.

A whole list shows every story that was posted within the day before. So the time between two whole
lists is covered as long as they are no more than a day apart; else what was posted after the first
and more than a day before the second may have come and gone unseen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from jobs.models import Watch, WatchGap, WatchState
from jobs.watching.rhythm import LONGEST, STORY_LIFE

STRIP_DAYS: Final = 7
KEPT: Final = timedelta(days=30)
"""How long a gap is told of."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A time that is not covered. ends_at: None while it goes on."""

    begins_at: datetime
    ends_at: datetime | None


def note_whole_list(watch: Watch, began_at: datetime) -> WatchGap | None:
    """Move a watch's coverage on, to when a look began that brought a whole list; unsaved.

    The gap that it leaves behind, if any, is saved. A look that began before the last one did, by a
    clock that was set back since, leaves none.
    """
    before = _since(watch)
    watch.covered_until, watch.deadline_at = began_at, began_at + LONGEST
    if began_at - before <= STORY_LIFE:
        return None
    gap, _made = WatchGap.objects.get_or_create(
        watch=watch, begins_at=before, defaults={"ends_at": began_at - STORY_LIFE}
    )
    return gap


def note_end(watch: Watch, now: datetime, *, looked: bool) -> WatchGap | None:
    """Save the hole that is open when a watch ends, if any. looked: a look ended it.

    What was posted in the day before such a look did not stay its full day.
    """
    open_now = open_gap(watch, now)
    if open_now is None or not watch.name:
        return None
    gap, _made = WatchGap.objects.get_or_create(
        watch=watch,
        begins_at=open_now.begins_at,
        defaults={"ends_at": now - STORY_LIFE if looked else now},
    )
    return gap


def _ended_at(watch: Watch) -> datetime | None:
    """When a watch ended: with the look that said so, or as nobody renewed it; None while it goes
    on."""
    if watch.state != WatchState.ENDED:
        return None
    return watch.looked_at if watch.error_code else watch.renew_by


def open_gap(watch: Watch, now: datetime) -> Gap | None:
    """The hole that is open now: something may be gone that nobody has seen; None without one."""
    if watch.state == WatchState.ENDED:
        return None
    since = _since(watch)
    return Gap(since, None) if now - since > STORY_LIFE else None


def _since(watch: Watch) -> datetime:
    """From when on nothing is known: the last whole list, or before the first one, when the watch
    began."""
    return watch.covered_until or watch.created_at


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the strip, from `begins_at` on. covered: None before the watch began and after it
    ended."""

    begins_at: datetime
    covered: bool | None


def strip(watch: Watch, gaps: Iterable[WatchGap], now: datetime) -> Sequence[Day]:
    """The last seven days, oldest first, the last one up to now; each whole or with a hole."""
    holes = [Gap(gap.begins_at, gap.ends_at) for gap in gaps]
    going_on = open_gap(watch, now)
    if going_on is not None:
        holes.append(going_on)
    ended_at = _ended_at(watch)
    days = []
    for back in range(STRIP_DAYS, 0, -1):
        begins_at = now - back * timedelta(days=1)
        ends_at = begins_at + timedelta(days=1)
        hit = any(
            hole.begins_at < ends_at and (hole.ends_at is None or hole.ends_at > begins_at)
            for hole in holes
        )
        # Of a day before the watch began, or before its first whole list, nothing is said, nor of
        # one after its end.
        told = ends_at > watch.created_at and watch.covered_until is not None
        told = told and (ended_at is None or begins_at < ended_at)
        days.append(Day(begins_at, False if hit else True if told else None))
    return days
