"""The API's rate limit: so many requests a minute for each token, counted in this process.

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
_MANY_WINDOWS: Final = 1000
"""So many windows are kept before those that are over are dropped."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one request of a token, and the state of its window after that request.

    allowed: false when the limit was reached before. limit: requests in a window. remaining: of
    those, how many are left. resets_in_s: seconds until the window ends, 1 at least.
    """

    allowed: bool
    limit: int
    remaining: int
    resets_in_s: int

    @property
    def headers(self) -> dict[str, str]:
        """The `RateLimit-…` headers of the response."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.resets_in_s),
        }


class FixedWindowLimiter:
    """Counts requests in a window of a minute for each token, begun by its first request."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[int, tuple[float, int]] = {}  # token id: when it ends, requests so far

    def acquire(self, token_id: int, limit: int) -> Decision:
        """Count one more request of a token; it is not allowed after `limit` others."""
        now = self._clock()
        with self._lock:
            if len(self._windows) > _MANY_WINDOWS:
                self._windows = {
                    token: window for token, window in self._windows.items() if window[0] > now
                }
            ends_at, used = self._windows.get(token_id, (0.0, 0))
            if ends_at <= now:
                ends_at, used = now + WINDOW_S, 0
            allowed = used < limit
            used += allowed
            self._windows[token_id] = (ends_at, used)
        return Decision(allowed, limit, limit - used, max(1, math.ceil(ends_at - now)))
