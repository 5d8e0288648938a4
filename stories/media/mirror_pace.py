"""How fast mirrors send, and when one is left for another.

A rate is that of one connection, in bytes per second: a file takes one to four, and all of a line
share its width. A mirror is left when it is far slower than another was within the last minute, or
slow beyond doubt while nothing is known of the others. Each mirror of a file is tried once; then
the best of them is kept, however slow. A thin line of our own makes all of them slow: the first
change that gains nothing shows that, and keeps everybody where they are for a minute.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection
from statistics import median
from typing import Final
from urllib.parse import urlsplit

from stories.media.arrived import Arrived

WINDOW_S: Final = 4.0
"""Seconds over which a rate is measured."""
LATELY_S: Final = 60.0
"""Seconds that a measured rate tells what is slow, and that a change in vain tells what is vain."""
NOW_S: Final = 2 * WINDOW_S
"""Seconds that it tells how fast a host is: a line may have become thin meanwhile."""
FAR_SLOWER: Final = 8
"""So many times slower than another mirror is far slower."""
WORTH_A_CHANGE: Final = 4
"""So many times faster a mirror has to be, when both were measured."""
GAIN: Final = 2
"""So many times faster it has to be for the change to have gained anything."""
FAST_ENOUGH_BYTES_PER_S: Final = 256 * 1024
"""Faster than this no mirror is left, whatever others do."""
SLOW_BYTES_PER_S: Final = 16 * 1024
"""Slower than this a mirror is left also while nothing is known of others."""
SOON_S: Final = 15.0
"""A file that will be here within so many seconds is waited for."""
_MIN_NOTED_BYTES: Final = 64 * 1024
_MAX_NOTES: Final = 32
_MAX_HOSTS: Final = 64


class MirrorLeft(Exception):
    """A transfer ended because another mirror is tried; what arrived is kept."""


class MirrorPaces:
    """The rates of hosts as measured lately, shared by all transfers of a client.

    trials: changes to a mirror of which nothing is known yet, under way now.
    """

    def __init__(self) -> None:
        self._notes: dict[str, deque[tuple[float, float]]] = {}
        self._futile_until = float("-inf")
        self.trials = 0

    def note(self, host: str, rate: float, now: float) -> None:
        """Note what one connection to a host gave. now: seconds of the loop's clock."""
        notes = self._notes.pop(host, None) or deque(maxlen=_MAX_NOTES)
        notes.append((now, rate))
        self._notes[host] = notes  # the host noted last stands at the end
        while len(self._notes) > _MAX_HOSTS:
            del self._notes[next(iter(self._notes))]

    def lately(self, host: str, now: float, within_s: float = LATELY_S) -> float | None:
        """The usual rate of a host within a time; None when nothing came from it then."""
        rates = [rate for at, rate in self._notes.get(host, ()) if now - at <= within_s]
        return median(rates) if rates else None

    def is_one_faster(self, rate: float, others: Collection[str], now: float) -> bool:
        """Whether one of these hosts sends so much faster at this time that it is worth going."""
        rates = (self.lately(other, now, NOW_S) for other in others)
        return any(found is not None and found >= WORTH_A_CHANGE * rate for found in rates)

    def may_try(self, host: str, rate: float, others: Collection[str], now: float) -> bool:
        """Whether one of these hosts, of which nothing is known for now, may be tried.

        Only if `rate` is slow, and no other transfer is trying just that.
        """
        if self.trials or now < self._futile_until:
            return False
        if all(self.lately(other, now, NOW_S) is not None for other in others):
            return False
        rates = (self.lately(name, now) for name in self._notes if name != host)
        fastest = max((found for found in rates if found is not None), default=0)
        return rate < max(fastest / FAR_SLOWER, SLOW_BYTES_PER_S)

    def changed(self, before: float, after: float, now: float) -> None:
        """Note what a change of mirrors brought: the rates before and after it."""
        self._futile_until = now + LATELY_S if after < GAIN * before else float("-inf")


class MirrorChoice:
    """Which mirror of one file is asked next, by what each has given so far.

    urls: its addresses that may be asked, best first. left: address -> its rate when it was left
    for another.
    """

    def __init__(self, urls: Collection[str], paces: MirrorPaces) -> None:
        self.left: dict[str, float] = {}
        self.paces = paces
        self._untried = list(urls)
        self._settled = False
        self._before: float | None = None
        self._trial = False

    def next(self) -> str | None:
        """The next address to ask; None when all have failed. Of those left the fastest one."""
        if self._untried:
            url = self._untried.pop(0)
        elif self.left:
            url = max(self.left, key=lambda address: self.left[address])
            del self.left[url]
            self._settled = True
        else:
            return None
        return url

    def leave(self, url: str, host: str, rate: float, left_s: float, now: float) -> bool:
        """Whether to leave a mirror that sends at this rate, with so much time still to take.

        True: it is among those left now.
        """
        self._judge_change(rate, now)
        if self._settled or rate >= FAST_ENOUGH_BYTES_PER_S or left_s < SOON_S:
            return False
        if self._untried:
            hosts = {urlsplit(other).hostname or "" for other in self._untried} - {host}
            going = self.paces.is_one_faster(rate, hosts, now)
            if not going and self.paces.may_try(host, rate, hosts, now):
                going = self._trial = True
                self.paces.trials += 1
        else:
            going = any(other >= WORTH_A_CHANGE * rate for other in self.left.values())
        if going:
            self.left[url] = rate
            self._before = rate
        return going

    def _judge_change(self, rate: float, now: float) -> None:
        if self._before is not None:
            self.paces.changed(self._before, rate, now)
            self._before = None
        self.end_trial()

    def end_trial(self) -> None:
        """Let others try a mirror of which nothing is known."""
        self.paces.trials -= self._trial
        self._trial = False


class MirrorPace:
    """How fast one address sends a file, over all its connections. Ends it where it is too slow."""

    def __init__(self, url: str, choice: MirrorChoice) -> None:
        self._url, self._choice = url, choice
        self._clock = asyncio.get_running_loop().time
        self._host, self._open = "", 0
        self._since, self._bytes, self._busy_s, self._at = 0.0, 0, 0.0, 0.0

    def opened(self, host: str) -> None:
        """A connection begins to send."""
        self._host = host
        if not self._open:
            self._begin()
        self._count()
        self._open += 1

    def closed(self) -> None:
        """A connection has ended."""
        self._count()
        self._open -= 1
        if not self._open and self._bytes >= _MIN_NOTED_BYTES:
            self._note()

    def note(self, size: int, arrived: Arrived) -> None:
        """Bytes arrived, after which so much is here. Raises MirrorLeft to try another mirror."""
        self._bytes += size
        now = self._clock()
        if now - self._since < WINDOW_S:
            return
        total_rate = self._bytes / (now - self._since)
        rate = self._note()
        missing = (arrived.total_bytes or arrived.bytes_done * 2) - arrived.bytes_done
        left_s = missing / total_rate if total_rate else float("inf")
        if self._choice.leave(self._url, self._host, rate, left_s, now):
            raise MirrorLeft(f"{self._host}: {rate:.0f} bytes per second")
        self._begin()

    def _begin(self) -> None:
        self._since = self._at = self._clock()
        self._bytes, self._busy_s = 0, 0.0

    def _count(self) -> None:
        now = self._clock()
        self._busy_s += self._open * (now - self._at)
        self._at = now

    def _note(self) -> float:
        """The rate of one connection since the window began, noted for all."""
        self._count()
        rate = self._bytes / max(self._busy_s, 0.001)
        self._choice.paces.note(self._host, rate, self._at)
        return rate
