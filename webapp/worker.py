"""The worker process: Celery with a pool of threads, without what only the site needs.

Equals `celery -A webapp worker -P threads`, less the command line's own libraries and the
apps behind pages and admin, which together would take some 20 MiB that are never used.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import warnings
from typing import Any


def main() -> int:
    """Run the worker until SIGTERM, or check for one (`--check`); the exit code.

    Ends with 2 when the database is of a newer version.
    """
    parser = argparse.ArgumentParser(prog="python -m webapp.worker", description=__doc__)
    parser.add_argument(
        "--concurrency", type=int, help="lines at once; of the settings if not given"
    )
    parser.add_argument("--log-level", default="INFO")
    parser.add_argument("--check", action="store_true", help="is a worker alive on this host?")
    parser.add_argument("--pulse-fd", type=int, help="the supervisor's pipe for signs of life")
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "webapp.settings_worker"
    if options.check:
        return check()
    leave_if_newer()
    return work(options.concurrency, options.log_level, pulse_fd=options.pulse_fd)


def leave_if_newer() -> None:
    """Load the models, and end this process when the database is of a newer version."""
    import django

    from webapp import database

    django.setup()
    database.leave_if_newer()


def check() -> int:
    """0 when a worker on this host has sent a recent heartbeat, else 1: a container's health."""
    from jobs.ephemeral import heartbeats
    from jobs.ephemeral.connection import RedisUnavailable

    try:
        names = heartbeats.alive()
    except RedisUnavailable:
        return 1
    return 0 if any(name.endswith(f"@{socket.gethostname()}") for name in names) else 1


def work(concurrency: int | None, log_level: str, *, pulse_fd: int | None = None) -> int:
    """Run the worker until SIGTERM; the exit code.

    concurrency: lines at once; None: as many as the settings say. pulse_fd: the write end of the
    supervisor's pipe; None: the worker stands alone and watches itself.
    """
    from celery import bootsteps
    from celery.concurrency import get_implementation
    from celery.exceptions import SecurityWarning
    from django.conf import settings

    from jobs.ephemeral import heartbeats, log_lines, processes, progress
    from jobs.fetching import bridge
    from jobs.queue import holders
    from jobs.queue.in_hand import in_hand
    from webapp import log_format
    from webapp.celery import app
    from webapp.clock import LOOK_EVERY_S, Clock
    from webapp.consumer import PulsingConsumer, takes_messages
    from webapp.kept_connections import kept
    from webapp.processes import memory, memory_limit, pulse, stop_requests
    from webapp.processes.run import run_name
    from webapp.telemetry import telemetry, trace_tasks

    memory.keep_meanwhile()
    pulse.begin(pulse_fd)
    holders.belong_to(run_name(supervised=pulse_fd is not None))
    in_hand.watch_memory(memory_limit.MemoryWatch(memory_limit.gauges()).is_short)

    def told_bytes() -> int | None:
        return memory.resident_bytes() if settings.STORYKEEP.metrics_token else None

    class Heartbeat(bootsteps.StartStopStep):
        """Sends heartbeats from the worker's own loop: a loop that hangs sends none."""

        requires = ("celery.worker.components:Timer",)

        def start(self, parent: Any) -> None:
            # Celery's own handlers stand by now: the second SIGINT would throw away what is held.
            stop_requests.count_once(signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
            progress.set_worker_name(name)
            self.beat(parent)
            self.entry = parent.timer.call_repeatedly(pulse.BEAT_EVERY_S, self.beat, (parent,))

        def beat(self, parent: Any) -> None:
            if bridge.responds() and takes_messages(getattr(parent, "consumer", None)):
                pulse.beat()
                heartbeats.beat(name)
                processes.announce(name, workers=siblings, resident_bytes=told_bytes())
            kept.close_idle()
            memory.give_back()

        def stop(self, parent: Any) -> None:
            self.entry.cancel()
            heartbeats.remove(name)
            processes.withdraw(name)

        terminate = stop

    class Ticks(bootsteps.StartStopStep):
        """Has the clock look for what is due, from the worker's own loop."""

        requires = ("celery.worker.components:Timer",)

        def start(self, parent: Any) -> None:
            self.entry = parent.timer.call_repeatedly(LOOK_EVERY_S, Clock().tick)

        def stop(self, parent: Any) -> None:
            self.entry.cancel()

        terminate = stop

    app.steps["worker"].update({Heartbeat, Ticks})
    # A home server often runs as root. Celery warns of that for the sake of pickle, not used here.
    warnings.simplefilter("ignore", SecurityWarning)
    name = f"worker-{os.getpid()}@{socket.gethostname()}"  # several may share a machine
    siblings = settings.STORYKEEP.workers if pulse_fd is not None else 1
    worker = app.Worker(
        hostname=name,
        pool_cls=get_implementation("threads"),
        consumer_cls=PulsingConsumer,
        concurrency=concurrency or app.conf.worker_concurrency,
        queues=[app.conf.task_default_queue],  # HousekeepingConsumer takes the side queue
        loglevel=log_level,
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    telemetry.begin()
    trace_tasks()
    log_format.take_over()  # Celery has had Django set up logging anew by now
    log_lines.keep("worker")
    memory.freeze()
    worker.start()
    telemetry.end()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main())
