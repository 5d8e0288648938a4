"""What a look at a watched account found becomes a job of whoever watches it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser

from jobs.errors import QuotaExceeded, StorageUnavailable
from jobs.files import capacity
from jobs.files.lifetime import first_expires_at
from jobs.files.naming_choices import own_template
from jobs.lines import target_fields
from jobs.models import LINE_LENGTH, Artifact, Item, ItemKind, Job, Role, Story
from jobs.queue import actions, quotas
from jobs.states import ItemState
from jobs.text import clean_text
from stories.structures import Author, Target, TargetKind
from stories.structures import Story as ListedStory

LISTED_FOR: Final = timedelta(hours=48)
"""Twice a story's life: nothing older is listed any more."""
LEAST_LEFT: Final = timedelta(minutes=1)
"""A file that has no more than this left is not counted on: the sweep may have its id already."""
MIN_LEFT: Final = timedelta(hours=1)
"""A line whose first story leaves TikTok within this is as urgent as one that a person sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The new stories of one look, for one person. look_id: equal for all whom the look served."""

    look_id: UUID
    author: Author
    stories: Sequence[ListedStory]


def submit_found(
    owner: AbstractBaseUser,
    found: Found,
    *,
    now: datetime,
    note: str = "",
    time_zone: str = "",
    **columns: Any,
) -> Job:
    """Make a job of what a look found, and queue it behind what people asked for.

    time_zone: of the clock its owner reads; "" = as their last job has it. columns: of the job,
    beside `from_watch`. Call it in a transaction, and dispatch after it. Raises QuotaExceeded,
    DiskFull.
    """
    with suppress(StorageUnavailable):  # the line waits for such a disk, as others do
        capacity.require_room()
    quotas.admit(owner, 1)
    job = Job.objects.create(
        owner_id=owner.pk,
        created_at=now,
        note=note,
        from_watch=True,
        time_zone=time_zone or _last_time_zone(owner.pk),
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


def keep_longer(owner_id: Any, story_ids: Collection[str], now: datetime) -> None:
    """Have a person's files of these stories live as long as those that a watch found.

    Files that they saved themselves are not waited for, and live no longer than files may.
    """
    until = first_expires_at(now, from_watch=True)
    longest = settings.STORYKEEP.artifact_ttl_max
    files = Artifact.objects.present(now + LEAST_LEFT).filter(
        owner_id=owner_id, story__tiktok_id__in=list(story_ids), collected_at=None
    )
    ids: dict[datetime, list[UUID]] = defaultdict(list)
    columns = ("pk", "created_at", "job__from_watch")
    for pk, created_at, is_found in files.filter(expires_at__lt=until).values_list(*columns):
        ids[until if is_found else min(until, created_at + longest)].append(pk)
    for moment, pks in ids.items():
        later = Artifact.objects.filter(pk__in=pks, removed_at=None, expires_at__lt=moment)
        later.update(expires_at=moment)


def saved_already(owner_id: Any, story_ids: Sequence[str], now: datetime) -> set[str]:
    """Of TikTok's ids those of stories whose files a person has here, whole, and long enough for
    `keep_longer`. A file that they collected counts, though it may be gone."""
    done = Story.objects.kept().filter(
        owner_id=owner_id, tiktok_id__in=story_ids, state=ItemState.DONE
    )
    stories = dict(done.values_list("pk", "tiktok_id"))
    media = Artifact.objects.filter(story__in=list(stories), role=Role.MEDIA)
    kept, had, lost = set(), set(), set()
    columns = ("story", "position", "collected_at", "expires_at", "removed_at")
    for story, position, collected_at, expires_at, removed_at in media.values_list(*columns):
        if removed_at is None and expires_at > now + LEAST_LEFT:
            kept.add((story, position))
        elif collected_at is not None:
            had.add((story, position))
        else:
            lost.add((story, position))
    short = {story for story, _position in lost - kept - had}
    return {stories[story] for story, _position in kept if story not in short}


def retry_listed(watch_id: UUID, story_ids: Collection[str], now: datetime) -> int:
    """Try lines of a watch again that fell short, as long as TikTok lists what they are to save;
    how many. A quota that is full lets none through: the next look tries again."""
    lately = Item.objects.kept().filter(job__watch=watch_id, created_at__gt=now - LISTED_FOR)
    count = 0
    for item in actions.retryable(lately):
        if not set(item.only_ids.split()).isdisjoint(story_ids):
            with suppress(QuotaExceeded):
                count += actions.retry_item(item)
    return count


def _last_time_zone(owner_id: Any) -> str:
    """The zone of the clock the person last saw: nobody sends this job."""
    zones = Job.objects.filter(owner_id=owner_id).exclude(time_zone="").order_by("-created_at")
    return zones.values_list("time_zone", flat=True).first() or ""
