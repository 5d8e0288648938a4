"""The call for a sensor: whether the instance works, what it has to do, and what the reader has."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final, Literal

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from ninja import Router
from pydantic import BaseModel, Field

from jobs import VERSION
from jobs.api.schemas import ErrorBody
from jobs.ops import status
from jobs.ops.status import InstanceStatus, OwnStatus

FREE_STEP: Final = 10_000_000
"""Bytes by which free space changes before the entity tag does."""
OVERVIEW: Final = "jobs.view_operations"
"""The right to see the overview of the admin, and with it what all people together do."""

router = Router()


class StatusQueueOut(BaseModel):
    """Lines of everybody that are not settled. oldest_age_s: since the oldest due one could have
    started; null when none is due."""

    queued: int
    running: int
    oldest_age_s: int | None


class StatusWorkersOut(BaseModel):
    """alive: null while that is not known."""

    alive: int | None
    wanted: int


class StatusBreakerOut(BaseModel):
    """open: TikTok turns this server away, and is not asked until then."""

    open: bool
    until: datetime | None


class StatusDiskOut(BaseModel):
    """limit_bytes: most bytes of saved files; null = no limit."""

    used_bytes: int
    free_bytes: int
    limit_bytes: int | None


class StatusMineOut(BaseModel):
    """What the token's owner has open. oldest_age_s: since the oldest open line was asked for.
    last_saved_at: of the last jobs; null when nothing was saved by them."""

    queued: int
    running: int
    oldest_age_s: int | None
    last_saved_at: datetime | None


class StatusOut(BaseModel):
    """The instance in few numbers.

    state: `ok`; `refused` while TikTok turns this server away, after which it goes on by itself;
    `problem` when nothing is saved until somebody sees to it.
    """

    version: str
    state: Literal["ok", "refused", "problem"]
    workers: StatusWorkersOut
    breaker: StatusBreakerOut
    queue: StatusQueueOut | None = Field(
        description="Null unless the token's owner may see the overview of the admin: it tells "
        "what others do. So are `disk` and `last_saved_at`."
    )
    disk: StatusDiskOut | None
    last_saved_at: datetime | None
    mine: StatusMineOut


@router.get(
    "/status",
    response={
        200: StatusOut,
        304: None,
        412: ErrorBody,
        **dict.fromkeys((401, 429, 500, 503), ErrorBody),
    },
    tags=["Instance"],
    operation_id="jobs_api_status",
    url_name="status",
    summary="Whether it works, and what it has to do",
)
def get_status(request: HttpRequest) -> HttpResponse:
    """A few numbers for a sensor. Send the last `ETag` as `If-None-Match`: 304 while nothing
    changed but ages, and free space by less than 10 MB.
    """
    user = request.user
    if isinstance(user, AnonymousUser):
        raise Http404
    out = status_json(user)
    tag = etag(out)
    response: HttpResponse | None = get_conditional_response(request, etag=tag)
    if response is None:
        response = HttpResponse(out.model_dump_json(), content_type="application/json")
    response.headers["ETag"] = tag
    return response


def status_json(user: User) -> StatusOut:
    """The answer as this person may see it. Raises DatabaseError."""
    seen, own = status.kept.status(), status.own(user)
    whole = seen if user.has_perm(OVERVIEW) else None
    return StatusOut(
        version=VERSION,
        state=seen.state,
        workers=StatusWorkersOut(alive=seen.workers, wanted=settings.STORYKEEP.workers),
        breaker=StatusBreakerOut(open=bool(seen.refused_until), until=seen.refused_until),
        queue=_queue(whole) if whole else None,
        disk=_disk(whole) if whole else None,
        last_saved_at=whole.saved_at if whole else None,
        mine=_mine(own, timezone.now()),
    )


def _queue(seen: InstanceStatus) -> StatusQueueOut:
    queue = seen.queue
    return StatusQueueOut(
        queued=queue.due + queue.waiting,
        running=queue.running,
        oldest_age_s=_age_s(queue.oldest_due_since, seen.now),
    )


def _disk(seen: InstanceStatus) -> StatusDiskOut | None:
    room = seen.capacity
    if room is None:
        return None
    return StatusDiskOut(
        used_bytes=room.used_bytes,
        free_bytes=room.free_bytes,
        limit_bytes=room.max_bytes or None,
    )


def _mine(own: OwnStatus, now: datetime) -> StatusMineOut:
    return StatusMineOut(
        queued=own.queued,
        running=own.running,
        oldest_age_s=_age_s(own.oldest_since, now),
        last_saved_at=own.saved_at,
    )


def _age_s(since: datetime | None, now: datetime) -> int | None:
    return None if since is None else max(0, int((now - since).total_seconds()))


def etag(out: StatusOut) -> str:
    """An entity tag of what is said, without ages, which grow by themselves."""
    facts = out.model_dump(mode="json")
    for part in ("queue", "mine"):
        if facts[part]:
            facts[part]["oldest_age_s"] = facts[part]["oldest_age_s"] is not None
    if facts["disk"]:
        facts["disk"]["free_bytes"] //= FREE_STEP
    return f'"{hashlib.blake2s(repr(facts).encode(), digest_size=12).hexdigest()}"'
