"""The scheduler: sends the sweeps of `webapp/celery.py` when they are due, and holds nothing else.

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


class Punctual(Scheduler):
    """One that does not wait for a time it has had before, when the clock is set back."""

    def is_due(self, entry: Any) -> Any:
        """As usual; at once when the last run lies in the future."""
        if entry.last_run_at and entry.last_run_at > self.app.now():
            entry.last_run_at = self.app.now() - entry.schedule.run_every
        return super().is_due(entry)


def main() -> None:
    """Until SIGTERM. The last runs are not kept: after a start each sweep waits one interval."""
    logging.config.dictConfig(settings.LOGGING)
    service = Service(app, scheduler_cls=Punctual)

    def leave(_number: int, _frame: FrameType | None) -> None:
        service.stop(wait=False)
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)
    service.start()


if __name__ == "__main__":
    main()
