"""Where the reading of all saved files has come to, for whichever worker goes on with it."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from jobs.ephemeral.connection import RedisUnavailable, execute, write

_POSITION: Final = "storykeep:scrub"
_ID_BITS: Final = 128


@dataclass(frozen=True, slots=True)
class ScrubPosition:
    """The id, as a number, up to which files were read. at: when, Unix seconds."""

    id: int
    at: float


def load() -> ScrubPosition | None:
    """The position; None when none is known. Raises RedisUnavailable."""
    fields = str(execute(lambda server: server.get(_POSITION)) or "").split()
    try:
        number, at = int(fields[0], 16), float(fields[1])
    except (IndexError, ValueError):
        return None
    if not math.isfinite(at) or number.bit_length() > _ID_BITS:
        return None
    return ScrubPosition(number, at)


def store(position: ScrubPosition) -> None:
    """Note the position; dropped while Redis is away."""
    text = f"{position.id:x} {position.at}"
    with suppress(RedisUnavailable):
        write(lambda server: server.set(_POSITION, text))
