"""How long requests took, in Redis for all web processes: a histogram by route and outcome.

Counts only grow, and begin anew where Redis forgets them. A route is the name of a view: nothing
here tells what was asked for, by whom.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, cast

import redis

from jobs.ephemeral import values
from jobs.ephemeral.connection import execute, write

BOUNDS_S: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, float("inf"))
"""The upper bounds of the buckets, in seconds."""
KEPT: Final = timedelta(days=30)
_TIMES: Final = "storykeep:request-times"
_SUM: Final = "sum"
_MOST: Final = 10**15
_LONGEST: Final = 200
MAX_FIELDS: Final = 20_000
"""More than all routes with all outcomes make; what is beyond is none of ours."""


@dataclass(frozen=True, slots=True)
class Series:
    """Requests of one kind. route: name of the view, `none` where there is none; status: of the
    answer, as `2xx`."""

    route: str
    status: str


@dataclass(slots=True)
class Times:
    """What requests of one kind took. counts: by bucket, not cumulated; total_s: of all."""

    counts: list[int]
    total_s: float = 0.0

    @classmethod
    def none(cls) -> Times:
        """No request so far."""
        return cls([0] * len(BOUNDS_S))

    def add(self, seconds: float) -> None:
        """Count a request."""
        bucket = next(number for number, bound in enumerate(BOUNDS_S) if seconds <= bound)
        self.counts[bucket] += 1
        self.total_s += seconds


def record(times: Mapping[Series, Times]) -> None:
    """Add what a process has counted since it last did. Raises RedisUnavailable."""

    def add(server: redis.Redis) -> None:
        with server.pipeline(transaction=True) as pipeline:
            for series, taken in times.items():
                name = f"{series.route}|{series.status}"
                for bucket, count in enumerate(taken.counts):
                    if count:
                        pipeline.hincrby(_TIMES, f"{name}|{bucket}", count)
                pipeline.hincrbyfloat(_TIMES, f"{name}|{_SUM}", round(taken.total_s, 6))
            pipeline.expire(_TIMES, KEPT)
            pipeline.execute()

    if times:
        write(add)


def read() -> dict[Series, Times]:
    """What all web processes have counted. Raises RedisUnavailable."""
    fields = execute(lambda server: cast("dict[str, str]", server.hgetall(_TIMES)))
    found: dict[Series, Times] = {}
    for field, value in list(fields.items())[:MAX_FIELDS]:
        route, _, rest = field.partition("|")
        status, _, place = rest.partition("|")
        if len(field) > _LONGEST or not field.isprintable() or not status:
            continue
        times = found.setdefault(Series(route, status), Times.none())
        bucket = values.whole(place, 0, len(BOUNDS_S) - 1)
        if place == _SUM:
            times.total_s = values.number(value, 0.0, _MOST) or 0.0
        elif bucket is not None:
            times.counts[bucket] = values.whole(value, 0, _MOST) or 0
    return {series: times for series, times in found.items() if any(times.counts)}
