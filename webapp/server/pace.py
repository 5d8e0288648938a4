"""How an answer is taken, for the site to see: how fast while it is made, and whether all of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

ENVIRON_KEY: Final = "storykeep.pace"
"""Where the site finds an answer's pace, beside the headers of its request."""
TRIAL_S: Final = 20.0
"""Who was waited for a shorter time has no rate yet."""
SPAN_S: Final = 60.0
"""A rate is of so many seconds at most, and of half of them at least once they are over: who was
fast in the beginning is not so for ever."""


class Pace:
    """How fast one answer is taken. All of it may be used from any thread.

    is_waited_for: whether the thread waits for the other end right now. is_given_up: the answer is
    to end here, because others want its place. when_sent: what the site wants to be called, in a
    thread of the pool, once the last byte of the answer was handed over; never, where that fails.
    """

    def __init__(self) -> None:
        self.is_waited_for = self.is_given_up = False
        self.when_sent: Callable[[], None] | None = None
        self._since = self._between = self._last = (0.0, 0)

    def note(self, now: float, taken_bytes: int) -> None:
        """Note how much was taken so far, while it is waited for. now: by the monotonic clock."""
        self._last = (now, taken_bytes)
        if not self._since[0]:
            self._since = self._between = self._last
        elif now - self._between[0] >= SPAN_S / 2:
            self._since, self._between = self._between, self._last
        self.is_waited_for = True

    @property
    def rate(self) -> float | None:
        """Bytes a second that the other end takes; None while that is not known, or while it is
        not the other end that is waited for."""
        (since, before_bytes), (now, taken_bytes) = self._since, self._last
        if not self.is_waited_for or now - since < TRIAL_S:
            return None
        return (taken_bytes - before_bytes) / (now - since)

    def take_when_sent(self) -> Callable[[], None] | None:
        """What is to be called because the answer was sent, if anything is; once."""
        when_sent, self.when_sent = self.when_sent, None
        return when_sent

    def give_up(self) -> None:
        """End the answer within a second or so."""
        self.is_given_up = True
