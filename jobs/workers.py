"""Which workers are alive: each says so in Redis now and then, and is forgotten when silent."""

from __future__ import annotations

import time
from typing import Final, cast

from jobs.progress import RedisAway, ask

EVERY_S: Final = 15.0
SILENT_S: Final = 60.0
_KEY: Final = "storykeep:workers"


def here(name: str, now: float | None = None) -> None:
    """Note that this worker is alive. While Redis is away it cannot be known; nothing is raised."""
    moment = time.time() if now is None else now
    try:
        ask(lambda server: server.zadd(_KEY, {name: moment}))
        ask(lambda server: server.zremrangebyscore(_KEY, 0, moment - SILENT_S))
    except RedisAway:
        return


def alive(now: float | None = None) -> list[str]:
    """The names of the workers heard lately, as `worker-<process>@<host>`. Raises RedisAway."""
    moment = time.time() if now is None else now
    return cast(
        "list[str]", ask(lambda server: server.zrangebyscore(_KEY, moment - SILENT_S, "+inf"))
    )
