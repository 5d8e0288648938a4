"""What watches found for a person and the person has not collected yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Max, Min
from django.utils import timezone

from jobs.models import Artifact, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncollected:
    """New stories in one job. name: of the author, without "@"; until: when the first goes."""

    job_id: UUID
    name: str
    stories: int
    until: datetime


def of_owner(owner_id: Any, now: datetime | None = None) -> list[Uncollected]:
    """A person's jobs of watches with files that wait for them, newest first; one query."""
    now = now or timezone.now()
    waiting = Artifact.objects.filter(
        job__owner_id=owner_id,
        job__from_watch=True,
        job__erased_at=None,
        role=Role.MEDIA,
        collected_at=None,
        removed_at=None,
        expires_at__gt=now,
    )
    rows = (
        waiting.order_by()
        .values("job_id", "item__author_name")
        .annotate(
            stories=Count("story", distinct=True), until=Min("expires_at"), at=Max("created_at")
        )
        .order_by("-at", "job_id")
    )
    return [
        Uncollected(
            job_id=row["job_id"],
            name=row["item__author_name"] or "",
            stories=row["stories"],
            until=row["until"],
        )
        for row in rows
    ]
