"""Requests to end, as signals: several within about a second are one.

A terminal, `make` and a container engine each send theirs, and forward each other's. Asked again
later than that, a process is to end at once. Standard library only, for the supervisor has it too.
"""

from __future__ import annotations

import signal
import time
from types import FrameType
from typing import Any, Final

SAME_WITHIN_S: Final = 1.0
"""Seconds within which a signal is the one before, come again."""


class StopRequests:
    """The requests to end that a process has had. For its main thread."""

    def __init__(self) -> None:
        self._taken_at = float("-inf")

    def is_new(self) -> bool:
        """Note a signal; whether it asks for more than the last one that did."""
        now = time.monotonic()
        if now - self._taken_at < SAME_WITHIN_S:
            return False
        self._taken_at = now
        return True


def count_once(*numbers: signal.Signals) -> None:
    """Have the handlers of these signals called once for signals that come together.

    They may set others for the next time, as Celery's do.
    """
    requests = StopRequests()
    for number in numbers:
        _wrap(number, signal.getsignal(number), requests)


def _wrap(number: int, handler: Any, requests: StopRequests) -> None:
    def handle(number: int, frame: FrameType | None) -> None:
        if not requests.is_new():
            return
        try:
            handler(number, frame)
        finally:
            current = signal.getsignal(number)
            if current is not handle and callable(current):
                _wrap(number, current, requests)

    signal.signal(number, handle)
