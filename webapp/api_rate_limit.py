"""The API's rate limit: so many requests a minute for each token, over all web processes.

The count is in Redis. A process takes its requests from there a few at a time and spends them by
itself, so that one poll in so many asks Redis and the others do not. While Redis is away each
process grants the limit.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from jobs.ephemeral import connection
from jobs.ephemeral.connection import RedisUnavailable

WINDOW_S: Final = 60.0
SHARES: Final = 50
"""A process takes a fiftieth of the limit at a time: it asks at most so often, and what other
processes hold and do not spend is no more than that."""
_MANY_WINDOWS: Final = 1000
"""So many windows are kept before those that are over are dropped."""
_PREFIX: Final = "storykeep:api-rate:"

_TAKE: Final = """
if redis.call('TYPE', KEYS[1]).ok ~= 'string' then
  redis.call('DEL', KEYS[1])
end
local used = tonumber(redis.call('GET', KEYS[1]) or '0') or 0
local left_ms = redis.call('PTTL', KEYS[1])
local window_ms = tonumber(ARGV[3])
if not (used >= 0 and used < 1e9) or left_ms <= 0 or left_ms > window_ms then
  used, left_ms = 0, window_ms
end
local got = math.max(0, math.min(tonumber(ARGV[2]), tonumber(ARGV[1]) - used))
redis.call('SET', KEYS[1], string.format('%.0f', used + got), 'PX', left_ms)
return {used, got, left_ms}
"""
"""ARGV: limit, requests wanted, length of a window. Returns those used before, those granted, and
the milliseconds until the window ends."""


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


@dataclass(slots=True)
class _Window:
    """A token's minute, as this process knows it.

    ends_at: monotonic seconds. used: requests so far, of all processes. granted: of those, taken by
    this process and not yet spent. full: nothing more is to be had.
    """

    ends_at: float
    used: int = 0
    granted: int = 0
    full: bool = False


class FixedWindowLimiter:
    """Counts requests in a window of a minute for each token, begun by its first request."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[int, _Window] = {}

    def acquire(self, token_id: int, limit: int) -> Decision:
        """Count one more request of a token; it is not allowed after `limit` others."""
        now = self._clock()
        with self._lock:
            window = self._window(token_id, now)
            asks = not window.granted and not window.full
        # Without the lock: a Redis that is slow is to hold up the requests of one token alone.
        taken = _take(token_id, limit) if asks else None
        with self._lock:
            if asks:
                self._add(window, limit, taken, now)
            allowed = window.granted > 0
            window.granted -= allowed
            window.used += allowed
            # To the millisecond, or a minute that has just begun is one of 61 seconds by rounding.
            left_s = max(1, math.ceil(round(window.ends_at - now, 3)))
            return Decision(allowed, limit, max(0, limit - window.used), left_s)

    def _window(self, token_id: int, now: float) -> _Window:
        if len(self._windows) > _MANY_WINDOWS:
            self._windows = {
                token: window for token, window in self._windows.items() if window.ends_at > now
            }
        window = self._windows.get(token_id)
        if window is None or window.ends_at <= now:
            window = self._windows[token_id] = _Window(now + WINDOW_S)
        return window

    def _add(
        self, window: _Window, limit: int, taken: tuple[int, int, float] | None, now: float
    ) -> None:
        """Add what was taken; while Redis is away, whatever the limit leaves to this process."""
        if taken is None:
            window.granted += window.used + window.granted < limit
            return
        used, got, left_s = taken
        window.used = max(window.used, used - window.granted)
        window.granted += got
        window.full = got == 0
        window.ends_at = now + left_s


def _take(token_id: int, limit: int) -> tuple[int, int, float] | None:
    """Requests used, requests granted, seconds left; None while Redis is away."""
    arguments: list[Any] = [limit, max(1, limit // SHARES), round(WINDOW_S * 1000)]
    try:
        used, got, left_ms = connection.write(
            lambda r: r.eval(_TAKE, 1, f"{_PREFIX}{token_id}", *arguments)
        )
    except RedisUnavailable:
        return None
    return int(used), int(got), int(left_ms) / 1000
