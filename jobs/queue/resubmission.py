"""Resubmission: lines whose files are gone, fetched again as a new job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from jobs.models import Artifact, Audio, Item, ItemKind, Job, Prefer, Role, Story
from jobs.queue import submission
from jobs.states import SAVED, ItemState

DUPLICATE_WINDOW: Final = timedelta(seconds=10)
"""Equal resubmissions of one user within this time are one: a button tapped twice."""


def refetchable(state: str, *, kind: str, saved: bool, present: bool, on_tiktok: bool) -> bool:
    """True when a line may be fetched again: it was cancelled, or all files it saved are gone.

    saved, present: media files it saved, and those that can still be downloaded.
    on_tiktok: TikTok still has one of its stories. Needed of a line about one story; an account
    may have new ones at any time.
    """
    if state == ItemState.CANCELLED:
        return True
    if state not in SAVED or not saved or present:
        return False
    return on_tiktok or kind == ItemKind.USER


def with_refetch_facts(items: QuerySet[Item], now: datetime) -> QuerySet[Item]:
    """The items, each with the booleans `saved`, `present` and `on_tiktok` of `refetchable`."""
    media = Artifact.objects.filter(item=OuterRef("pk"), role=Role.MEDIA)
    stories = Story.objects.filter(item=OuterRef("pk")).exclude(source_url="")
    return items.annotate(
        saved=Exists(media),
        present=Exists(media.present(now)),
        on_tiktok=Exists(stories.filter(Q(leaves_at=None) | Q(leaves_at__gt=now))),
    )


def is_refetchable(item: Any) -> bool:
    """`refetchable` of an item annotated by `with_refetch_facts`, which no static type shows."""
    return refetchable(
        item.state,
        kind=item.kind,
        saved=item.saved,
        present=item.present,
        on_tiktok=item.on_tiktok,
    )


def refetch(job: Job) -> Job | None:
    """A new job of the refetchable lines of `job`; None when it has none.

    Raises what `submission.submit` does.
    """
    items = with_refetch_facts(Item.objects.filter(job=job), timezone.now()).order_by("position")
    lines = [item.line for item in items if is_refetchable(item)]
    return resubmit(job, lines) if lines else None


def resubmit(job: Job, lines: Sequence[str], *, posts: bool | None = None) -> Job:
    """A new job of these lines with the note and options of `job`; `posts` replaces that option.

    A line that asks for the same as one of `job` fetches the rest of that line: its files that are
    still there are kept and linked. A second equal call within DUPLICATE_WINDOW returns the first
    one's job. Raises what `submission.submit` does.
    """
    options = submission.Options(
        prefer=Prefer(job.prefer),
        posts=job.posts if posts is None else posts,
        audio=Audio(job.audio),
    )
    with transaction.atomic():
        Job.objects.select_for_update().filter(pk=job.pk).exists()
        duplicate = _duplicate(job, lines, options)
        if duplicate is not None:
            return duplicate
        new = submission.submit(job.owner, lines, note=job.note, options=options)
        earlier = dict(job.items.exclude(key="").values_list("key", "pk"))
        for item in new.items.filter(key__in=earlier):
            Item.objects.filter(pk=item.pk).update(refetch_of=earlier[item.key])
    return new


def _duplicate(job: Job, lines: Sequence[str], options: submission.Options) -> Job | None:
    """A recent other job of the owner with these lines and options, unless it was cancelled."""
    since = timezone.now() - DUPLICATE_WINDOW
    recent = Job.objects.filter(owner_id=job.owner_id, created_at__gt=since, **asdict(options))
    cancelled = Exists(Item.objects.filter(job=OuterRef("pk"), state=ItemState.CANCELLED))
    for other in recent.exclude(pk=job.pk).exclude(cancelled):
        if list(other.items.order_by("position").values_list("line", flat=True)) == list(lines):
            return other
    return None
