"""The worker: Celery with a pool of threads, without what only the site needs.

The same as `celery -A webapp worker -P threads`, less the command line's own libraries and the
apps behind pages and admin, which together would take some 20 MiB that are never used.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import warnings


def main() -> int:
    """Until SIGTERM; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m webapp.worker", description=__doc__)
    parser.add_argument("--concurrency", type=int, required=True, help="items at once")
    parser.add_argument("--log-level", default="INFO")
    asked = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "webapp.settings_worker"

    from celery.concurrency import get_implementation
    from celery.platforms import SecurityWarning

    from webapp.celery import app

    # A home server often runs as root. Celery warns of that for the sake of pickle, not used here.
    warnings.simplefilter("ignore", SecurityWarning)
    worker = app.Worker(
        # Several workers may share a machine.
        hostname=f"worker-{os.getpid()}@{socket.gethostname()}",
        pool_cls=get_implementation("threads"),
        concurrency=asked.concurrency,
        loglevel=asked.log_level,
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main())
