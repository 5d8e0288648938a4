"""The browser's budget: how many look-ups an hour a browser may make on this instance.

`STORYKEEP_BROWSER_PER_HOUR` says how many within any hour, for all workers together; while Redis is
away each process counts by itself.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

from django.conf import settings

from jobs.ephemeral import steady
from jobs.ephemeral.connection import RedisUnavailable, execute, execute_in_thread

HOUR_S: Final = 3600.0
_VISITS: Final = "storykeep:browser_visits"

# Answers how many were left, this one among them; what a clock that was ahead noted does not count.
_TAKE: Final = """
local clock = redis.call('TIME')
local now = clock[1] + math.floor(clock[2] / 1000) / 1000
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[1]))
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + 60, '+inf')
local left = tonumber(ARGV[2]) - redis.call('ZCARD', KEYS[1])
if left > 0 and ARGV[3] ~= '' then
  redis.call('ZADD', KEYS[1], string.format('%.3f', now), ARGV[3])
  redis.call('EXPIRE', KEYS[1], ARGV[1])
end
return math.max(0, left)
"""


def per_hour() -> int:
    """Look-ups an hour that the settings allow; 0 for no limit."""
    return settings.STORYKEEP.browser_per_hour


class BrowserBudget:
    """The budget all workers share. clock: seconds, never set, for while Redis is away."""

    def __init__(self, clock: Callable[[], float] = steady.now) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._visits: deque[float] = deque()

    async def take(self) -> bool:
        """Take one look-up; False when the hour's are used up. Each is counted here as well, so
        that a Redis that goes away does not begin the hour anew."""
        if not per_hour():
            return True
        left = self._left_here()
        with suppress(RedisUnavailable):
            left = await execute_in_thread(lambda server: _ask(server, uuid4().hex))
        if left < 1:
            return False
        with self._lock:
            self._visits.append(self._clock())
        return True

    def _left_here(self) -> int:
        with self._lock:
            while self._visits and self._visits[0] <= self._clock() - HOUR_S:
                self._visits.popleft()
            return per_hour() - len(self._visits)


def left() -> int | None:
    """Look-ups that are left of this hour's, None without a limit; takes none.

    Raises RedisUnavailable.
    """
    if not per_hour():
        return None
    return execute(lambda server: _ask(server, ""))


def _ask(server: Any, visit: str) -> int:
    return int(server.eval(_TAKE, 1, _VISITS, str(int(HOUR_S)), str(per_hour()), visit))
