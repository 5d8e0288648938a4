"""TikTok's clock, as its answers tell it: what is over is judged by it, not by this server's."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

AGREEMENT: Final = timedelta(minutes=5)
"""Two tellings of the time no further apart than this agree."""
BELIEVABLE: Final = timedelta(days=1)
"""A single telling is believed up to this far from our own clock: what is further off may be no
clock at all, and judging by it could make every story expired."""
DOUBT: Final = timedelta(days=7)
"""While TikTok's time is not known, what it shows is called over when it is for so long by ours."""
WORTH_TELLING_S: Final = 180.0
"""A difference larger than this is told to whoever runs the server."""
_RETOLD_AFTER_S: Final = 600.0
_MOVED: Final = timedelta(seconds=30)


def believed_time(
    ours: datetime, *, date: datetime | None, stated: datetime | None
) -> datetime | None:
    """TikTok's time by one answer; None when the answer tells none that can be believed.

    ours: our own clock, aware. date: the Date header. stated: the time inside the answer. Both
    together are believed however far off our clock is, for they come from different machines; one
    of them, or of two that contradict each other the one nearer to ours, up to BELIEVABLE.
    """
    if date is not None and stated is not None and abs(date - stated) <= AGREEMENT:
        return stated
    told = [time for time in (stated, date) if time and abs(time - ours) <= BELIEVABLE]
    return min(told, key=lambda time: abs(time - ours), default=None)


class SiteClock:
    """TikTok's time between two answers: an instant, and the monotonic moment it was told at.

    So our own clock may be wrong, and may be set while a look-up runs. on_learnt: called with the
    seconds that our clock is ahead, when they change and every ten minutes; must not block.
    wall: our clock. monotonic: seconds.
    """

    def __init__(
        self,
        *,
        on_learnt: Callable[[float], None] = lambda _: None,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_learnt, self._wall, self._monotonic = on_learnt, wall, monotonic
        self._told: tuple[datetime, float] | None = None
        self._believed = False
        self._reported: tuple[timedelta, float] | None = None

    def note_date(self, date: datetime) -> None:
        """Note the Date header of an answer that tells the time in no other place.

        It is believed when it agrees with our clock to a day, or with what was believed before.
        """
        known = self.last_told()
        confirmed = self._believed and known is not None and abs(date - known) <= AGREEMENT
        if confirmed or abs(date - self._wall()) <= BELIEVABLE:
            self.learn(date)
        elif not self._believed:
            self._told = (date, self._monotonic())
            self._report()

    def learn(self, site_now: datetime) -> None:
        """Note TikTok's time as `believed_time` gave it."""
        self._told, self._believed = (site_now, self._monotonic()), True
        self._report()

    def last_told(self) -> datetime | None:
        """TikTok's time by its last telling, believed or not; None before the first."""
        if self._told is None:
            return None
        told, at = self._told
        return told + timedelta(seconds=self._monotonic() - at)

    def now(self, ours: datetime | None = None) -> datetime:
        """The time to judge by whether a story is over, or an address.

        TikTok's, when it is believed. Otherwise the earlier of what TikTok told and of our own
        clock: a story is over when both say so, for TikTok still shows it. ours: in place of our
        clock.
        """
        told, our_time = self.last_told(), ours or self._wall()
        if told is None:
            return our_time
        return told if self._believed else min(told, our_time)

    @property
    def doubt(self) -> timedelta:
        """How far `now` may be ahead of TikTok's time: zero when it is believed, else DOUBT."""
        return timedelta(0) if self._believed else DOUBT

    def at_least(self, ours: datetime | None = None) -> datetime:
        """The time that it is at least at TikTok: what TikTok shows is over when it is by this."""
        return self.now(ours) - self.doubt

    @property
    def ahead_s(self) -> float | None:
        """Seconds our clock is ahead of TikTok's, negative when behind; None when not known."""
        told = self.last_told()
        return None if told is None else (self._wall() - told).total_seconds()

    def _report(self) -> None:
        ahead = timedelta(seconds=self.ahead_s or 0.0)
        at = self._monotonic()
        if self._reported is not None:
            before, reported_at = self._reported
            if abs(ahead - before) < _MOVED and at - reported_at < _RETOLD_AFTER_S:
                return
        self._reported = (ahead, at)
        self._on_learnt(ahead.total_seconds())
