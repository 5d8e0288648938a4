"""The scheduler's own part: what a clock that is set back, and a Redis that is away, do to it."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from jobs.ephemeral import heartbeats
from webapp import scheduler as scheduling
from webapp.celery import app
from webapp.processes import pulse
from webapp.scheduler import SteadyScheduler


class Clock:
    """The clock of the Celery app."""

    def __init__(self) -> None:
        self.now = app.now()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the entries that were sent; there is no broker."""
    sent: list[str] = []

    def apply_entry(_self: Any, entry: Any, producer: Any = None) -> None:
        sent.append(entry.name)

    monkeypatch.setattr(SteadyScheduler, "apply_entry", apply_entry)
    monkeypatch.setattr(SteadyScheduler, "producer", SimpleNamespace())
    monkeypatch.setattr(scheduling, "accepts_writes", lambda: True)
    return sent


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that tests set."""
    clock = Clock()
    monkeypatch.setattr(app, "now", lambda: clock.now)
    return clock


def ticks(scheduler: SteadyScheduler, count: int = 5) -> None:
    for _ in range(count):
        scheduler.tick()


def test_a_clock_set_back_by_two_days_stops_no_task(sent: list[str], clock: Clock) -> None:
    scheduler = SteadyScheduler(app)
    ticks(scheduler)
    clock.now += timedelta(seconds=heartbeats.SWEEP_EVERY_S + 1)
    ticks(scheduler)
    assert sorted(sent) == ["repair", "sweep"]
    clock.now -= timedelta(days=2)
    ticks(scheduler)
    clock.now += timedelta(seconds=heartbeats.SWEEP_EVERY_S + 1)
    ticks(scheduler)
    assert sorted(sent) == ["repair", "repair", "sweep", "sweep"]


def test_a_clock_set_forward_by_two_days_sends_each_task_once(
    sent: list[str], clock: Clock
) -> None:
    scheduler = SteadyScheduler(app)
    ticks(scheduler)
    clock.now += timedelta(days=2)
    ticks(scheduler)
    assert sorted(sent) == ["repair", "sweep"]


def test_a_redis_that_is_away_is_not_waited_for(
    sent: list[str], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connecting would block for as long as it is away, and look like a scheduler that hangs."""
    beats: list[str] = []
    monkeypatch.setattr(pulse, "beat", lambda: beats.append("beat"))
    monkeypatch.setattr(scheduling, "accepts_writes", lambda: False)
    scheduler = SteadyScheduler(app)
    clock.now += timedelta(seconds=heartbeats.SWEEP_EVERY_S + 1)
    assert scheduler.tick() == pulse.BEAT_EVERY_S
    assert (sent, beats) == ([], ["beat"])
    monkeypatch.setattr(scheduling, "accepts_writes", lambda: True)
    ticks(scheduler)
    assert sorted(sent) == ["repair", "sweep"]
