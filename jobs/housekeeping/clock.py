"""The system clock when it is set: seen by comparing it with one that nobody can set.

Files, leases and waits end by the system clock. Where it is set two days forward by mistake, all of
them would be over at once, for good; where it is set back, what waits would wait for days.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final
from uuid import uuid4

from jobs.ephemeral import leases, steady
from jobs.ephemeral.connection import RedisUnavailable

logger = logging.getLogger(__name__)

MIN_JUMP_S: Final = 20.0
"""Less than this is a clock being adjusted, and does no harm."""
HOLD_S: Final = 30 * 60.0
"""After a jump forward nothing is removed and nobody is given up for so long: long enough for a
clock that was set wrongly to be set right. Where the jump itself was right, things end later."""

SET_BACK_S: Final = 60.0
"""A step back by less makes waits longer by that much, which does no harm."""
_SET_BACK: Final = "clock_set_back"
_ONE_STEP_S: Final = 10 * 60.0
"""Seconds within which every worker has looked, for each gets a message of the reaper by then."""


class ClockWatch:
    """Watches the system clock of this machine; for threads. It knows of no jump before its first
    look."""

    def __init__(
        self,
        system_s: Callable[[], float] = time.time,
        steady_s: Callable[[], float] = steady.now,
    ) -> None:
        self._system_s, self._steady_s = system_s, steady_s
        self._lock = threading.Lock()
        self._offset_s: float | None = None
        self._set_forward_at: float | None = None

    def look(self) -> float:
        """Seconds the clock was set by since the last look, negative when back; 0 for none."""
        with self._lock:
            steady = self._steady_s()
            offset, before = self._system_s() - steady, self._offset_s
            self._offset_s = offset
            jump_s = offset - before if before is not None else 0.0
            if abs(jump_s) < MIN_JUMP_S:
                return 0.0
            # Set back, it may have been put right, and the leases of before hold again.
            self._set_forward_at = steady if jump_s > 0 else None
        logger.warning("the clock was set by %s", timedelta(seconds=round(jump_s)))
        return jump_s

    def was_set_forward(self, within_s: float) -> bool:
        """Whether the clock was set forward lately, as far as `look` has seen."""
        at = self._set_forward_at
        return at is not None and self._steady_s() - at < within_s


watch: Final = ClockWatch()
"""This process's own."""


def ends_waits(jump_s: float) -> bool:
    """Whether this process is to end what waits, for its clock was set by that many seconds.

    True once for each step back: every worker sees it at its own next look, and by then others may
    have begun waits by the clock that is right. Two steps within ten minutes count as one; waits
    longer than any can be end anyway.
    """
    if jump_s > -SET_BACK_S:
        return False
    try:
        return leases.acquire(_SET_BACK, uuid4().hex, seconds=_ONE_STEP_S)
    except RedisUnavailable:
        return True
