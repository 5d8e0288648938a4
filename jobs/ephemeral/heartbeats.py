"""Heartbeats: which workers are alive, and when the last sweep finished.

A worker beats every few seconds from its own event loop. It is dropped when it leaves or has been
silent for `EXPIRES_AFTER_S`.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, cast

from jobs.ephemeral import values
from jobs.ephemeral.connection import RedisUnavailable, discard, execute

EXPIRES_AFTER_S: Final = 20.0
"""A busy worker, or a Redis that was away for a moment, may cost a beat or two."""
MAX_AHEAD_S: Final = 60.0
"""So far the clock of another machine may be ahead of ours for its workers to count as alive."""
REAP_EVERY_S: Final = 15.0
SWEEP_EVERY_S: Final = 60.0
"""Seconds between two messages of the clock for the reaper, and for the sweep."""
_WORKERS: Final = "storykeep:workers"
_SWEPT: Final = "storykeep:swept"
_MOST: Final = 10**12


def beat(name: str, now: float | None = None) -> None:
    """Record a worker's heartbeat. Raises nothing while Redis is away: it cannot be known then.

    name: `worker-<process id>@<host>`. now: Unix seconds. Beats from the future go as well: the
    clock was set back, and whoever is alive beats again.
    """
    moment = time.time() if now is None else now
    try:
        execute(lambda server: server.zadd(_WORKERS, {name: moment}))
        execute(lambda server: server.zremrangebyscore(_WORKERS, 0, moment - EXPIRES_AFTER_S))
        execute(
            lambda server: server.zremrangebyscore(_WORKERS, moment + MAX_AHEAD_S, float("inf"))
        )
    except RedisUnavailable:
        return


def remove(name: str) -> None:
    """Drop a worker that is leaving, so that nobody counts on it until it would expire."""
    with suppress(RedisUnavailable):
        execute(lambda server: server.zrem(_WORKERS, name))


def alive(now: float | None = None) -> list[str]:
    """Names of the workers that beat lately. Raises RedisUnavailable."""
    return list(last_seen(now))


def last_seen(now: float | None = None) -> dict[str, datetime]:
    """Worker name → its last heartbeat, for those that beat lately. Raises RedisUnavailable."""
    moment = time.time() if now is None else now
    beats = cast(
        "list[tuple[str, float]]",
        execute(
            lambda server: server.zrangebyscore(
                _WORKERS, moment - EXPIRES_AFTER_S, moment + MAX_AHEAD_S, withscores=True
            )
        ),
    )
    return {name: datetime.fromtimestamp(at, UTC) for name, at in beats}


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep that finished. counts: rows and files it removed, by kind; as it is read here, 0 for
    a kind that is not told of."""

    at: datetime
    counts: Mapping[str, int]

    @property
    def next_at(self) -> datetime:
        """The time the clock sends the next one."""
        return self.at + timedelta(seconds=SWEEP_EVERY_S)

    def is_late(self, now: datetime) -> bool:
        """Two sweeps in a row did not come; a single one may wait its turn behind other work.

        One from the future counts as well: the clock was set back, and none has come since.
        """
        return abs(now - self.at) > timedelta(seconds=3 * SWEEP_EVERY_S)


def record_sweep(at: datetime, counts: Mapping[str, int]) -> None:
    """Note that a sweep finished; dropped while Redis is away."""
    text = json.dumps({"at": at.timestamp(), "counts": dict(counts)})
    with suppress(RedisUnavailable):
        execute(lambda server: server.set(_SWEPT, text))


def last_sweep() -> Sweep | None:
    """The last sweep that finished; None when none is known. Raises RedisUnavailable."""
    text = execute(lambda server: cast("str | None", server.get(_SWEPT)))
    if text is None:
        return None
    record = values.record(text) or {}
    at, counts = values.moment(record.get("at")), record.get("counts")
    if at is None or not isinstance(counts, dict):
        discard(_SWEPT)
        return None
    known = {kind: values.whole(count, 0, _MOST) for kind, count in counts.items()}
    return Sweep(at, Counter({kind: count for kind, count in known.items() if count is not None}))
