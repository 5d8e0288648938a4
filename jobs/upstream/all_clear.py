"""The all-clear: nothing that workers share stands against asking TikTok as usual.

Mostly there is no pause, nobody is asked as but the usual identity, and nothing rests: none of the
keys that would say so exists. One look at all of them is kept for a moment, so that each line need
not look for each by itself.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Final

from jobs.ephemeral.connection import RedisUnavailable, execute

BREAKER: Final = "storykeep:breaker"
PAGE_IDENTITY: Final = "storykeep:page_identity"
IDENTITY_RESTS: Final = "storykeep:identity_rests"
WAY_RESTS: Final = "storykeep:way_rests"
KEYS: Final = (BREAKER, PAGE_IDENTITY, IDENTITY_RESTS, WAY_RESTS)

KEPT_S: Final = 1.0
"""Seconds until another look: so long this process may go on asking after another one was refused,
about as long as an answer that says so is on its way."""


class AllClear:
    """What the last look saw; for threads. clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen = False
        self._seen_at = float("-inf")
        self._changes = 0

    def _is_fresh(self) -> bool:
        return self._clock() - self._seen_at < KEPT_S

    def holds(self) -> bool:
        """Whether none of KEYS exists; False while Redis is away. Looks at most every KEPT_S."""
        if self._is_fresh():
            return self._seen
        changes, asked_at = self._changes, self._clock()
        try:
            seen = not execute(lambda server: server.exists(*KEYS))
        except RedisUnavailable:
            return False
        with self._lock:
            if changes != self._changes:  # changed by this process after the look
                return False
            self._seen, self._seen_at = seen, asked_at
        return seen

    async def holds_meanwhile(self) -> bool:
        """`holds` for callers on an event loop, which it does not block."""
        if self._is_fresh():
            return self._seen
        return await asyncio.to_thread(self.holds)

    def end(self) -> None:
        """Look anew: this process has changed what stands in KEYS, or tried to."""
        with self._lock:
            self._changes += 1
            self._seen_at = float("-inf")


all_clear: Final = AllClear()
"""This process's own."""
