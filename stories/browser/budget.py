"""How often a browser may be used: so many look-ups within any hour."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

HOUR_S: Final = 3600.0


class HourlyBudget:
    """Look-ups of this process within the last hour. per_hour: the most of them; 0 = no limit.

    clock: monotonic seconds.
    """

    def __init__(self, per_hour: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_hour, self._clock = per_hour, clock
        self._taken: deque[float] = deque()

    async def take(self) -> bool:
        """Count one more, if it may be."""
        if self.wait_s() > 0:
            return False
        if self._per_hour:
            self._taken.append(self._clock())
        return True

    def wait_s(self) -> float:
        """Seconds until there may be another; 0 when there may be now."""
        now = self._clock()
        while self._taken and now - self._taken[0] >= HOUR_S:
            self._taken.popleft()
        if not self._per_hour or len(self._taken) < self._per_hour:
            return 0.0
        return HOUR_S - (now - self._taken[0])
