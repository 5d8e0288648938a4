"""What happened to a job or a line, and what will, in order: told from the times in its rows.

Rows keep the last time of each kind, so of several attempts the last one is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs.models import Artifact, Item, Job, Package, Role, Story
from jobs.states import OPEN, ItemState
from jobs.wording import size

S = ItemState
_MOMENT = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing at one time. code: why. ahead: it has not come yet."""

    at: datetime
    said: str
    code: str = ""
    ahead: bool = False


def of_item(item: Item, now: datetime) -> list[Happening]:
    """A line's story. Three queries."""
    return _ordered(_item(item, now), now)


def of_job(job: Job, now: datetime) -> list[Happening]:
    """A job's. Three queries."""
    return _ordered(_job(job, now), now)


def _ordered(happenings: Iterable[Happening], now: datetime) -> list[Happening]:
    # What has the same time stays in the order it is told in.
    return sorted(
        (Happening(one.at, one.said, one.code, ahead=one.at > now) for one in happenings),
        key=lambda one: one.at,
    )


def _item(item: Item, now: datetime) -> Iterator[Happening]:
    yield Happening(item.created_at, _("sent in"))
    if item.asked_at - item.created_at > _MOMENT:
        yield Happening(item.asked_at, _("asked for again"))
    if item.claimed_at:
        yield Happening(item.claimed_at, _("attempt %(n)d began") % {"n": item.attempt})
    files = Artifact.objects.filter(item=item)
    media = files.filter(role=Role.MEDIA).values_list("story_id", flat=True)
    saved = [story_id for story_id in media if story_id]
    for story in Story.objects.filter(item=item).order_by("position"):
        if story.captured_at:
            yield Happening(story.captured_at, _story(story, saved.count(story.pk)))
    if item.state == S.RUNNING and item.heartbeat_at:
        yield Happening(item.heartbeat_at, _("last sign of life of its worker"))
    if item.state == S.QUEUED and item.sent_at:
        yield Happening(item.sent_at, _("offered to the workers"))
    if item.state == S.QUEUED and item.not_before:
        yield Happening(item.not_before, _("may be tried"), item.error_code)
    if item.settled_at:
        yield Happening(item.settled_at, str(S(item.state).label), item.error_code)
    yield from _files(files, now)


def _story(story: Story, saved: int) -> str:
    words = ngettext(
        "story %(place)d: %(saved)d of %(count)d file saved",
        "story %(place)d: %(saved)d of %(count)d files saved",
        story.media_count,
    )
    return words % {"place": story.position, "saved": saved, "count": story.media_count}


def _job(job: Job, now: datetime) -> Iterator[Happening]:
    items = list(Item.objects.filter(job=job).order_by("position"))
    sent = ngettext("sent in with %(n)d line", "sent in with %(n)d lines", len(items))
    yield Happening(job.created_at, sent % {"n": len(items)})
    begun = [item.claimed_at for item in items if item.claimed_at]
    if begun:
        yield Happening(min(begun), _("the first line began"))
    for item in items:
        if item.settled_at and item.state not in OPEN:
            said = _("line %(n)d: %(state)s") % {"n": item.position, "state": S(item.state).label}
            yield Happening(item.settled_at, said, item.error_code)
        elif item.not_before and item.state == S.QUEUED:
            said = _("line %(n)d may be tried") % {"n": item.position}
            yield Happening(item.not_before, said, item.error_code)
    if job.settled_at:
        # Of two lines that settle at once, either may close the job, and does so with its own time.
        settled = [item.settled_at for item in items if item.settled_at]
        yield Happening(max([job.settled_at, *settled]), _("nothing was left to do"))
        retention = settings.STORYKEEP.job_retention
        if retention:
            yield Happening(job.settled_at + retention, _("this record goes"))
    for package in Package.objects.filter(job=job):
        said = _("a ZIP was asked for: %(state)s") % {"state": package.get_state_display()}
        yield Happening(package.created_at, said, package.error_code)
    yield from _files(Artifact.objects.filter(job=job), now)


def _files(files: QuerySet[Artifact], now: datetime) -> Iterator[Happening]:
    """What was deleted, a minute at a time, and when the rest goes."""
    facts = sorted(
        (removed_at or expires_at, removed_at is not None, size_bytes)
        for removed_at, expires_at, size_bytes in files.values_list(
            "removed_at", "expires_at", "size_bytes"
        )
    )

    def minute(fact: tuple[datetime, bool, int]) -> tuple[datetime, bool]:
        return fact[0].replace(second=0, microsecond=0), fact[1]

    for (_at, removed), group in groupby(facts, key=minute):
        some = list(group)
        words = {"n": len(some), "size": size(sum(one[2] for one in some))}
        if removed:
            said = ngettext(
                "%(n)d file deleted, %(size)s", "%(n)d files deleted, %(size)s", len(some)
            )
        else:
            said = ngettext("%(n)d file goes, %(size)s", "%(n)d files go, %(size)s", len(some))
        yield Happening(some[-1][0], said % words)
