"""What `/metrics` tells: read of all parts at once, and kept for a few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

from django.db import DatabaseError
from django.utils import timezone

from jobs.ephemeral import request_times
from jobs.ephemeral.connection import RedisUnavailable
from jobs.ephemeral.request_times import Series, Times
from jobs.ops import measures
from jobs.ops.measures import Processes, Store, Work
from jobs.ops.way_rows import WayRow
from webapp.backups import kept as backups
from webapp.processes import memory
from webapp.request_times import pending

T = TypeVar("T")

FRESH_S: Final = 10.0
"""What was read is told again for so many seconds, however often somebody asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All there is to tell. None: of a part that does not answer. resident_bytes: memory of this
    process."""

    now: datetime
    work: Work | None
    store: Store | None
    processes: Processes | None
    ways: tuple[WayRow, ...] | None
    backup_at: datetime | None
    resident_bytes: int | None
    times: Mapping[Series, Times] = field(default_factory=dict)


class Kept:
    """What was read last, and when. One reads at a time, and who asks meanwhile waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._facts: Facts | None = None
        self._read_at = 0.0

    def facts(self) -> Facts:
        """What was read within FRESH_S, else what is so now."""
        with self._lock:
            if self._facts is None or time.monotonic() - self._read_at > FRESH_S:
                self._facts = read(timezone.now())
                self._read_at = time.monotonic()
            return self._facts


kept = Kept()


def read(now: datetime) -> Facts:
    """The facts as they are now. Raises nothing."""
    pending.hand_on()
    return Facts(
        now=now,
        work=_or_none(lambda: measures.work(now)),
        store=_or_none(measures.store),
        processes=_or_none(measures.parts),
        ways=_or_none(lambda: measures.ways(now)),
        backup_at=backups.last_at(),
        resident_bytes=memory.resident_bytes(),
        times=_or_none(request_times.read) or {},
    )


def _or_none(part: Callable[[], T]) -> T | None:
    try:
        return part()
    except (DatabaseError, RedisUnavailable, OSError):
        return None
