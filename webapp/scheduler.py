"""The scheduler process: the clock that every worker has, in a process of its own.

`manage.py up` does without; it is for those who run each part apart (`up --only scheduler`).
"""

from __future__ import annotations

import argparse
import logging.config
import os
import signal
import socket
import sys
import time
from types import FrameType

from django.conf import settings

import webapp.celery  # noqa: F401 (it says which settings are ours)
from jobs.ephemeral import log_lines, processes
from webapp import log_format
from webapp.clock import LOOK_EVERY_S, Clock
from webapp.processes import memory, pulse
from webapp.telemetry import telemetry


def main() -> None:
    """Run until SIGTERM. Nothing is stored: after a start each task waits one interval."""
    parser = argparse.ArgumentParser(prog="python -m webapp.scheduler")
    parser.add_argument("--pulse-fd", type=int, help="the supervisor's pipe for signs of life")
    pulse.begin(parser.parse_args().pulse_fd)
    logging.config.dictConfig(settings.LOGGING)
    telemetry.begin()
    log_format.take_over()
    log_lines.keep("scheduler")

    def on_sigterm(_number: int, _frame: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, on_sigterm)
    run(Clock())


def run(clock: Clock) -> None:
    """Have the clock look and give a sign of life, every LOOK_EVERY_S, and tell of this process."""
    name = f"scheduler-{os.getpid()}@{socket.gethostname()}"
    announce_at = time.monotonic()
    while True:
        clock.tick()
        pulse.beat()
        if time.monotonic() >= announce_at:
            told_bytes = memory.resident_bytes() if settings.STORYKEEP.metrics_token else None
            processes.announce(name, resident_bytes=told_bytes)
            announce_at = time.monotonic() + processes.ANNOUNCE_EVERY_S
        time.sleep(LOOK_EVERY_S)


if __name__ == "__main__":
    main()
