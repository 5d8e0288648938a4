"""Rests: what is refused while something else is served is left alone, and tried again later.

An identity rests so, or a whole way of asking. When its rest is over one look-up finds out whether
it is served again, so that a client drifts back to what is cheapest; refused once more, it rests
longer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

RESTS_S: Final = (60.0, 120.0, 300.0, 900.0, 3600.0)
"""Seconds of rest after the first refusal, the second in a row, …; the last for all that follow."""
TRIAL_S: Final = 60.0
"""Seconds one look-up has to find out whether a rest may end, before another one tries."""


def rest_s(refusals: int) -> float:
    """Seconds of rest after so many refusals in a row, one at least."""
    return RESTS_S[min(refusals, len(RESTS_S)) - 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestState:
    """What rests. due: its rest is over, and whoever asked is to find out; None for nothing."""

    resting: frozenset[str] = frozenset()
    due: str | None = None


class Rests(Protocol):
    """The rests of things by name. Raises nothing."""

    async def look(self, names: Sequence[str]) -> RestState:
        """Which of `names` rest, and the first whose rest is over: nobody else is told within
        TRIAL_S, so it counts as resting for the others."""

    async def rest(self, name: str) -> None:
        """It was refused while something else was served. One that rests already is left as it is:
        of many refusals at once the first counts."""

    async def wake(self, name: str) -> None:
        """It is served again: its refusals are forgotten."""


@dataclass(slots=True)
class _Entry:
    refusals: int
    until: float
    on_trial: bool = False


class LocalRests:
    """The rests of this process alone. clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: dict[str, _Entry] = {}

    async def look(self, names: Sequence[str]) -> RestState:
        """Which of `names` rest, and the first that is to be tried."""
        now, resting, due = self._clock(), set(), None
        for name in names:
            entry = self._entries.get(name)
            if entry is None:
                continue
            if entry.until > now or due is not None:
                resting.add(name)
            else:
                due, entry.until, entry.on_trial = name, now + TRIAL_S, True
        return RestState(resting=frozenset(resting), due=due)

    async def rest(self, name: str) -> None:
        """Begin a rest, longer than the last one."""
        now, entry = self._clock(), self._entries.get(name)
        if entry is not None and entry.until > now and not entry.on_trial:
            return
        refusals = entry.refusals + 1 if entry is not None else 1
        self._entries[name] = _Entry(refusals, now + rest_s(refusals))

    async def wake(self, name: str) -> None:
        """Forget its refusals."""
        self._entries.pop(name, None)
