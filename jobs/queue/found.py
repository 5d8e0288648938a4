"""What a look at a watched account found becomes a job of whoever watches it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser

from jobs.errors import StorageUnavailable
from jobs.files import capacity
from jobs.files.naming_choices import own_template
from jobs.lines import target_fields
from jobs.models import LINE_LENGTH, Artifact, Item, ItemKind, Job, Role, Story
from jobs.queue import quotas
from jobs.states import ItemState
from jobs.text import clean_text
from stories.structures import Author, Target, TargetKind
from stories.structures import Story as ListedStory

MIN_LEFT: Final = timedelta(hours=1)
"""A line whose first story leaves TikTok within this is as urgent as one that a person sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The new stories of one look, for one person. look_id: equal for all whom the look served."""

    look_id: UUID
    author: Author
    stories: Sequence[ListedStory]


def submit_found(
    owner: AbstractBaseUser, found: Found, *, now: datetime, note: str = "", **columns: Any
) -> Job:
    """Make a job of what a look found, and queue it behind what people asked for.

    columns: of the job, beside `from_watch`. Call it in a transaction, and dispatch after it.
    Raises QuotaExceeded, DiskFull.
    """
    with suppress(StorageUnavailable):  # the line waits for such a disk, as others do
        capacity.require_room()
    quotas.admit(owner, 1)
    job = Job.objects.create(
        owner_id=owner.pk,
        created_at=now,
        note=note,
        from_watch=True,
        time_zone=_last_time_zone(owner.pk),
        name_template=own_template(owner.pk),
        **columns,
    )
    target = Target(
        kind=TargetKind.USER,
        name=found.author.name,
        user_id=found.author.id,
        sec_uid=found.author.sec_uid,
    )
    leaves = [story.leaves_at for story in found.stories if story.leaves_at]
    Item.objects.create(
        job=job,
        owner_id=owner.pk,
        position=1,
        line=clean_text(f"@{found.author.name}", LINE_LENGTH),
        kind=ItemKind.USER,
        target=target_fields(target),
        key=target.key,
        created_at=now,
        asked_at=max(now, min(leaves, default=now) - MIN_LEFT),
        only_ids=" ".join(story.id for story in found.stories),
        look_id=found.look_id,
    )
    return job


def saved_already(owner_id: Any, story_ids: Sequence[str]) -> set[str]:
    """Of TikTok's ids those of stories whose files a person has here, whole."""
    stories = Story.objects.kept().filter(
        owner_id=owner_id,
        tiktok_id__in=story_ids,
        state=ItemState.DONE,
        artifacts__in=Artifact.objects.filter(owner_id=owner_id, removed_at=None, role=Role.MEDIA),
    )
    return set(stories.values_list("tiktok_id", flat=True))


def _last_time_zone(owner_id: Any) -> str:
    """The zone of the clock the person last saw: nobody sends this job."""
    zones = Job.objects.filter(owner_id=owner_id).exclude(time_zone="").order_by("-created_at")
    return zones.values_list("time_zone", flat=True).first() or ""
