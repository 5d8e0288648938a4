"""How often each API token may ask: so many requests a minute, counted in this process.

The web server is one process (webapp/processes/gunicorn.py), so its memory is the one place to
count in, and a poll costs no further round trip to Redis. With more processes each would grant the
limit.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

WINDOW_S: Final = 60.0
_MANY: Final = 1000
"""So many tokens are remembered before those with nothing to remember are dropped."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a token stands after asking once more. ends_in_s: when its count begins anew."""

    granted: bool
    limit: int
    left: int
    ends_in_s: int

    @property
    def headers(self) -> dict[str, str]:
        """As a client reads them."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.left),
            "RateLimit-Reset": str(self.ends_in_s),
        }


class Turns:
    """A window of a minute for each token, begun by its first request."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[int, tuple[float, int]] = {}

    def take(self, token_id: int, limit: int) -> Turn:
        """Count one more request of this token; not granted when it had `limit` already."""
        now = self._clock()
        with self._lock:
            if len(self._windows) > _MANY:
                self._windows = {one: kept for one, kept in self._windows.items() if kept[0] > now}
            ends, used = self._windows.get(token_id, (0.0, 0))
            if ends <= now:
                ends, used = now + WINDOW_S, 0
            granted = used < limit
            used += granted
            self._windows[token_id] = (ends, used)
        return Turn(granted, limit, limit - used, max(1, math.ceil(ends - now)))

    def forget(self) -> None:
        """Begin anew for everyone."""
        with self._lock:
            self._windows.clear()
