"""The lifetime of saved files, and its extension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import F, Min
from django.utils import timezone

from jobs.models import JOB_ZIP_ROLES, Artifact, Job, Role

_LIFE_COLUMNS: Final = ("role", "created_at", "collected_at", "expires_at")
MIN_GAIN: Final = timedelta(minutes=1)
"""An extension shorter than this is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """The lifetime of a job's files after an extension.

    until: when the first of them goes. longest: the instance's maximum is reached, so that asking
    again later gains nothing.
    """

    until: datetime
    longest: bool


def first_expires_at(now: datetime, *, from_watch: bool) -> datetime:
    """The expiry of a file that is saved now.

    from_watch: a watch found it, so that it is kept until it is collected (jobs/files/collection).
    """
    env = settings.STORYKEEP
    return now + (max(env.watch_keep, env.artifact_ttl) if from_watch else env.artifact_ttl)


def extended(expires_at: datetime, since: datetime, by: timedelta | None = None) -> datetime:
    """The expiry of a file after one more extension, within the maximum.

    since: when it was saved, from which the maximum counts. by: how much later; None for one
    lifetime. Returns `expires_at` itself when the gain would be less than `MIN_GAIN`.
    """
    env = settings.STORYKEEP
    latest = min(expires_at + (by or env.artifact_ttl), since + env.artifact_ttl_max)
    return latest if latest - expires_at >= MIN_GAIN else expires_at


def zip_expires_at(
    files: Sequence[Artifact], now: datetime, *, on_demand: bool = False
) -> datetime:
    """The expiry of a ZIP of these files, made now.

    One lifetime, like a fresh file's; but no copy outlives the longest extension of its source.
    on_demand: somebody asked for it, and takes it now: it is no reason to keep all of it twice for
    as long as files wait to be collected.
    """
    env = settings.STORYKEEP
    first_gone = min(file.expires_at for file in files)
    longest = max(min(file.created_at for file in files) + env.artifact_ttl_max, first_gone)
    one_life = min(now + env.artifact_ttl, longest)
    if on_demand and first_gone > now + env.artifact_ttl_max:
        return one_life
    return max(one_life, first_gone)


def put_right(by: timedelta, since: datetime, until: datetime | None) -> int:
    """Move the times of files that were saved while the clock was wrong; how many there were. So
    are those of jobs that were over then, which are kept for a while as well.

    by: how far the clock was set then. since, until: as that clock told the time; None: any later.
    """
    saved = Artifact.objects.filter(removed_at=None, created_at__gte=since)
    settled = Job.objects.filter(settled_at__gte=since)
    if until is not None:
        saved, settled = saved.filter(created_at__lte=until), settled.filter(settled_at__lte=until)
    with transaction.atomic():
        settled.update(settled_at=F("settled_at") + by)
        return saved.update(created_at=F("created_at") + by, expires_at=F("expires_at") + by)


def extend(job: Job, by: timedelta | None = None) -> Extension | None:
    """Keep a job's files longer than they have left, within the instance's maximum.

    by: how much; None for one lifetime. None when there is no file left. Never shortens.
    """
    now = timezone.now()
    of_job = Artifact.objects.filter(job=job)
    first_saved = of_job.filter(role=Role.MEDIA).aggregate(at=Min("created_at"))["at"]

    def later(artifact: Artifact) -> datetime:
        # A ZIP is made later than what it holds, and may not outlive it for that.
        is_zip = artifact.role in JOB_ZIP_ROLES
        since = first_saved if is_zip and first_saved else artifact.created_at
        since = max(since, artifact.collected_at or since)  # its usual life began then
        return extended(artifact.expires_at, since, by)

    with transaction.atomic():
        for artifact in of_job.present(now).only(*_LIFE_COLUMNS):
            # WHERE again: a file that was removed meanwhile stays removed, and of two that ask at
            # the same moment one is enough.
            unchanged = Artifact.objects.filter(
                pk=artifact.pk, removed_at=None, expires_at=artifact.expires_at
            )
            unchanged.update(expires_at=later(artifact))
    first = of_job.present(now).order_by("expires_at").first()
    if first is None:
        return None
    return Extension(until=first.expires_at, longest=later(first) == first.expires_at)
