"""Asking once more for what is not here any longer, as a new job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.expressions import Combinable
from django.utils import timezone

from jobs.models import Artifact, Audio, Item, ItemKind, Job, Prefer, Role, Story
from jobs.queue import submission
from jobs.states import ItemState

TWICE: Final = timedelta(seconds=10)
"""Whoever asks for the same within this means it once."""
ENDED = (ItemState.DONE, ItemState.PARTIAL)
"""How a line ends that saved something, unless it was cancelled."""


def saved() -> Exists:
    """Lines that saved something, whether it is still here or not."""
    return Exists(Artifact.objects.filter(item=OuterRef("pk"), role=Role.MEDIA))


def wanting(now: datetime) -> Combinable | Q:
    """Lines that may be asked for once more: cancelled ones, and those whose files are all gone.

    An account may have new stories at any time; a link is worth a look while its story is on
    TikTok. `telling` says the same of a snapshot.
    """
    here = Artifact.objects.present(now).filter(item=OuterRef("pk"), role=Role.MEDIA)
    on_tiktok = Story.objects.filter(
        Q(leaves_at=None) | Q(leaves_at__gt=now), item=OuterRef("pk")
    ).exclude(source_url="")
    cleaned_up = Q(state__in=ENDED) & saved() & ~Exists(here)
    return Q(state=ItemState.CANCELLED) | (cleaned_up & (Q(kind=ItemKind.USER) | Exists(on_tiktok)))


def fetch(job: Job) -> Job | None:
    """All lines of a job that are `wanting`, as a new one; None when there is none.

    Raises what `submission.submit` does.
    """
    found = Item.objects.filter(wanting(timezone.now()), job=job).order_by("position")
    lines = list(found.values_list("line", flat=True))
    return anew(job, lines) if lines else None


def anew(job: Job, lines: Sequence[str], *, posts: bool | None = None) -> Job:
    """A new job of these lines, with the old one's note and options; `posts` for another choice.

    Of two taps on one button the second gets the first one's job. Raises what `submission.submit`
    does.
    """
    options = submission.Options(
        prefer=Prefer(job.prefer),
        posts=job.posts if posts is None else posts,
        audio=Audio(job.audio),
    )
    with transaction.atomic():
        Job.objects.select_for_update().filter(pk=job.pk).exists()
        return _just_now(job, lines, options) or submission.submit(
            job.owner, lines, note=job.note, options=options
        )


def _just_now(job: Job, lines: Sequence[str], options: submission.Options) -> Job | None:
    since = timezone.now() - TWICE
    recent = Job.objects.filter(owner_id=job.owner_id, created_at__gt=since, **asdict(options))
    stopped = Exists(Item.objects.filter(job=OuterRef("pk"), state=ItemState.CANCELLED))
    for one in recent.exclude(pk=job.pk).exclude(stopped):
        if list(one.items.order_by("position").values_list("line", flat=True)) == list(lines):
            return one
    return None
