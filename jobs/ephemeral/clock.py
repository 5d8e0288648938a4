"""The system clock when it is set: seen by comparing it with one that nobody can set.

Files, leases and waits end by the system clock. Where it is set two days forward by mistake, all of
them would be over at once, for good; where it is set back, what waits would wait for days.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, cast
from uuid import uuid4

from jobs.ephemeral import leases, steady, values
from jobs.ephemeral.connection import RedisUnavailable, execute

logger = logging.getLogger(__name__)

MIN_JUMP_S: Final = 20.0
"""Less than this is a clock being adjusted, and does no harm."""
HOLD_S: Final = 30 * 60.0
"""After a jump forward nothing is removed and nobody is given up for so long: long enough for a
clock that was set wrongly to be set right. Where the jump itself was right, things end later."""

SET_BACK_S: Final = 60.0
"""A step back by less makes waits longer by that much, which does no harm."""
WRONG_S: Final = 60 * 60.0
"""What was saved by a clock that was wrong by less need not be put right: files live for hours."""
_SEEN: Final = f"storykeep:clock:{steady.BOOT}"
_WRONG: Final = f"storykeep:clock:{steady.BOOT}:wrong"
_SEEN_TTL_S: Final = 7 * 24 * 60 * 60
_WRONG_TTL_S: Final = 24 * 60 * 60
_MOST_S: Final = 1e11
_MOST_WRONG_S: Final = 3e9
"""Some 95 years: boards without a battery begin in 1970."""
_SET_BACK: Final = "clock_set_back"
_ONE_STEP_S: Final = 10 * 60.0
"""Seconds within which every worker has looked, for each gets a message of the reaper by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen of a machine's clock. offset_s: how far it is ahead of the steady one.
    set_forward_at: when it was last set forward and not back again since, by the steady one;
    before_s: its offset before that. set_at: when it was last set, either way, by the steady one.
    since_s: since when it has not been set by WRONG_S, in Unix seconds of its own."""

    offset_s: float
    set_forward_at: float | None = None
    before_s: float | None = None
    set_at: float | None = None
    since_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongTimes:
    """Times that were noted while the clock was wrong, and how many seconds are missing from them.

    since_s, until_s: between which they are, in Unix seconds of that clock; None: any later.
    """

    by_s: float
    since_s: float
    until_s: float | None = None


class Memory:
    """What the processes of this machine have seen, for those that start later."""

    def recall(self) -> Seen | None:
        """What was last kept; None when nobody knows."""
        try:
            text = execute(lambda server: cast("str | None", server.get(_SEEN)))
        except RedisUnavailable:
            return None
        facts = values.record(text) or {}
        offset_s = values.number(facts.get("offset"), -_MOST_S, _MOST_S)
        if offset_s is None:
            return None
        return Seen(
            offset_s=offset_s,
            set_forward_at=values.number(facts.get("forward")),
            before_s=values.number(facts.get("before"), -_MOST_S, _MOST_S),
            set_at=values.number(facts.get("set")),
            since_s=values.number(facts.get("since"), 0.0, _MOST_S),
        )

    def keep(self, seen: Seen) -> None:
        """Keep it, for a week of nobody looking; dropped while Redis is away."""
        told = {
            "offset": seen.offset_s,
            "forward": seen.set_forward_at,
            "before": seen.before_s,
            "set": seen.set_at,
            "since": seen.since_s,
        }
        facts = json.dumps(told)
        with suppress(RedisUnavailable):
            execute(lambda server: server.set(_SEEN, facts, ex=_SEEN_TTL_S))

    def keep_wrong(self, wrong: WrongTimes | None) -> None:
        """Keep what is to be put right, for a day, in the place of what was; None: nothing."""
        with suppress(RedisUnavailable):
            if wrong is None:
                execute(lambda server: server.delete(_WRONG))
            else:
                facts = json.dumps([wrong.by_s, wrong.since_s, wrong.until_s])
                execute(lambda server: server.set(_WRONG, facts, ex=_WRONG_TTL_S))

    def take_wrong(self) -> WrongTimes | None:
        """What is to be put right, once."""
        try:
            text = execute(lambda server: cast("str | None", server.getdel(_WRONG)))
        except RedisUnavailable:
            return None
        by_s, since_s, until_s = values.numbers(text, 3, _MOST_WRONG_S) or (None, None, None)
        if by_s is None or since_s is None:
            return None
        return WrongTimes(by_s=by_s, since_s=since_s, until_s=until_s)


class NoMemory(Memory):
    """A process that knows of no other."""

    def recall(self) -> Seen | None:
        """Nothing."""
        return None

    def keep(self, seen: Seen) -> None:
        """Forget it."""

    def keep_wrong(self, wrong: WrongTimes | None) -> None:
        """Forget it."""

    def take_wrong(self) -> WrongTimes | None:
        """Nothing."""
        return None


class ClockWatch:
    """Watches the system clock of this machine; for threads. It knows of no jump before it was
    made, but by what `memory` has of others."""

    def __init__(
        self,
        system_s: Callable[[], float] = time.time,
        steady_s: Callable[[], float] = steady.now,
        memory: Memory | None = None,
    ) -> None:
        self._system_s, self._steady_s = system_s, steady_s
        self._memory = memory or NoMemory()
        self._recalled = False
        self._lock = threading.Lock()
        self._since_s = system_s()
        self._offset_s = self._since_s - steady_s()
        self._set_forward_at: float | None = None
        self._before_s: float | None = None
        self._set_at: float | None = None
        self._set_back_by_s = 0.0

    def look(self) -> float:
        """Seconds the clock was set by since the last look, negative when back; 0 for none."""
        with self._lock:
            self._recall()
            steady = self._steady_s()
            offset, before = self._system_s() - steady, self._offset_s
            self._offset_s = offset
            jump_s = offset - before
            if jumped := abs(jump_s) >= MIN_JUMP_S:
                self._note_step(steady, offset, jump_s)
            self._memory.keep(
                Seen(
                    offset_s=offset,
                    set_forward_at=self._set_forward_at,
                    before_s=self._before_s,
                    set_at=self._set_at,
                    since_s=self._since_s,
                )
            )
        if not jumped:
            return 0.0
        logger.warning("the clock was set by %s", timedelta(seconds=round(jump_s)))
        return jump_s

    def was_set_forward(self, within_s: float) -> bool:
        """Whether the clock was set forward lately and not back again, as far as anybody's `look`
        has seen."""
        with self._lock:
            self._recall()
            at = self._set_forward_at
        return self._is_within(at, within_s)

    def was_set(self, within_s: float) -> bool:
        """Whether the clock was set lately, either way, as far as anybody's `look` has seen."""
        with self._lock:
            self._recall()
            at = self._set_at
        return self._is_within(at, within_s)

    def _is_within(self, at: float | None, within_s: float) -> bool:
        return at is not None and 0 <= self._steady_s() - at < within_s

    def _note_step(self, steady: float, offset: float, jump_s: float) -> None:
        """Note a step, and which times belong to a clock that was put right by it.

        A step forward is believed once nobody takes it back. A step back is believed where it takes
        back the one forward; else it may be the one that is wrong: what was saved before is right,
        and what waits for the step forward to be believed goes on waiting.
        """
        now_s = steady + offset
        self._set_at = steady
        self._set_back_by_s = max(self._set_back_by_s, -jump_s)
        if jump_s > 0:
            self._set_forward_at = steady
            if self._before_s is None or jump_s >= WRONG_S:
                self._before_s = offset - jump_s
            if jump_s >= WRONG_S:
                self._memory.keep_wrong(
                    WrongTimes(by_s=jump_s, since_s=self._since_s, until_s=now_s - jump_s)
                )
        elif self._before_s is not None and abs(offset - self._before_s) < WRONG_S:
            wrong = WrongTimes(by_s=jump_s, since_s=now_s + MIN_JUMP_S)
            self._memory.keep_wrong(wrong if jump_s <= -WRONG_S else None)
            # The leases of before hold again.
            self._set_forward_at = self._before_s = None
        if abs(jump_s) >= WRONG_S:
            self._since_s = now_s

    def take_step_back(self) -> float:
        """Seconds of the largest step back that was seen and not taken, once; 0 for none."""
        with self._lock:
            by_s, self._set_back_by_s = self._set_back_by_s, 0.0
        return by_s

    def take_wrong_times(self) -> WrongTimes | None:
        """The times to put right, once for all processes; None for none, or not to be believed yet.

        They wait while a step forward may be taken back (HOLD_S).
        """
        return None if self.was_set_forward(HOLD_S) else self._memory.take_wrong()

    def keep_wrong_times(self, wrong: WrongTimes) -> None:
        """Keep what was taken and could not be put right, for the next one who takes it."""
        self._memory.keep_wrong(wrong)

    def _recall(self) -> None:
        """Learn, once, what others had seen when this process began."""
        if self._recalled:
            return
        self._recalled = True
        seen = self._memory.recall()
        if seen is not None:
            self._offset_s, self._set_forward_at = seen.offset_s, seen.set_forward_at
            self._before_s, self._set_at = seen.before_s, seen.set_at
            if seen.since_s is not None:
                self._since_s = seen.since_s


watch: Final = ClockWatch(memory=Memory())
"""This process's own."""


def ends_waits(back_by_s: float) -> bool:
    """Whether this process is to end what waits, for its clock was set back by so many seconds.

    True once for each step back: every worker sees it at its own next look, and by then others may
    have begun waits by the clock that is right. Two steps within ten minutes count as one; waits
    longer than any can be end anyway.
    """
    if back_by_s < SET_BACK_S:
        return False
    try:
        return leases.acquire(_SET_BACK, uuid4().hex, seconds=_ONE_STEP_S)
    except RedisUnavailable:
        return True
