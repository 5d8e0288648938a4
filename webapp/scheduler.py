"""The scheduler process: sends the periodic tasks of `webapp/celery.py` when they are due.

`celery beat` would first load Django and every task; only their names and times are needed here.
"""

from __future__ import annotations

import argparse
import logging.config
import signal
import sys
from types import FrameType
from typing import Any

from celery.beat import Scheduler, Service
from django.conf import settings

from jobs.ephemeral.connection import accepts_writes
from webapp.celery import app
from webapp.processes import pulse


class SteadyScheduler(Scheduler):
    """A scheduler that goes on when the clock is set back or Redis is away, and gives its pulse."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send at most one task that is due; seconds until the next tick, BEAT_EVERY_S at most.

        A tick that falls into the time without Redis is left out, not waited with: connecting
        blocks for as long as Redis is away.
        """
        pulse.beat()
        self.forget_runs_to_come()
        if not accepts_writes():
            return pulse.BEAT_EVERY_S
        return min(float(super().tick(*args, **kwargs)), pulse.BEAT_EVERY_S)

    def forget_runs_to_come(self) -> None:
        """Plan anew, one interval from now, when a task's last run lies in the future."""
        now = self.app.now()
        entries = list(self.schedule.values())
        if any(entry.last_run_at and entry.last_run_at > now for entry in entries):
            for entry in entries:
                entry.last_run_at = now
            self._heap = None  # it holds times of the other clock


def main() -> None:
    """Run until SIGTERM. Last runs are not stored: after a start each task waits one interval."""
    parser = argparse.ArgumentParser(prog="python -m webapp.scheduler")
    parser.add_argument("--pulse-fd", type=int, help="the supervisor's pipe for signs of life")
    pulse.begin(parser.parse_args().pulse_fd)
    logging.config.dictConfig(settings.LOGGING)
    service = Service(app, scheduler_cls=SteadyScheduler)

    def on_sigterm(_number: int, _frame: FrameType | None) -> None:
        service.stop(wait=False)
        sys.exit(0)

    signal.signal(signal.SIGTERM, on_sigterm)
    service.start()


if __name__ == "__main__":
    main()
