"""Holders: the process that has a claim, and whether one that gives no sign of life has died.

A row names the process that claimed it, and the run that process belongs to: what ends as one when
the machine does, or `manage.py up`. So the death of a worker can be told from the end of everything
at once, and from a claim that a living worker let go.

Of the lines in hand at a worker's death any may be the cause, or none. From then on each is tried
alone (jobs/queue/in_hand.py), so a second death is of its own doing; and it takes several of those
to give a line up, for a worker may be killed by whatever else the machine does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from jobs.ephemeral import processes
from jobs.ephemeral.connection import RedisUnavailable
from jobs.ephemeral.processes import RunningProcess

MAX_DEATHS_ALONE: Final = 5
"""So many workers may die with one line or package alone in hand before it is given up."""
FREE_OUTAGES: Final = 5
"""So many outages count for nothing. The next ones count as deaths, for there are machines that end
everything at once for want of memory."""
WAIT_AFTER_DEATH: Final = timedelta(seconds=10)
"""A line waits so long after a death of its own doing, times their number: others go before it."""


class _Run:
    """The run of this process; "" where nothing is known of it."""

    name = ""


def belong_to(run: str) -> None:
    """Say which run this process belongs to; "" for none that is known."""
    _Run.name = run


def own_name() -> str:
    """This process, as a row names its holder."""
    return f"{_Run.name}.{processes.ID}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnesses:
    """The processes that live. since: when the first of them started."""

    ids: frozenset[str]
    since: datetime

    @classmethod
    def find(cls) -> Self:
        """This process, and those that told of themselves lately as far as Redis knows."""
        try:
            return cls.of(processes.running())
        except RedisUnavailable:
            return cls.of(())

    @classmethod
    def of(cls, others: Iterable[RunningProcess]) -> Self:
        """This process and these."""
        ids, since = {processes.ID}, processes.started_at()
        for process in others:
            ids.add(process.id)
            since = min(since, process.started_at)
        return cls(ids=frozenset(ids), since=since)

    def tell_of_death(self, holder: str, last_seen: datetime | None, now: datetime) -> bool:
        """Whether a holder that was last seen then has died while something else lived on.

        holder: as a row names it. False where that cannot be known, as when it was last seen in the
        future: a machine without a clock of its own begins in the past after a power cut.
        """
        run, _, process_id = holder.rpartition(".")
        if not process_id or process_id in self.ids:
            return False
        outlived = last_seen is not None and self.since < last_seen <= now
        return outlived or (run != "" and run == _Run.name)


@dataclass(frozen=True, slots=True)
class Losses:
    """The counts of a row that lost its holder: deaths of workers, and outages."""

    deaths: int
    outages: int

    def after(self, *, death: bool) -> Losses:
        """The counts after one more loss: a death of its worker, or an outage."""
        if death:
            return Losses(self.deaths + 1, self.outages)
        return Losses(self.deaths + (self.outages >= FREE_OUTAGES), self.outages + 1)

    @property
    def deaths_alone(self) -> int:
        """The number of deaths with nothing else in hand: all but the first."""
        return max(0, self.deaths - 1)

    @property
    def are_too_many(self) -> bool:
        """Whether the row is to be given up."""
        return self.deaths_alone >= MAX_DEATHS_ALONE

    @property
    def wait(self) -> timedelta:
        """How long the row is to wait for its next attempt."""
        return self.deaths_alone * WAIT_AFTER_DEATH
