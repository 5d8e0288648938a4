"""Saved files that were found damaged on the disk lately, for whoever runs the instance.

The rows say the same of each file; what is lost here is only not counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from jobs.ephemeral.connection import RedisUnavailable, execute, write

COUNTED_FOR: Final = timedelta(days=7)
_DAMAGED: Final = "storykeep:damaged"


def record(artifact_ids: Iterable[UUID], now: datetime) -> None:
    """Note that these files were given up; dropped while Redis is away."""
    found = {str(artifact_id): now.timestamp() for artifact_id in artifact_ids}
    if not found:
        return
    with suppress(RedisUnavailable):
        write(lambda server: server.zadd(_DAMAGED, found))
        write(lambda server: server.expire(_DAMAGED, COUNTED_FOR))
        oldest = (now - COUNTED_FOR).timestamp()
        write(lambda server: server.zremrangebyscore(_DAMAGED, 0, oldest))


def count(now: datetime) -> int:
    """How many files were given up within COUNTED_FOR; 0 while Redis is away."""
    since = (now - COUNTED_FOR).timestamp()
    try:
        return execute(lambda server: server.zcount(_DAMAGED, since, "+inf"))
    except RedisUnavailable:
        return 0
