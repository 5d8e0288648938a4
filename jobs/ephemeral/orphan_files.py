"""Files without a row that wait to be swept, as the sweeps found them, folder by folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, cast

from jobs.ephemeral.connection import RedisUnavailable, execute, write

_ORPHANS: Final = "storykeep:orphans"
_KEPT_FOR: Final = timedelta(hours=2)
"""Longer than the sweeps take to come round."""


@dataclass(frozen=True, slots=True)
class WaitingOrphans:
    """How many files, of how many bytes, and when the last of them may go."""

    files: int
    size_bytes: int
    until: datetime


def record(place: int, waiting: WaitingOrphans | None) -> None:
    """Note what waits in one part of the folders, None for nothing; dropped while Redis is away."""
    with suppress(RedisUnavailable):
        if waiting is None:
            write(lambda server: server.hdel(_ORPHANS, str(place)))
            return
        facts = json.dumps([waiting.files, waiting.size_bytes, waiting.until.timestamp()])
        write(lambda server: server.hset(_ORPHANS, str(place), facts))
        write(lambda server: server.expire(_ORPHANS, _KEPT_FOR))


def by_place() -> dict[int, WaitingOrphans]:
    """What waits, by the part of the folders it is in; nothing while Redis is away."""
    try:
        fields = execute(lambda server: cast("Mapping[str, str]", server.hgetall(_ORPHANS)))
    except RedisUnavailable:
        return {}
    found = {}
    for place, text in fields.items():
        with suppress(ValueError, TypeError, OverflowError, OSError):
            files, size_bytes, until = json.loads(text)
            at = datetime.fromtimestamp(until, UTC)
            found[int(place)] = WaitingOrphans(int(files), int(size_bytes), at)
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
