"""Media hosts that are on no list of ours: their names, for whoever runs this instance.

A sorted set, name → Unix seconds of the last time, for a week. Redis may be away: then nobody hears
of them, and nothing else changes.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, cast

from jobs.ephemeral.connection import RedisUnavailable, execute
from stories.hosts import plain_host_name

KEPT_S: Final = 7 * 24 * 60 * 60
MAX_HOSTS: Final = 20
"""The names kept, the latest ones."""
_HOSTS: Final = "storykeep:media_hosts"


def record(hosts: Iterable[str], now: float | None = None) -> None:
    """Keep the names of unknown hosts; whatever is no plain DNS name is left out.

    now: Unix seconds.
    """
    moment = time.time() if now is None else now
    names = {name: moment for host in hosts if (name := plain_host_name(host))}
    if not names:
        return

    def put(server: Any) -> None:
        with server.pipeline(transaction=False) as pipeline:
            pipeline.zadd(_HOSTS, names)
            pipeline.zremrangebyscore(_HOSTS, 0, moment - KEPT_S)
            pipeline.zremrangebyrank(_HOSTS, 0, -MAX_HOSTS - 1)
            pipeline.expire(_HOSTS, KEPT_S)
            pipeline.execute()

    with suppress(RedisUnavailable):
        execute(put)


def recent(now: float | None = None) -> dict[str, datetime]:
    """Name → when it was last met, the latest first. Raises RedisUnavailable. now: Unix seconds."""
    moment = time.time() if now is None else now
    kept = cast(
        "list[tuple[str, float]]",
        execute(
            lambda server: server.zrevrangebyscore(
                _HOSTS, moment + KEPT_S, moment - KEPT_S, start=0, num=MAX_HOSTS, withscores=True
            )
        ),
    )
    return {name: datetime.fromtimestamp(at, UTC) for name, at in kept if plain_host_name(name)}
