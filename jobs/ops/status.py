"""The status of the instance for a sensor: whether it works, how much it has to do, in few numbers.

What is of the whole instance is read once in a few seconds, however many ask.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from django.contrib.auth.models import User
from django.db.models import Count, Max, Min, Q
from django.utils import timezone

from jobs.ephemeral import heartbeats
from jobs.ephemeral.connection import RedisUnavailable
from jobs.files import capacity
from jobs.files.capacity import Capacity
from jobs.models import Item, Job
from jobs.ops import dashboard
from jobs.ops.dashboard import QUEUE_LATE_AFTER, QueueDepth
from jobs.states import SAVED, ItemState
from jobs.upstream import breaker
from jobs.upstream.breaker import BreakerState

FRESH_S: Final = 5.0
"""What was read is told again for so many seconds."""
LAST_LINES: Final = 500
"""Of so many lines that settled last, the last one that saved something is looked for."""
LAST_JOBS: Final = 20
"""Likewise of a person's last jobs."""

State = Literal["ok", "refused", "problem"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceStatus:
    """The whole instance. workers, breaker: None also while Redis is away, redis: False then.
    capacity: None while the disk does not answer. saved_at: when a line last saved something; None
    when none of the LAST_LINES did.
    """

    now: datetime
    queue: QueueDepth
    redis: bool
    workers: int | None
    breaker: BreakerState | None
    capacity: Capacity | None
    saved_at: datetime | None

    @property
    def refused_until(self) -> datetime | None:
        """Until when TikTok is not asked; None while it is."""
        is_open = self.breaker is not None and self.breaker.until > self.now
        return self.breaker.until if is_open and self.breaker else None

    @property
    def state(self) -> State:
        """`problem`: nothing is saved until somebody sees to it. `refused`: TikTok turns this
        server away, and it goes on by itself."""
        late_since = self.queue.oldest_due_since
        late = late_since is not None and self.now - late_since > QUEUE_LATE_AFTER
        stuck = late and not self.queue.running
        full = self.capacity is None or self.capacity.full
        if not self.redis or not self.workers or full or stuck:
            return "problem"
        return "refused" if self.refused_until else "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnStatus:
    """What one person has here. oldest_since: since when their oldest open line is asked for."""

    queued: int
    running: int
    oldest_since: datetime | None
    saved_at: datetime | None


class Kept:
    """What was read last, and when."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._status: InstanceStatus | None = None
        self._read_at = 0.0

    def status(self) -> InstanceStatus:
        """What was read within FRESH_S, else what is so now. Raises DatabaseError."""
        with self._lock:
            if self._status is None or time.monotonic() - self._read_at > FRESH_S:
                self._status = read(timezone.now())
                self._read_at = time.monotonic()
            return self._status


kept = Kept()


def read(now: datetime) -> InstanceStatus:
    """The instance as it is now. Five queries. Raises DatabaseError."""
    try:
        workers: int | None = len(heartbeats.last_seen())
        paused, redis = breaker.shared_state(), True
    except RedisUnavailable:
        workers, paused, redis = None, None, False
    try:
        disk = capacity.measure()
    except OSError:
        disk = None
    return InstanceStatus(
        now=now,
        queue=dashboard.queue_depth(now),
        redis=redis,
        workers=workers,
        breaker=paused,
        capacity=disk,
        saved_at=_saved_at(),
    )


def _saved_at() -> datetime | None:
    lines = Item.objects.filter(settled_at__isnull=False).order_by("-settled_at")
    for state, at in lines.values_list("state", "settled_at")[:LAST_LINES]:
        if state in SAVED:
            return at
    return None


def own(user: User) -> OwnStatus:
    """What a person's lines do, and when one saved something, of their LAST_JOBS. Two queries."""
    mine = Item.objects.visible_to(user)
    facts = mine.open().aggregate(
        queued=Count("pk", filter=Q(state=ItemState.QUEUED)),
        running=Count("pk", filter=Q(state=ItemState.RUNNING)),
        oldest_since=Min("asked_at"),
    )
    jobs = Job.objects.visible_to(user).order_by("-created_at", "-pk").values("pk")[:LAST_JOBS]
    saved = mine.filter(job__in=list(jobs.values_list("pk", flat=True)), state__in=SAVED)
    return OwnStatus(**facts, saved_at=saved.aggregate(at=Max("settled_at"))["at"])
