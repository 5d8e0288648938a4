"""The timeline of a job or a line, past and upcoming, from the times in its rows.

Rows keep the last time of each kind, so of several attempts the last one is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs.errors import state_label
from jobs.models import Artifact, Item, Job, Package, Role, Story
from jobs.states import OPEN, ItemState
from jobs.wording import size

S = ItemState
_SENT, _ASKED, _BEGAN, _SAVED, _HELD, _SETTLED, _OVER, _PACKED, _DELETED = range(9)
"""Ranks: what comes first of what happens within a second."""
_SAME_MOMENT = timedelta(seconds=2)
"""A line whose asked_at and created_at are this close was asked for once."""


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """An event, in the active language. code: of its error. upcoming: later than now.

    rank: of two within a second the smaller one came first, whatever their fractions say.
    """

    at: datetime
    text: str
    code: str = ""
    upcoming: bool = False
    rank: int = 0


def of_item(item: Item, now: datetime) -> list[TimelineEntry]:
    """The timeline of a line, oldest first. Three queries."""
    return _ordered(_item_entries(item), now)


def of_job(job: Job, now: datetime) -> list[TimelineEntry]:
    """The timeline of a job, oldest first. Three queries."""
    return _ordered(_job_entries(job), now)


def _ordered(entries: Iterable[TimelineEntry], now: datetime) -> list[TimelineEntry]:
    return sorted(
        (replace(entry, upcoming=entry.at > now) for entry in entries),
        key=lambda entry: (entry.at.replace(microsecond=0), entry.rank),
    )


def _item_entries(item: Item) -> Iterator[TimelineEntry]:
    found = item.look_id is not None
    submitted = _("found by a watch") if found else _("submitted")
    yield TimelineEntry(item.created_at, submitted, rank=_SENT)
    # Until its time of asking, a line that a watch found merely yields to others.
    if item.asked_at - item.created_at > _SAME_MOMENT and not found:
        yield TimelineEntry(item.asked_at, _("asked for again"), rank=_ASKED)
    if item.claimed_at:
        began = _("attempt %(n)d began") % {"n": item.attempt}
        yield TimelineEntry(item.claimed_at, began, rank=_BEGAN)
    files = Artifact.objects.filter(item=item)
    media = files.filter(role=Role.MEDIA).values_list("story_id", flat=True)
    saved = [story_id for story_id in media if story_id]
    for story in Story.objects.filter(item=item).order_by("position"):
        if story.captured_at:
            text = _story_text(story, saved.count(story.pk))
            yield TimelineEntry(story.captured_at, text, rank=_SAVED)
    if item.state == S.RUNNING and item.heartbeat_at:
        yield TimelineEntry(item.heartbeat_at, _("worker last seen"), rank=_HELD)
    if item.state == S.QUEUED and item.sent_at:
        yield TimelineEntry(item.sent_at, _("handed to the workers"), rank=_HELD)
    if item.state == S.QUEUED and item.not_before:
        yield TimelineEntry(item.not_before, _("next attempt"), item.error_code, rank=_OVER)
    if item.settled_at:
        label = state_label(item.state, item.error_code)
        yield TimelineEntry(item.settled_at, label, item.error_code, rank=_SETTLED)
    yield from _file_entries(files)


def _story_text(story: Story, saved: int) -> str:
    words = ngettext(
        "story %(place)d: %(saved)d of %(count)d file saved",
        "story %(place)d: %(saved)d of %(count)d files saved",
        story.media_count,
    )
    return words % {"place": story.position, "saved": saved, "count": story.media_count}


def _job_entries(job: Job) -> Iterator[TimelineEntry]:
    items = list(Item.objects.filter(job=job).order_by("position"))
    sent = ngettext("submitted, %(n)d line", "submitted, %(n)d lines", len(items))
    yield TimelineEntry(job.created_at, sent % {"n": len(items)}, rank=_SENT)
    claim_times = [item.claimed_at for item in items if item.claimed_at]
    if claim_times:
        yield TimelineEntry(min(claim_times), _("the first line began"), rank=_BEGAN)
    for item in items:
        if item.settled_at and item.state not in OPEN:
            label = state_label(item.state, item.error_code)
            text = _("line %(n)d: %(state)s") % {"n": item.position, "state": label}
            yield TimelineEntry(item.settled_at, text, item.error_code, rank=_SETTLED)
        elif item.not_before and item.state == S.QUEUED:
            text = _("line %(n)d: next attempt") % {"n": item.position}
            yield TimelineEntry(item.not_before, text, item.error_code, rank=_OVER)
    if job.settled_at:
        # Of two lines that settle at once, either may close the job, and does so with its own time.
        settle_times = [item.settled_at for item in items if item.settled_at]
        yield TimelineEntry(max([job.settled_at, *settle_times]), _("finished"), rank=_OVER)
        retention = settings.STORYKEEP.job_retention
        if retention:
            yield TimelineEntry(
                job.settled_at + retention, _("this record is deleted"), rank=_DELETED
            )
    for package in Package.objects.filter(job=job):
        text = _("ZIP requested: %(state)s") % {"state": package.get_state_display()}
        yield TimelineEntry(package.created_at, text, package.error_code, rank=_PACKED)
    yield from _file_entries(Artifact.objects.filter(job=job))


def _file_entries(files: QuerySet[Artifact]) -> Iterator[TimelineEntry]:
    """Files deleted, a minute to an entry, and the times the others expire."""
    facts = sorted(
        (removed_at or expires_at, removed_at is not None, size_bytes)
        for removed_at, expires_at, size_bytes in files.values_list(
            "removed_at", "expires_at", "size_bytes"
        )
    )

    def minute(fact: tuple[datetime, bool, int]) -> tuple[datetime, bool]:
        return fact[0].replace(second=0, microsecond=0), fact[1]

    for (_at, removed), group in groupby(facts, key=minute):
        entries = list(group)
        count = len(entries)
        values = {"n": count, "size": size(sum(size_bytes for _, _, size_bytes in entries))}
        if removed:
            text = ngettext("%(n)d file deleted, %(size)s", "%(n)d files deleted, %(size)s", count)
        else:
            text = ngettext(
                "%(n)d file will be deleted, %(size)s",
                "%(n)d files will be deleted, %(size)s",
                count,
            )
        yield TimelineEntry(entries[-1][0], text % values, rank=_DELETED)
