"""The operations dashboard: queue depth, workers, disk, recent failures, and TikTok's breaker.

States, codes, counts and times only: nothing here tells what anyone fetched.
"""

from __future__ import annotations

import platform
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

import django
from django.db import connection
from django.db.models import Count, Min, Q
from django.db.models.functions import Coalesce, Greatest, TruncHour
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from jobs import VERSION
from jobs.ephemeral import connection as redis_connection
from jobs.ephemeral import damaged_files, heartbeats, orphan_files, progress
from jobs.ephemeral.connection import RedisUnavailable
from jobs.ephemeral.heartbeats import Sweep
from jobs.ephemeral.orphan_files import WaitingOrphans
from jobs.ephemeral.progress import ItemProgress, Phase
from jobs.errors import REFUSAL_CODES, SKIPPED_CODES
from jobs.files import capacity
from jobs.files.capacity import Capacity
from jobs.models import Item, Package
from jobs.ops import readiness
from jobs.ops.findings import clock_difference
from jobs.states import SAVED, SHORT, ItemState
from jobs.text import scrub
from jobs.upstream import breaker, page_identity, pauses, site_clock
from jobs.upstream.breaker import BreakerState
from jobs.upstream.pauses import Pause
from stories.errors import UpstreamChanged

if TYPE_CHECKING:
    from jobs.ops.findings import LazyStr

S = ItemState
SKIPPED: Final = Q(state=S.FAILED, error_code__in=SKIPPED_CODES)
"""Lines that were no link to a story: nobody's failure, so no count here holds them."""
WINDOW_HOURS: Final = 24
"""The hours in which outcomes are counted, the current one included."""
WEEK: Final = timedelta(days=7)
QUEUE_LATE_AFTER: Final = timedelta(minutes=5)
"""A line due for longer than this means that something hangs."""
PHASES: Final[dict[Phase, LazyStr]] = {
    "queued": _("Queued"),
    "waiting": _("Waiting for TikTok"),
    "looking_up": _("Looking up"),
    "found": _("Found stories"),
    "saving": _("Saving"),
    "checking": _("Checking"),
    "packing": _("Packing"),
}
"""Words for what is done with a line at the moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """Lines that are not settled, and ZIPs that are not packed.

    due: could start now. waiting: asked to wait, waiting_for_tiktok of them because TikTok refuses
    this server. oldest_due_since: since when the oldest due line could start.
    """

    due: int
    waiting: int
    waiting_for_tiktok: int
    running: int
    packages: int
    oldest_due_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningLine:
    """A claimed line. progress: None when Redis has none of it."""

    item_id: UUID
    owner: str
    claimed_at: datetime | None
    attempt: int
    progress: ItemProgress | None

    @property
    def phase(self) -> str:
        """What is being done, in the reader's language; "" when not known."""
        return str(PHASES[self.progress.phase]) if self.progress else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """A live worker and the lines it runs. name "": lines whose worker is not known."""

    name: str
    last_seen_at: datetime | None
    running: tuple[RunningLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HourlyOutcomes:
    """Lines settled within the hour that begins at `at`. failed: in whole or in part."""

    at: datetime
    succeeded: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentOutcomes:
    """Lines settled in the last WINDOW_HOURS: how many failed, in whole or in part, and why.

    codes: (error code, count), most first. hours: oldest first, the current one last.
    """

    settled: int
    failed: int
    codes: tuple[tuple[str, int], ...]
    hours: tuple[HourlyOutcomes, ...]

    @property
    def until(self) -> datetime:
        """The end of the current hour. A line beyond it settled before the clock was set back."""
        return self.hours[-1].at + timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """Lines settled since midnight: with something saved, and failed in whole or in part."""

    saved: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """The instance at one moment.

    today: lines settled since midnight on the reader's clock. week: (error code, lines) of the last
    7 days, most first. pauses: when TikTok was not asked within the hours of `outcomes`; empty
    while Redis is away.
    workers: None while Redis is away, and breaker and sweep are None then, too. workers_wanted: as
    `readiness.workers_wanted` counts them; scaled containers may be more. disk: None when its
    folder does not answer. disk_reason: why it takes no files, as `readiness.artifact_disk` gives
    it, "" while it does; redis_reason likewise, as `readiness.redis`. orphans: files without a row
    that wait to be deleted, None for none. damaged: files given up as damaged on the disk within
    `damaged_files.COUNTED_FOR`. identity: the name of who TikTok is asked as. clock_ahead_s:
    seconds our clock is ahead of TikTok's. Both None when not known.
    """

    now: datetime
    queue: QueueDepth
    workers: tuple[WorkerStatus, ...] | None
    disk: Capacity | None
    outcomes: RecentOutcomes
    breaker: BreakerState | None
    sweep: Sweep | None
    today: Today
    week: tuple[tuple[str, int], ...] = ()
    pauses: tuple[Pause, ...] = ()
    identity: str | None = None
    clock_ahead_s: float | None = None
    workers_wanted: int = 1
    disk_reason: str = ""
    redis_reason: str = ""
    orphans: WaitingOrphans | None = None
    damaged: int = 0

    @property
    def workers_alive(self) -> int:
        """The number of live workers; 0 while Redis is away."""
        return sum(1 for worker in self.workers or () if worker.last_seen_at)

    @property
    def workers_missing(self) -> bool:
        """Some are alive, and fewer than wanted."""
        return 0 < self.workers_alive < self.workers_wanted

    @property
    def breaker_open(self) -> bool:
        """TikTok is not asked right now."""
        return self.breaker is not None and self.breaker.until > self.now

    @property
    def clock_difference(self) -> LazyStr | None:
        """A sentence on a clock that is off TikTok's; None while it agrees, or nobody knows."""
        return clock_difference(self.clock_ahead_s)

    @property
    def sweep_due(self) -> bool:
        """The next clean-up could have begun."""
        return self.sweep is not None and self.sweep.next_at <= self.now

    @property
    def sweep_late(self) -> bool:
        """The last clean-up was too long ago."""
        return self.sweep is not None and self.sweep.is_late(self.now)

    @property
    def queue_late(self) -> bool:
        """A line could have started QUEUE_LATE_AFTER ago."""
        since = self.queue.oldest_due_since
        return since is not None and self.now - since > QUEUE_LATE_AFTER


def read_dashboard(now: datetime) -> Dashboard:
    """The whole dashboard, in a handful of queries and as many questions to Redis."""
    items = _running_items()
    try:
        workers, sweep, pause = _workers(items), heartbeats.last_sweep(), breaker.shared_state()
    except RedisUnavailable:
        workers, sweep, pause = None, None, None
    try:
        disk = capacity.measure()
    except OSError:
        disk = None
    identity, clock_ahead_s = _seen_by_tiktok()
    outcomes = recent_outcomes(now)
    try:
        recent_pauses = pauses.recent(outcomes.hours[0].at, now)
    except RedisUnavailable:
        recent_pauses = ()
    return Dashboard(
        now=now,
        # Counted a moment later, a job that has just begun would have more lines than rows.
        queue=replace(queue_depth(now), running=len(items)),
        workers=workers,
        disk=disk,
        outcomes=outcomes,
        today=today(now),
        week=failures_by_code(week_begin(outcomes), outcomes.until),
        pauses=recent_pauses,
        breaker=pause,
        sweep=sweep,
        identity=identity,
        clock_ahead_s=clock_ahead_s,
        workers_wanted=readiness.workers_wanted(),
        disk_reason=readiness.artifact_disk(),
        redis_reason=readiness.redis(),
        orphans=orphan_files.total(orphan_files.by_place().values()),
        damaged=damaged_files.count(now),
    )


def _seen_by_tiktok() -> tuple[str | None, float | None]:
    """Dashboard.identity and Dashboard.clock_ahead_s."""
    try:
        return page_identity.in_use(), site_clock.ahead_s()
    except RedisUnavailable:
        return None, None


def queue_depth(now: datetime) -> QueueDepth:
    """Open lines by what they wait for. Two queries."""
    due = Q(state=S.QUEUED) & (Q(not_before=None) | Q(not_before__lte=now))
    waiting = Q(state=S.QUEUED, not_before__gt=now)
    counts = Item.objects.open().aggregate(
        due=Count("pk", filter=due),
        waiting=Count("pk", filter=waiting),
        waiting_for_tiktok=Count("pk", filter=waiting & Q(error_code__in=REFUSAL_CODES)),
        running=Count("pk", filter=Q(state=S.RUNNING)),
        oldest_due_since=Min(Greatest("asked_at", Coalesce("not_before", "asked_at")), filter=due),
    )
    return QueueDepth(packages=Package.objects.open().count(), **counts)


def _running_items() -> list[Item]:
    """The claimed lines, the longest running first."""
    return list(
        Item.objects.filter(state=S.RUNNING)
        .select_related("owner")
        .only("job_id", "claimed_at", "attempt", "owner__username")
        .order_by("claimed_at")
    )


def _workers(items: Sequence[Item]) -> tuple[WorkerStatus, ...]:
    """The live workers and, of the claimed lines `items`, those that each runs."""
    last_seen = heartbeats.last_seen()
    progress_by_item = progress.read_many({item.job_id for item in items})
    lines_by_worker: dict[str, list[RunningLine]] = defaultdict(list)
    for item in items:
        known = progress_by_item.get(str(item.pk))
        name = known.worker if known and known.worker in last_seen else ""
        lines_by_worker[name].append(
            RunningLine(
                item_id=item.pk,
                owner=item.owner.get_username(),
                claimed_at=item.claimed_at,
                attempt=item.attempt,
                progress=known,
            )
        )
    workers = [
        WorkerStatus(name=name, last_seen_at=at, running=tuple(lines_by_worker[name]))
        for name, at in sorted(last_seen.items())
    ]
    if lines_by_worker[""]:
        unknown = tuple(lines_by_worker[""])
        workers.append(WorkerStatus(name="", last_seen_at=None, running=unknown))
    return tuple(workers)


def recent_outcomes(now: datetime) -> RecentOutcomes:
    """The last WINDOW_HOURS, the current hour included, without cancelled and skipped lines."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    first = this_hour - timedelta(hours=WINDOW_HOURS - 1)
    rows = (
        Item.objects.filter(settled_at__gte=first, settled_at__lt=this_hour + timedelta(hours=1))
        .exclude(SKIPPED | Q(state=S.CANCELLED))
        .order_by()
        .annotate(hour=TruncHour("settled_at"))
        .values_list("hour", "state", "error_code")
        .annotate(count=Count("pk"))
    )
    succeeded: dict[datetime, int] = defaultdict(int)
    failed: dict[datetime, int] = defaultdict(int)
    codes: dict[str, int] = defaultdict(int)
    for hour, state, code, count in rows:
        if state in SHORT:
            failed[hour] += count
            codes[code] += count
        else:
            succeeded[hour] += count
    hours = [first + timedelta(hours=number) for number in range(WINDOW_HOURS)]
    return RecentOutcomes(
        settled=sum(failed.values()) + sum(succeeded.values()),
        failed=sum(failed.values()),
        codes=tuple(sorted(codes.items(), key=lambda entry: (-entry[1], entry[0]))),
        hours=tuple(
            HourlyOutcomes(at=hour, succeeded=succeeded[hour], failed=failed[hour])
            for hour in hours
        ),
    )


def week_begin(outcomes: RecentOutcomes) -> datetime:
    """The full hour from which on the last 7 days are counted, the hours of `outcomes` included."""
    return outcomes.hours[0].at - WEEK + timedelta(hours=WINDOW_HOURS)


def today(now: datetime) -> Today:
    """Lines settled since midnight on the reader's clock, the first where it comes twice."""
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    counts = Item.objects.filter(settled_at__gte=midnight, settled_at__lte=now).aggregate(
        saved=Count("pk", filter=Q(state__in=SAVED)),
        failed=Count("pk", filter=Q(state__in=SHORT) & ~SKIPPED),
    )
    return Today(**counts)


def failures_by_code(since: datetime, until: datetime) -> tuple[tuple[str, int], ...]:
    """(error code, lines that failed in whole or in part) of the lines settled from `since` on and
    before `until`, most first."""
    rows = (
        Item.objects.filter(settled_at__gte=since, settled_at__lt=until, state__in=SHORT)
        .exclude(SKIPPED)
        .order_by()
        .values_list("error_code")
        .annotate(count=Count("pk"))
    )
    return tuple(sorted(rows, key=lambda entry: (-entry[1], entry[0])))


def unreadable_answers(since: datetime) -> tuple[int, str]:
    """(Number of lines settled from `since` on that failed on an answer that cannot be read, what
    the last of those answers lacked). Names nobody."""
    lines = Item.objects.filter(
        settled_at__gte=since, state__in=SHORT, error_code=UpstreamChanged.code
    )
    details = lines.order_by("-settled_at").values_list("error_detail", flat=True)
    count = lines.count()
    return count, scrub(details[0], 160) if count else ""


def versions() -> Sequence[tuple[str, str]]:
    """The versions of everything that runs: (name, version); Redis has "–" while it is away."""
    try:
        server = redis_connection.server_info().version
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
    is_sqlite = connection.vendor == "sqlite"
    question = "SELECT sqlite_version()" if is_sqlite else "SHOW server_version"
    with connection.cursor() as cursor:
        cursor.execute(question)
        version = str(cursor.fetchone()[0]).partition(" ")[0]
    return connection.display_name, version
