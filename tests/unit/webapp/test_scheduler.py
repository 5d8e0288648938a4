"""The scheduler's own part: what a clock that is set back does to it."""

from __future__ import annotations

from datetime import timedelta

from webapp.celery import app
from webapp.scheduler import ClockSafeScheduler


def test_a_clock_set_back_stops_no_sweep() -> None:
    scheduler = ClockSafeScheduler(app)
    entry = scheduler.schedule["sweep"]
    assert not scheduler.is_due(entry).is_due
    entry.last_run_at = app.now() + timedelta(hours=1)
    assert scheduler.is_due(entry).is_due
