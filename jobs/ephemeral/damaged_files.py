"""Saved files that were found damaged on the disk lately, for whoever runs the instance.

The rows say the same of each file; what is lost here is only not counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import redis

from jobs.ephemeral.connection import RedisUnavailable, execute, write

COUNTED_FOR: Final = timedelta(days=7)
AHEAD: Final = timedelta(days=1)
"""A time further in the future is none of ours; a clock may have been set back by less."""
_DAMAGED: Final = "storykeep:damaged"


def record(artifact_ids: Iterable[UUID], now: datetime) -> None:
    """Note that these files were given up; dropped while Redis is away."""
    found = {str(artifact_id): now.timestamp() for artifact_id in artifact_ids}
    first, last = _counted(now)

    def add(server: redis.Redis) -> None:
        # Sent together: a Redis that hangs in between would keep the key for ever.
        with server.pipeline(transaction=False) as pipeline:
            pipeline.zadd(_DAMAGED, found)
            pipeline.expire(_DAMAGED, COUNTED_FOR)
            pipeline.zremrangebyscore(_DAMAGED, "-inf", first)
            pipeline.zremrangebyscore(_DAMAGED, last, "+inf")
            pipeline.execute()

    if found:
        with suppress(RedisUnavailable):
            write(add)


def count(now: datetime) -> int:
    """How many files were given up within COUNTED_FOR; 0 while Redis is away."""
    first, last = _counted(now)
    try:
        return execute(lambda server: server.zcount(_DAMAGED, first, last))
    except RedisUnavailable:
        return 0


def _counted(now: datetime) -> tuple[float, float]:
    """From when until when a file is counted, in Unix seconds."""
    return (now - COUNTED_FOR).timestamp(), (now + AHEAD).timestamp()
