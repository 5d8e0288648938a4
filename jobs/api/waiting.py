"""Requests that wait for a job to settle, and how many may at once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.conf import settings

from jobs.models import Item, Job

MAX_WAIT_S: Final = 30
POLL_INTERVALS_S: Final = (0.5, 0.5, 1.0, 1.0, 2.0)
"""Seconds to sleep between two queries; the last one repeats."""
_sleep = time.sleep


class WaitSlots:
    """A limit on requests of this process that sleep at once, for each of them holds a thread.

    A third of the threads in all, and of one user at most a third of that.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[object] = Counter()

    @contextmanager
    def take(self, owner_id: object) -> Iterator[bool]:
        """Hold a slot for this user; yields False when none is free."""
        slots = max(1, settings.STORYKEEP.web_threads // 3)
        with self._lock:
            own_slots = max(1, slots // 3)
            free = self._taken.total() < slots and self._taken[owner_id] < own_slots
            self._taken[owner_id] += free
        try:
            yield free
        finally:
            with self._lock:
                self._taken[owner_id] -= free
                self._taken += Counter()  # without users who hold none


_slots = WaitSlots()


def wait_until_settled(job: Job, seconds: int) -> None:
    """Sleep until the job settled or the time is over, with one small query per look.

    Returns at once when no slot is free.
    """
    with _slots.take(job.owner_id) as free:
        left_s = float(seconds) if free else 0.0
        intervals = iter(POLL_INTERVALS_S)
        while left_s > 0 and Item.objects.open().filter(job_id=job.pk).exists():
            interval_s = min(left_s, next(intervals, POLL_INTERVALS_S[-1]))
            _sleep(interval_s)
            left_s -= interval_s
