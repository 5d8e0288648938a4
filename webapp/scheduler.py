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
from jobs.ephemeral.connection import RedisUnavailable
from webapp import log_format
from webapp.clock import LOOK_EVERY_S, Clock
from webapp.processes import memory, pulse
from webapp.telemetry import telemetry


def main() -> None:
    """Run until SIGTERM, or look for one (`--check`). Nothing is stored: after a start each task
    waits one interval."""
    parser = argparse.ArgumentParser(prog="python -m webapp.scheduler")
    parser.add_argument("--pulse-fd", type=int, help="the supervisor's pipe for signs of life")
    parser.add_argument("--check", action="store_true", help="is a scheduler alive on this host?")
    options = parser.parse_args()
    if options.check:
        sys.exit(check())
    pulse.begin(options.pulse_fd)
    logging.config.dictConfig(settings.LOGGING)
    telemetry.begin()
    log_format.take_over()
    log_lines.keep("scheduler")

    def on_sigterm(_number: int, _frame: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, on_sigterm)
    run(Clock())


def check() -> int:
    """0 when a scheduler on this host told of itself lately, else 1: a container's health."""
    try:
        running = processes.running()
    except RedisUnavailable:
        return 1
    here = f"@{socket.gethostname()}"
    told = [process.kind == "scheduler" and process.name.endswith(here) for process in running]
    return 0 if any(told) else 1


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
