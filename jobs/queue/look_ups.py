"""How many lines of this process look for their list at once while the rate limit has them wait.

Whose line is next is decided when a thread takes one on. Once taken on, lines get their tokens in
the order in which they asked: each one that waits for its tokens already is before whoever comes
next. So no more are taken on than there are tokens for, or will be while they look; the choice is
made as late as it can be.
"""

from __future__ import annotations

import threading
import time
from typing import Final, Self

from jobs.queue.shutdown import ShutdownRequested, shutdown_requested
from jobs.upstream import rate_limit

FEW: Final = 3
"""Lines that may look for their list at any time."""
REQUESTS: Final = 2
"""What a line asks for before it has its list: a profile's page, and the list."""
LOOK_UP_S: Final = 4.0
"""So many seconds' tokens are asked for ahead: a look-up may take as long and leave none unused."""
PATIENCE_S: Final = 20.0
"""Seconds a thread waits to take a line on. Longer than the reaper takes to send what was given
back, and shorter than a message lasts."""
_LOOK_AGAIN_S: Final = 0.5


class LookUp:
    """A line's part in the count, as a context manager: from being chosen until it has its list, or
    leaves that to another line."""

    def __init__(self, look_ups: LookUps) -> None:
        self._look_ups, self._ended = look_ups, False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """The line has its list, or will not look for one. Once counts, however often called."""
        if not self._ended:
            self._ended = True
            self._look_ups.leave()


class LookUps:
    """The count of one process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    def begin(self) -> LookUp | None:
        """Wait until a line may be chosen; None when that took too long.

        Raises ShutdownRequested.
        """
        give_up_at = time.monotonic() + PATIENCE_S
        with self._changed:
            while not shutdown_requested.is_set():
                if self._count < _places():
                    self._count += 1
                    return LookUp(self)
                if time.monotonic() >= give_up_at:
                    return None
                self._changed.wait(_LOOK_AGAIN_S)
        raise ShutdownRequested

    def leave(self) -> None:
        """One line less: another thread may choose."""
        with self._changed:
            self._count -= 1
            self._changed.notify()


def _places() -> float:
    """How many lines may look for their list right now."""
    requests = max(rate_limit.tokens_left(), rate_limit.rate() * LOOK_UP_S)
    return max(FEW, requests / REQUESTS)


look_ups: Final = LookUps()
"""Those of this process."""
