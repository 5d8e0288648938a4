"""The clock of an instance: when the reaper and the sweep are sent for.

Every worker has one, and `python -m webapp.scheduler` is one alone. Whichever of them is first in
an interval acts for all (docs/decisions/0030).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final
from uuid import uuid4

from django.conf import settings

from jobs.ephemeral import heartbeats, leases
from jobs.ephemeral.connection import RedisUnavailable
from jobs.queue import broker, routing

EVERY_S: Final = {
    routing.REPAIR: heartbeats.REAP_EVERY_S,
    routing.SWEEP: heartbeats.SWEEP_EVERY_S,
}
"""Task name → seconds between two of its messages."""
WATCH_EVERY_S: Final = 60.0
"""Seconds between two looks at which watched accounts are due."""
BACK_UP_EVERY_S: Final = 600.0
"""Seconds between two looks at whether the daily backup is due."""
NOTICES_EVERY_S: Final = 15.0
"""Seconds between two looks at whether somebody is to be told something."""
FILL_LIBRARY_EVERY_S: Final = 15.0
"""Seconds between two looks at what the library lacks."""
LOOK_EVERY_S: Final = 1.0
"""Seconds between two ticks."""
RETRY_AFTER_S: Final = 5.0
"""Seconds from a Redis that is away to the next attempt: where it hangs, each takes a second of a
worker's loop."""
LEASE_SHARE: Final = 0.9
"""So much of an interval belongs to the clock that acted: it may act again at the end of it, which
other clocks may not before."""


def schedule() -> dict[str, float]:
    """EVERY_S, messages to people, and what is switched on."""
    own: dict[str, float] = {routing.SEND_NOTICES: NOTICES_EVERY_S}
    if settings.STORYKEEP.backup_daily:
        own[routing.BACK_UP] = BACK_UP_EVERY_S
    if settings.STORYKEEP.watches != "off":
        own[routing.WATCH] = WATCH_EVERY_S
    if settings.STORYKEEP.library_dir is not None:
        own[routing.FILL_LIBRARY] = FILL_LIBRARY_EVERY_S
    return {**EVERY_S, **own}


class Clock:
    """Sends what is due, the first time one interval from now. For one thread.

    every_s: as EVERY_S; `schedule()` unless given. now: seconds that only go forward,
    time.monotonic unless given: setting the machine's clock changes nothing here.
    """

    def __init__(
        self,
        every_s: Mapping[str, float] | None = None,
        now: Callable[[], float] | None = None,
    ) -> None:
        self._id = uuid4().hex
        every_s = schedule() if every_s is None else every_s
        self._every_s = every_s
        self._now = now = now or time.monotonic
        self._due_at = {task: now() + interval_s for task, interval_s in every_s.items()}
        self._retry_at = now()

    def tick(self) -> None:
        """Send what is due; called every LOOK_EVERY_S. What cannot be sent stays due, once, however
        long Redis is away. Waits for Redis as long as a heartbeat does, and raises nothing."""
        if self._now() < self._retry_at:
            return
        for task, due_at in self._due_at.items():
            if due_at > self._now():
                continue
            if not self._act(task):
                self._retry_at = self._now() + RETRY_AFTER_S
                return
            self._due_at[task] = self._now() + self._every_s[task]

    def _act(self, task: str) -> bool:
        """Send the message unless another clock has, in this interval; False without Redis.

        A process that was paused meanwhile has no lease any more, and somebody else may.
        """
        lease_s, asked_at = LEASE_SHARE * self._every_s[task], self._now()
        try:
            if not leases.acquire(task, self._id, seconds=lease_s):
                return True
        except RedisUnavailable:
            return False
        if self._now() - asked_at >= lease_s:
            return True
        if broker.send_periodic(task):
            return True
        leases.release(task)
        return False
