"""What this process has in hand, lines and ZIPs, and when it takes on more.

A line that was in hand when a worker died is suspected, and tried alone: the process takes on
nothing until it has nothing else in hand, and nothing beside it. Others wait for that no longer
than they then have for themselves, and a drain that takes long is tried again later, with more
patience. While memory is short nothing is taken on either, unless there is nothing in hand.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Self

from jobs.queue.shutdown import shutdown_requested

PATIENCE_S: Final = 30.0
"""Seconds to wait for all else to end before something is tried alone. After each time that was not
enough, twice as long."""
MAX_PATIENCE_S: Final = 30 * 60.0
"""Longer than anything is in hand."""
BURST_S: Final = 60.0
"""Seconds for which lines are tried alone, one after the other, before all others have as long."""
LONGEST_ALONE_S: Final = 10 * 60.0
"""What a worker survives for so long is hardly what it dies of: others are taken on beside it."""
_LOOK_AGAIN_S: Final = 0.5


class Place:
    """The place of one line or ZIP, as a context manager: from before it is chosen to its end."""

    def __init__(self, in_hand: InHand) -> None:
        self._in_hand, self._ended = in_hand, False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._ended:
            self._ended = True
            self._in_hand.end(self)

    @property
    def must_yield(self) -> bool:
        """Whether something else is to be alone, so that nothing may be chosen."""
        return self._in_hand.is_kept_from(self)

    @property
    def is_alone(self) -> bool:
        """Whether nothing is taken on beside it."""
        return self._in_hand.is_kept_for(self)

    def be_alone(self) -> bool:
        """Wait until nothing else is in hand, and keep it so until the end of this place, or
        `share`. False when that took too long, this process is to end, or another was first."""
        return self._in_hand.empty_for(self)

    def share(self) -> None:
        """Let others in again."""
        self._in_hand.open(self)


class InHand:
    """What one process has in hand. Its methods may be called from any thread.

    memory_is_short: looks, or remembers having looked. now: seconds that only go forward.
    """

    def __init__(
        self,
        memory_is_short: Callable[[], bool] = lambda: False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._memory_is_short, self._now = memory_is_short, now
        self._changed = threading.Condition()
        self._count = 0
        self._alone: Place | None = None
        self._alone_since = self._alone_again_at = now()
        self._alone_until: float | None = None
        self._spent_s = 0.0
        self._patience_s = PATIENCE_S

    def watch_memory(self, memory_is_short: Callable[[], bool]) -> None:
        """Take on nothing more while this says so; it is asked only while something is in hand."""
        self._memory_is_short = memory_is_short

    def takes_more(self) -> bool:
        """Whether another line or ZIP may be taken on right now."""
        kept = self._alone is not None and not self._was_alone_for_long()
        return not kept and not (self._count and self._memory_is_short())

    def begin(self, patience_s: float = 0.0) -> Place | None:
        """Take a place; None when there is none within so many seconds, or this process ends."""
        give_up_at = self._now() + patience_s
        with self._changed:
            while not shutdown_requested.is_set():
                if self.takes_more():
                    self._count += 1
                    return Place(self)
                if self._now() >= give_up_at:
                    return None
                self._changed.wait(_LOOK_AGAIN_S)
        return None

    def end(self, place: Place) -> None:
        """One less in hand."""
        self.open(place)
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    # alone

    def may_empty(self, *, others_wait: bool) -> bool:
        """Whether it is time for something to be tried alone.

        others_wait: there is something that need not be; it is owed as long as it was kept waiting.
        """
        return self._alone is None and not (others_wait and self._now() < self._alone_again_at)

    def is_kept_for(self, place: Place) -> bool:
        """Whether this place is, or waits to be, the only one."""
        return self._alone is place

    def is_kept_from(self, place: Place) -> bool:
        """Whether another place is, or waits to be, the only one."""
        kept = self._alone is not None and not self._was_alone_for_long()
        return kept and self._alone is not place

    def _was_alone_for_long(self) -> bool:
        return self._alone_until is not None and self._now() >= self._alone_until

    def empty_for(self, place: Place) -> bool:
        """Wait until this place is the only one; as `Place.be_alone`."""
        with self._changed:
            if self._alone is not None:
                return self._alone is place
            self._alone, self._alone_since = place, self._now()
            while self._count > 1:
                if shutdown_requested.is_set() or self._is_out_of_patience():
                    break
                self._changed.wait(_LOOK_AGAIN_S)
            else:
                self._patience_s = PATIENCE_S
                self._alone_until = self._now() + LONGEST_ALONE_S
                return True
            self._patience_s = min(2 * self._patience_s, MAX_PATIENCE_S)
        self.open(place, in_vain=True)
        return False

    def _is_out_of_patience(self) -> bool:
        return self._now() >= self._alone_since + self._patience_s

    def open(self, place: Place, *, in_vain: bool = False) -> None:
        """Let others in again, if this place was to be the only one.

        in_vain: it had to wait for the others too long, who now have as long at once.
        """
        with self._changed:
            if self._alone is not place:
                return
            self._alone = self._alone_until = None
            self._spent_s += self._now() - self._alone_since
            if in_vain or self._spent_s >= BURST_S:
                self._alone_again_at = self._now() + self._spent_s
                self._spent_s = 0.0
            self._changed.notify_all()


in_hand: Final = InHand()
"""What this process has in hand."""
