"""Signs of life: which workers are alive, and when the clean-up last came by. Kept in Redis.

Each worker says so every few seconds, and is forgotten when it leaves or falls silent.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, cast

from jobs.ephemeral.progress import RedisAway, ask

EVERY_S: Final = 5.0
SILENT_S: Final = 20.0
"""A busy worker, or a Redis that was away for a moment, may cost a beat or two."""
REPAIR_EVERY_S: Final = 15.0
SWEEP_EVERY_S: Final = 60.0
"""How often the scheduler sends a repair and a sweep."""
_KEY: Final = "storykeep:workers"
_SWEPT: Final = "storykeep:swept"


def here(name: str, now: float | None = None) -> None:
    """Note that this worker is alive. While Redis is away it cannot be known; nothing is raised."""
    moment = time.time() if now is None else now
    try:
        ask(lambda server: server.zadd(_KEY, {name: moment}))
        ask(lambda server: server.zremrangebyscore(_KEY, 0, moment - SILENT_S))
    except RedisAway:
        return


def gone(name: str) -> None:
    """Note that this worker has left, so that nobody counts on it until it would be missed."""
    with suppress(RedisAway):
        ask(lambda server: server.zrem(_KEY, name))


def alive(now: float | None = None) -> list[str]:
    """The names of the workers heard lately, as `worker-<process>@<host>`. Raises RedisAway."""
    return list(heard(now))


def heard(now: float | None = None) -> dict[str, datetime]:
    """The workers heard lately, and when that was. Raises RedisAway."""
    moment = time.time() if now is None else now
    found = cast(
        "list[tuple[str, float]]",
        ask(lambda server: server.zrangebyscore(_KEY, moment - SILENT_S, "+inf", withscores=True)),
    )
    return {name: datetime.fromtimestamp(at, UTC) for name, at in found}


@dataclass(frozen=True, slots=True)
class Sweep:
    """A clean-up that came by. counts: what it removed, by kind."""

    at: datetime
    counts: Mapping[str, int]

    @property
    def next_at(self) -> datetime:
        """When the next one is sent."""
        return self.at + timedelta(seconds=SWEEP_EVERY_S)

    def late(self, now: datetime) -> bool:
        """Did two in a row not come? One may wait its turn behind other work."""
        return now - self.at > timedelta(seconds=3 * SWEEP_EVERY_S)


def swept(at: datetime, counts: Mapping[str, int]) -> None:
    """Note that a clean-up is through."""
    text = json.dumps({"at": at.timestamp(), "counts": dict(counts)})
    with suppress(RedisAway):
        ask(lambda server: server.set(_SWEPT, text))


def last_sweep() -> Sweep | None:
    """The last clean-up; None when none is known of. Raises RedisAway."""
    text = ask(lambda server: cast("str | None", server.get(_SWEPT)))
    if not text:
        return None
    kept = json.loads(text)
    return Sweep(datetime.fromtimestamp(kept["at"], UTC), kept["counts"])
