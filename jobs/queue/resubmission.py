"""Resubmission: lines whose files are gone, fetched again as a new job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from jobs.models import (
    DAMAGED,
    FETCHED_ROLES,
    Artifact,
    Audio,
    Item,
    ItemKind,
    Job,
    Prefer,
    Role,
    Story,
)
from jobs.queue import submission
from jobs.states import SAVED, ItemState

DUPLICATE_WINDOW: Final = timedelta(seconds=10)
"""Equal resubmissions of one user within this time are one: a button tapped twice."""
MAX_EARLIER: Final = 20
"""Earlier lines whose files one line looks for."""


def refetchable(
    state: str, *, kind: str, saved: bool, present: bool, on_tiktok: bool, damaged: bool = False
) -> bool:
    """True when a line may be fetched again: it was cancelled, or all files it saved are gone, or
    one of them is damaged.

    saved, present: media files it saved, and those that can still be downloaded.
    on_tiktok: TikTok still has one of its stories. Needed of a line about one story; an account
    may have new ones at any time. damaged: TikTok still has a story of which media were given up.
    """
    if state == ItemState.CANCELLED or (state in SAVED and damaged):
        return True
    if state not in SAVED or not saved or present:
        return False
    return on_tiktok or kind == ItemKind.USER


def with_refetch_facts(items: QuerySet[Item], now: datetime) -> QuerySet[Item]:
    """The items, each with the booleans of `refetchable`."""
    media = Artifact.objects.filter(item=OuterRef("pk"), role=Role.MEDIA)
    on_tiktok = Q(leaves_at=None) | Q(leaves_at__gt=now)
    stories = Story.objects.filter(on_tiktok, item=OuterRef("pk")).exclude(source_url="")
    fetched_anew = Artifact.objects.filter(
        story=OuterRef("story"), role=Role.MEDIA, position=OuterRef("position"), removed_at=None
    )
    damaged = media.exclude(removed_at=None).annotate(said=Cast("labels", TextField()))
    return items.annotate(
        saved=Exists(media),
        present=Exists(media.present(now)),
        on_tiktok=Exists(stories),
        damaged=Exists(
            damaged.filter(
                ~Exists(fetched_anew),
                Q(said__contains=f'"{DAMAGED}"'),
                Exists(
                    Story.objects.filter(on_tiktok, pk=OuterRef("story")).exclude(source_url="")
                ),
            )
        ),
    )


def is_refetchable(item: Any) -> bool:
    """`refetchable` of an item annotated by `with_refetch_facts`, which no static type shows."""
    return refetchable(
        item.state,
        kind=item.kind,
        saved=item.saved,
        present=item.present,
        on_tiktok=item.on_tiktok,
        damaged=item.damaged,
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
    still there are kept and linked, or, where that line has none, those of the line it was to
    fetch the rest of. A second equal call within DUPLICATE_WINDOW returns the first
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
        lines_before = list(job.items.exclude(key="").values_list("key", "pk", "refetch_of"))
        with_files = having_files(pk for _key, pk, _before in lines_before)
        earlier = {
            key: pk if pk in with_files else before or pk for key, pk, before in lines_before
        }
        for item in new.items.filter(key__in=earlier):
            Item.objects.filter(pk=item.pk).update(refetch_of=earlier[item.key])
    return new


def having_files(item_ids: Iterable[UUID]) -> frozenset[UUID]:
    """Those of some lines that have fetched files which can still be downloaded. One query."""
    files = Artifact.objects.present().filter(item__in=list(item_ids), role__in=FETCHED_ROLES)
    return frozenset(files.order_by().values_list("item", flat=True).distinct())


def earlier_lines(item: Item) -> list[UUID]:
    """Ids of the line whose rest an item fetches, of the line whose rest that one fetched, and so
    on: nearest first, each once, at most MAX_EARLIER, and only the owner's own.

    It ends at a line that was erased.
    """
    ids: list[UUID] = []
    before = item.refetch_of
    while before is not None and before not in ids and len(ids) < MAX_EARLIER:
        row = (
            Item.objects.kept().filter(pk=before, owner=item.owner_id).values("refetch_of").first()
        )
        if row is None:
            break
        ids.append(before)
        before = row["refetch_of"]
    return ids


def _duplicate(job: Job, lines: Sequence[str], options: submission.Options) -> Job | None:
    """A recent other job of the owner with these lines and options, unless it was cancelled."""
    since = timezone.now() - DUPLICATE_WINDOW
    recent = Job.objects.filter(owner_id=job.owner_id, created_at__gt=since, **asdict(options))
    cancelled = Exists(Item.objects.filter(job=OuterRef("pk"), state=ItemState.CANCELLED))
    for other in recent.exclude(pk=job.pk).exclude(cancelled):
        if list(other.items.order_by("position").values_list("line", flat=True)) == list(lines):
            return other
    return None
