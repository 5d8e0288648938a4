"""What the person who runs this instance sees at a glance: queue, workers, disk, failures, TikTok.

States, codes, counts and times only: nothing here tells what anyone fetched.
"""

from __future__ import annotations

import platform
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import django
from django.db import connection
from django.db.models import Count, Min, Q
from django.db.models.functions import Coalesce, Greatest, TruncHour

from jobs import VERSION
from jobs.ephemeral import heartbeats, progress
from jobs.ephemeral.connection import RedisUnavailable, server_info
from jobs.ephemeral.heartbeats import Sweep
from jobs.ephemeral.progress import ItemProgress
from jobs.errors import REFUSAL_CODES
from jobs.files import capacity
from jobs.files.capacity import Capacity
from jobs.models import Item, Package, PackageState
from jobs.states import ItemState
from jobs.upstream import breaker
from jobs.upstream.breaker import BreakerState

S = ItemState
HOURS: Final = 24
LATE: Final = timedelta(minutes=5)
"""A line that is due for so long means that something hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Lines that are not settled. due: could start now. waiting: asked to wait, for_tiktok of them
    because TikTok refuses this server. oldest_since: since when the oldest due one could start.
    packages: ZIPs still to be packed."""

    due: int
    waiting: int
    for_tiktok: int
    running: int
    packages: int
    oldest_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A line in hand. progress: None when Redis does not know."""

    item_id: UUID
    owner: str
    since: datetime | None
    attempt: int
    progress: ItemProgress | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A live worker and the lines it has in hand; name "": whose they are is not known."""

    name: str
    heard_at: datetime | None
    running: tuple[Running, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """Lines settled within the hour that begins at `at`."""

    at: datetime
    fine: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """Of lines settled lately: how many failed, in whole or in part, and why.

    codes: (code, count), most first. hours: oldest first, the current one last.
    """

    settled: int
    failed: int
    codes: tuple[tuple[str, int], ...]
    hours: tuple[Hour, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """Everything at one moment. workers: None while Redis is away, and nothing is known then of
    breaker and sweep either."""

    now: datetime
    queue: Queue
    workers: tuple[Worker, ...] | None
    disk: Capacity | None
    failures: Failures
    breaker: BreakerState | None
    sweep: Sweep | None

    @property
    def alive(self) -> int:
        """How many workers are."""
        return sum(1 for worker in self.workers or () if worker.heard_at)

    @property
    def breaker_open(self) -> bool:
        """Nobody asks TikTok right now."""
        return self.breaker is not None and self.breaker.until > self.now

    @property
    def sweep_due(self) -> bool:
        """The next clean-up could have begun."""
        return self.sweep is not None and self.sweep.next_at <= self.now

    @property
    def sweep_late(self) -> bool:
        """None came by for too long."""
        return self.sweep is not None and self.sweep.is_late(self.now)

    @property
    def queue_late(self) -> bool:
        """Something could have started long ago."""
        since = self.queue.oldest_since
        return since is not None and self.now - since > LATE


def look(now: datetime) -> Operations:
    """The whole picture, in a handful of queries and as many questions to Redis."""
    try:
        alive, sweep, pause = _workers(), heartbeats.last_sweep(), breaker.shared_state()
    except RedisUnavailable:
        alive, sweep, pause = None, None, None
    try:
        disk = capacity.measure()
    except OSError:
        disk = None
    return Operations(
        now=now,
        queue=queue(now),
        workers=alive,
        disk=disk,
        failures=failures(now),
        breaker=pause,
        sweep=sweep,
    )


def queue(now: datetime) -> Queue:
    """How long the line is."""
    due = Q(state=S.QUEUED) & (Q(not_before=None) | Q(not_before__lte=now))
    waiting = Q(state=S.QUEUED, not_before__gt=now)
    found = Item.objects.open().aggregate(
        due=Count("pk", filter=due),
        waiting=Count("pk", filter=waiting),
        for_tiktok=Count("pk", filter=waiting & Q(error_code__in=REFUSAL_CODES)),
        running=Count("pk", filter=Q(state=S.RUNNING)),
        oldest_since=Min(Greatest("asked_at", Coalesce("not_before", "asked_at")), filter=due),
    )
    open_packages = (PackageState.QUEUED, PackageState.RUNNING)
    packages = Package.objects.filter(state__in=open_packages).count()
    return Queue(packages=packages, **found)


def _workers() -> tuple[Worker, ...]:
    heard = heartbeats.last_seen()
    items = (
        Item.objects.filter(state=S.RUNNING)
        .select_related("owner")
        .only("job_id", "claimed_at", "attempt", "owner__username")
        .order_by("claimed_at")
    )
    found = list(items)
    told = progress.read_many({item.job_id for item in found})
    in_hand: dict[str, list[Running]] = defaultdict(list)
    for item in found:
        known = told.get(str(item.pk))
        name = known.worker if known and known.worker in heard else ""
        in_hand[name].append(
            Running(
                item_id=item.pk,
                owner=item.owner.get_username(),
                since=item.claimed_at,
                attempt=item.attempt,
                progress=known,
            )
        )
    listed = [
        Worker(name=name, heard_at=at, running=tuple(in_hand[name]))
        for name, at in sorted(heard.items())
    ]
    if in_hand[""]:
        listed.append(Worker(name="", heard_at=None, running=tuple(in_hand[""])))
    return tuple(listed)


def failures(now: datetime) -> Failures:
    """The last 24 hours, the current one included."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    first = this_hour - timedelta(hours=HOURS - 1)
    rows = (
        Item.objects.filter(settled_at__gte=first, settled_at__lte=now)
        .exclude(state=S.CANCELLED)
        .order_by()
        .annotate(hour=TruncHour("settled_at"))
        .values_list("hour", "state", "error_code")
        .annotate(count=Count("pk"))
    )
    fine: dict[datetime, int] = defaultdict(int)
    bad: dict[datetime, int] = defaultdict(int)
    codes: dict[str, int] = defaultdict(int)
    for hour, state, code, count in rows:
        if state in (S.FAILED, S.PARTIAL):
            bad[hour] += count
            codes[code] += count
        else:
            fine[hour] += count
    hours = [first + timedelta(hours=number) for number in range(HOURS)]
    failed = sum(bad.values())
    return Failures(
        settled=failed + sum(fine.values()),
        failed=failed,
        codes=tuple(sorted(codes.items(), key=lambda one: (-one[1], one[0]))),
        hours=tuple(Hour(at=hour, fine=fine[hour], failed=bad[hour]) for hour in hours),
    )


def versions() -> Sequence[tuple[str, str]]:
    """What runs here: (name, version)."""
    try:
        server = server_info().version
    except RedisUnavailable:
        server = "–"
    return (
        ("Storykeep", VERSION),
        ("Python", platform.python_version()),
        ("Django", django.__version__),
        database_version(),
        ("Redis", server),
    )


def database_version() -> tuple[str, str]:
    """The database's name and version. Raises DatabaseError when it is away."""
    lite = connection.vendor == "sqlite"
    question = "SELECT sqlite_version()" if lite else "SHOW server_version"
    with connection.cursor() as cursor:
        cursor.execute(question)
        version = str(cursor.fetchone()[0]).partition(" ")[0]
    return connection.display_name, version
