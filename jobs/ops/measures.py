"""What can be measured of an instance, for those who watch it from outside: numbers by state, code,
reason and way, never of whom or of what.

What costs something is bounded: open lines, the last hour's, files that are present. No table is
read as a whole.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Exists, OuterRef, Q

from jobs.ephemeral import heartbeats, processes
from jobs.errors import BY_CODE
from jobs.files import capacity
from jobs.files.capacity import Capacity
from jobs.models import Artifact, Item, Job
from jobs.ops import dashboard, way_rows
from jobs.ops.dashboard import QueueDepth
from jobs.ops.way_rows import WayRow
from jobs.states import ItemState, job_state
from jobs.upstream import breaker
from jobs.upstream.breaker import BreakerState
from stories.left_out import LeftOutReason

HOUR: Final = timedelta(hours=1)
OTHER: Final = "other"
"""Stands for a code or reason of another version."""
_REASONS: Final = frozenset(LeftOutReason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Jobs and lines. open_lines, settled_lines: (state, code) → how many, those settled within the
    last hour; open_jobs, settled_jobs: state → how many. lists: accounts whose list was received,
    of the lines settled within the hour; left_out: reason → stories that those lists hold back.
    """

    queue: QueueDepth
    open_lines: Mapping[tuple[str, str], int]
    open_jobs: Mapping[str, int]
    settled_lines: Mapping[tuple[str, str], int]
    settled_jobs: Mapping[str, int]
    lists: int
    left_out: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Saved files. files: how many are present."""

    capacity: Capacity
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """What parts tell of themselves. workers: how many are alive. resident_bytes: part → memory of
    all its processes that tell it. swept_at: when the last clean-up ended.
    """

    workers: int
    resident_bytes: Mapping[str, int]
    swept_at: datetime | None
    breaker: BreakerState | None


def work(now: datetime) -> Work:
    """Jobs and lines as they are now. Seven queries. Raises DatabaseError."""
    since = now - HOUR
    settled = Item.objects.filter(settled_at__gte=since, settled_at__lte=now).order_by()
    settled_lines: Counter[tuple[str, str]] = Counter()
    lists = 0
    rows = settled.values_list("state", "error_code").annotate(n=Count("pk"), l=Count("listed_at"))
    for state, code, count, listed in rows:
        settled_lines[state, known_code(code)] += count
        lists += listed
    left_out: Counter[str] = Counter()
    for reasons in settled.exclude(left_out={}).values_list("left_out", flat=True):
        for reason, count in reasons.items():
            left_out[reason if reason in _REASONS else OTHER] += count
    return Work(
        queue=dashboard.queue_depth(now),
        open_lines=_open_lines(),
        open_jobs=_open_jobs(),
        settled_lines=settled_lines,
        settled_jobs=_settled_jobs(since, now),
        lists=lists,
        left_out=left_out,
    )


def known_code(code: str) -> str:
    """The code, as there are only so many; "" for none."""
    return code if not code or code in BY_CODE else OTHER


def _open_lines() -> Mapping[tuple[str, str], int]:
    rows = Item.objects.open().order_by().values_list("state", "error_code")
    counts: Counter[tuple[str, str]] = Counter()
    for state, code, count in rows.annotate(n=Count("pk")):
        counts[state, known_code(code)] += count
    return counts


def _open_jobs() -> Mapping[str, int]:
    """By the rule of `job_state`: queued until the first line starts."""
    not_begun = (ItemState.QUEUED, ItemState.FAILED)
    begun = [state for state in ItemState if state not in not_begun]
    is_begun = Exists(Item.objects.filter(job=OuterRef("pk"), state__in=begun))
    counts = Job.objects.filter(settled_at=None).aggregate(
        all=Count("pk"), running=Count("pk", filter=Q(is_begun))
    )
    running = counts["running"]
    return {ItemState.QUEUED: counts["all"] - running, ItemState.RUNNING: running}


def _settled_jobs(since: datetime, until: datetime) -> Mapping[str, int]:
    states: defaultdict[object, set[str]] = defaultdict(set)
    rows = Item.objects.filter(job__settled_at__gte=since, job__settled_at__lte=until)
    for job_id, state in rows.order_by().values_list("job_id", "state").distinct():
        states[job_id].add(state)
    return Counter(job_state(found) for found in states.values())


def store() -> Store:
    """Saved files and their disk. Three queries at most. Raises DatabaseError, OSError and
    StorageNotMounted."""
    return Store(
        capacity=capacity.measure(), files=Artifact.objects.filter(removed_at=None).count()
    )


def parts() -> Processes:
    """What Redis knows of the parts. Raises RedisUnavailable."""
    workers = len(heartbeats.last_seen())
    resident: Counter[str] = Counter()
    for process in processes.running():
        if process.resident_bytes is not None:
            resident[process.kind] += process.resident_bytes
    sweep = heartbeats.last_sweep()
    return Processes(
        workers=workers,
        resident_bytes=resident,
        swept_at=sweep.at if sweep else None,
        breaker=breaker.shared_state(),
    )


def ways(now: datetime) -> tuple[WayRow, ...]:
    """Every way of asking. Raises DatabaseError."""
    return way_rows.read(now).rows
