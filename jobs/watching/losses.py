"""Stories that a look found and nobody could save before their day was over.

They were seen, so the list was whole; and yet the watch did not keep its promise. Each leaves a
hole of a minute at the moment it was posted, which is told like any other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from jobs.models import Item, Story, Watch, WatchGap
from jobs.queue.found import LISTED_FOR
from jobs.states import OPEN, SAVED, SHORT
from jobs.watching.coverage import STRIP_DAYS
from jobs.watching.rhythm import STORY_LIFE
from stories.account_lookup import posted_at
from stories.errors import Gone

_JUDGED_FOR: Final = timedelta(days=STRIP_DAYS)
_HOLE: Final = timedelta(minutes=1)
_AHEAD: Final = timedelta(hours=1)
"""So far TikTok's clock may be ahead of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsaved:
    """A story that a line of a watch was to save. gone: it was not listed any more as of `at`."""

    posted_at: datetime
    gone: bool
    at: datetime

    @property
    def stayed(self) -> bool:
        """Whether it may have stayed its full day; not one that its author took back before."""
        return not self.gone or self.at >= self.posted_at + STORY_LIFE


def unsaved(watch: Watch, now: datetime) -> Mapping[str, Unsaved]:
    """TikTok's ids of what lines of a watch fell short of, in the last seven days. One query, and
    another one where there is such a line.

    Not what a line of it is to save now, nor what its owner has saved by another line, nor what
    they have forgotten.
    """
    lines = Item.objects.kept().filter(
        job__watch=watch.pk, state__in=SHORT | OPEN, created_at__gt=now - _JUDGED_FOR
    )
    found: dict[str, Unsaved] = {}
    saving: set[str] = set()
    columns = ("only_ids", "error_code", "settled_at", "created_at", "state")
    for ids, code, settled_at, created_at, state in lines.values_list(*columns):
        if state in OPEN:
            saving.update(ids.split())
            continue
        for story_id in ids.split():
            with suppress(ValueError, OverflowError, OSError):  # no id
                at = posted_at(story_id)
                # Listed for longer no story is: an id with another time in it is none, either.
                if -_AHEAD <= created_at - at <= LISTED_FOR:
                    found[story_id] = Unsaved(
                        posted_at=at, gone=code == Gone.code, at=settled_at or now
                    )
    for story_id in saving:
        found.pop(story_id, None)
    if not found:
        return found
    saved = Story.objects.filter(
        owner_id=watch.owner_id, tiktok_id__in=list(found), state__in=SAVED
    )
    for story_id in saved.values_list("tiktok_id", flat=True):
        found.pop(story_id, None)
    return found


def note_holes(
    watch: Watch, lost: Mapping[str, Unsaved], listed: Collection[str], now: datetime
) -> list[WatchGap]:
    """Save the holes of what was not saved while it was there; those that are new."""
    holes = []
    for story_id, story in lost.items():
        if story_id in listed or not story.stayed or now < story.posted_at + STORY_LIFE:
            continue  # it may still be saved, or nobody promised to
        begins_at = story.posted_at
        if watch.gaps.filter(begins_at__lte=begins_at, ends_at__gt=begins_at).exists():
            continue
        holes.append(
            WatchGap.objects.create(watch=watch, begins_at=begins_at, ends_at=begins_at + _HOLE)
        )
    return holes
