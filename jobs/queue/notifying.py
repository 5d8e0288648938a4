"""What its owner is told of a job that settled: how many files, of whom, until when they are kept.

Nothing of a job that saved nothing and where nobody can do anything: no public story, a private
account, cancelled.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Count, Min, Q

from jobs.errors import BY_CODE, Internal, retry_may_help
from jobs.models import Artifact, Item, Job, Role, Story
from jobs.states import ItemState
from notices import outbox
from notices.kinds import Kind
from notices.outbox import News

_AUTHORS = 20
"""Names that are kept with a message at most."""


def notify(jobs: models.QuerySet[Job], now: datetime) -> int:
    """Put what there is to tell of jobs that just settled into the outbox; how many messages.

    Once for each job, however often it settles. Inside the transaction that settled them.
    """
    # Of a watch whose owner does not want to be told, nothing is.
    wanted = jobs.exclude(watch__notify=False).order_by("created_at")
    rows = list(wanted.values_list("pk", "owner_id", "from_watch"))
    told = outbox.told_members(owner_id for _, owner_id, _ in rows)
    news = [
        found
        for job_id, owner_id, from_watch in rows
        if owner_id in told and (from_watch or told[owner_id])
        if (found := _news(job_id, owner_id, from_watch=from_watch, now=now))
    ]
    return outbox.add_all(news)


def _news(job_id: UUID, owner_id: int, *, from_watch: bool, now: datetime) -> News | None:
    media = Artifact.objects.filter(job_id=job_id, role=Role.MEDIA)
    saved: dict[str, Any] = media.aggregate(
        files=Count("pk"), until=Min("expires_at", filter=Q(removed_at=None, expires_at__gt=now))
    )
    items = list(
        Item.objects.filter(job_id=job_id)
        .order_by("position")
        .values_list("state", "error_code", "author_name", "target")
    )
    failed = [code for state, code, *_ in items if _can_be_helped(state, code)]
    facts: dict[str, Any] = {"authors": _authors(items)}
    kind = Kind.FOUND if from_watch else Kind.SAVED
    if saved["files"]:
        stories = Story.objects.filter(item__job_id=job_id).exclude(state=ItemState.FAILED)
        facts["count"] = stories.count() if from_watch else saved["files"]
        facts["failed"] = len(failed)
    elif failed:
        kind = Kind.FAILED
        facts["why"] = BY_CODE.get(failed[0], Internal).message
    else:
        return None
    return News(
        owner_id=owner_id,
        kind=kind,
        key=f"job:{job_id}",
        facts=facts,
        path=f"jobs/{job_id}/",
        topic=job_id.hex,
        kept_until=saved["until"],
    )


def _can_be_helped(state: str, code: str) -> bool:
    """Whether its owner would have to do something about a line: try it again."""
    return state in {ItemState.FAILED, ItemState.PARTIAL} and retry_may_help(state, code)


def _authors(items: Iterable[tuple[str, str, str, Any]]) -> list[str]:
    """The names of the accounts, each once, in the order of the lines."""
    names = (name or (target or {}).get("name") or "" for _, _, name, target in items)
    return [name for name in dict.fromkeys(names) if name][:_AUTHORS]
