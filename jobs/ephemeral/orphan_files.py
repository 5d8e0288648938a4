"""Files without a row that wait to be swept, as the sweeps found them, folder by folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast

import redis

from jobs.ephemeral import values
from jobs.ephemeral.connection import RedisUnavailable, execute, write

_ORPHANS: Final = "storykeep:orphans"
_KEPT_FOR: Final = timedelta(hours=2)
"""Longer than the sweeps take to come round."""
_MOST: Final = 10**18


@dataclass(frozen=True, slots=True)
class WaitingOrphans:
    """How many files, of how many bytes, and when the last of them may go."""

    files: int
    size_bytes: int
    until: datetime


def record(place: int, waiting: WaitingOrphans | None) -> None:
    """Note what waits in one part of the folders, None for nothing; dropped while Redis is away."""

    def put(server: redis.Redis) -> None:
        # Sent together: a Redis that hangs in between would keep the key for ever.
        with server.pipeline(transaction=False) as pipeline:
            if waiting is None:
                pipeline.hdel(_ORPHANS, str(place))
            else:
                facts = [waiting.files, waiting.size_bytes, waiting.until.timestamp()]
                pipeline.hset(_ORPHANS, str(place), json.dumps(facts))
                pipeline.expire(_ORPHANS, _KEPT_FOR)
            pipeline.execute()

    with suppress(RedisUnavailable):
        write(put)


def by_place() -> dict[int, WaitingOrphans]:
    """What waits, by the part of the folders it is in; nothing while Redis is away."""
    try:
        fields = execute(lambda server: cast("Mapping[str, str]", server.hgetall(_ORPHANS)))
    except RedisUnavailable:
        return {}
    found = {}
    for name, text in fields.items():
        place = values.whole(name, 0, _MOST)
        files, size_bytes, until = values.numbers(text, 3, _MOST) or (None, None, None)
        at = values.moment(until)
        if place is not None and files is not None and size_bytes is not None and at is not None:
            found[place] = WaitingOrphans(int(files), int(size_bytes), at)
    return found


def total(waiting: Iterable[WaitingOrphans]) -> WaitingOrphans | None:
    """All of it in one; None for nothing."""
    parts = list(waiting)
    if not parts:
        return None
    return WaitingOrphans(
        sum(part.files for part in parts),
        sum(part.size_bytes for part in parts),
        max(part.until for part in parts),
    )
