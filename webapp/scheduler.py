"""The scheduler process: sends the periodic tasks of `webapp/celery.py` when they are due.

`celery beat` would first load Django and every task; only their names and times are needed here.
"""

from __future__ import annotations

import logging.config
import signal
import sys
from types import FrameType
from typing import Any

from celery.beat import Scheduler, Service
from django.conf import settings

from webapp.celery import app


class ClockSafeScheduler(Scheduler):
    """A scheduler that goes on when the clock is set back, rather than wait for it to catch up."""

    def is_due(self, entry: Any) -> Any:
        """Celery's answer for an entry; due at once when its last run lies in the future."""
        if entry.last_run_at and entry.last_run_at > self.app.now():
            entry.last_run_at = self.app.now() - entry.schedule.run_every
        return super().is_due(entry)


def main() -> None:
    """Run until SIGTERM. Last runs are not stored: after a start each task waits one interval."""
    logging.config.dictConfig(settings.LOGGING)
    service = Service(app, scheduler_cls=ClockSafeScheduler)

    def on_sigterm(_number: int, _frame: FrameType | None) -> None:
        service.stop(wait=False)
        sys.exit(0)

    signal.signal(signal.SIGTERM, on_sigterm)
    service.start()


if __name__ == "__main__":
    main()
