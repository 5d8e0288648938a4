"""The Celery app: settings of broker and worker, and hooks of the worker.

A worker is one process with threads; transfers share an event loop within it:

    celery -A webapp worker -P threads -c <STORYKEEP_ITEM_CONCURRENCY> \\
        --without-gossip --without-mingle --without-heartbeat

More workers, here or on another machine with the same folders, mean more items at once. Delivery is
promised by the database (jobs/queue), so a message is done with when it is taken: to acknowledge
one would be one more thing that a Redis can refuse.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, Final

from celery import Celery, signals
from django.conf import settings
from django.db import Error
from django.utils import timezone
from kombu.asynchronous import get_event_loop
from kombu.transport import TRANSPORT_ALIASES

from jobs.queue import routing
from webapp.intake import Intake
from webapp.kept_connections import kept
from webapp.processes import memory, side_queue

logger = logging.getLogger(__name__)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

# Loaded with the first connection, as kombu's own would be.
TRANSPORT_ALIASES["redis"] = TRANSPORT_ALIASES["rediss"] = "webapp.processes.transport:Transport"

app = Celery("storykeep")


def _config() -> dict[str, Any]:
    # Read when first needed: `webapp.settings` itself imports this package.
    return {
        "broker_url": settings.STORYKEEP.broker_url,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # A Redis that refuses (no snapshot, read-only) would end the worker; the consumer waits.
        "broker_channel_error_retry": True,
        "broker_transport_options": {
            "socket_keepalive": True,
            "health_check_interval": 10,
            "socket_connect_timeout": 2,
            # Where Redis is frozen, this is how long the worker's loop stands still at a time: it
            # connects anew rather than ask again.
            "socket_timeout": 5,
            # Sending while Redis is down: measured, 6 s by default, 0.05 s like this. The worker
            # reconnects by the rule above, for ever.
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0,
            "interval_max": 0,
        },
        "worker_concurrency": settings.STORYKEEP.item_concurrency,
        "worker_pool": "threads",
        "worker_prefetch_multiplier": 1,
        # A busy worker takes no message that an idle one could act on; see _fetch_next_message.
        "worker_disable_prefetch": True,
        "worker_hijack_root_logger": False,
        "worker_send_task_events": False,
        # No connection that is not needed. The one for broadcasts is idle for as long as nobody
        # asks, so gateways forget it; measured, a worker that lost it stood still for ever.
        "worker_enable_remote_control": False,
        # Never closed by Celery: webapp/kept_connections.py does that.
        "CELERY_DB_REUSE_MAX": sys.maxsize,
        "task_ignore_result": True,
        "task_acks_late": False,
        "task_default_queue": routing.POOL_QUEUE,
        "task_routes": {name: {"queue": routing.SIDE_QUEUE} for name in routing.SIDE_TASKS},
        "task_serializer": "json",
        "accept_content": ["json"],
        "timezone": "UTC",
    }


app.add_defaults(_config)
app.autodiscover_tasks(["jobs"])
app.steps["consumer"].update({side_queue.HousekeepingConsumer, Intake})


@app.task(name=routing.BACK_UP, ignore_result=True)
def back_up() -> None:
    """Make the daily backup if it is due."""
    from webapp.backups import daily

    daily.run(timezone.now())


@app.task(name=routing.SEND_NOTICES, ignore_result=True)
def send_notices() -> None:
    """Send people what there is to tell them."""
    from webapp import notices_due

    notices_due.run(timezone.now())


POLL_DELAYS_S: Final = (0.005, 0.02, 0.05, 0.1, 0.2, 0.4)


@signals.task_postrun.connect
def _fetch_next_message(**_: Any) -> None:
    """Have the worker's loop ask for the next message as soon as a thread is free.

    Without prefetching it polls about once a second. Measured, 40 tasks of 0.1 s on four
    threads: 8.7 s like that, 1.1 s with this, 1.1 s with prefetching.
    """
    loop = get_event_loop()
    if loop is not None:
        # A moment later, for the task that just ended counts as running until it has reported; how
        # long a moment depends on how busy the other threads are. A poll too many costs nothing.
        for delay_s in POLL_DELAYS_S:
            loop.call_soon(loop.call_later, delay_s, int)


@signals.task_prerun.connect
def _keep_connection(**_: Any) -> None:
    """Have nobody else close this thread's connection to the database meanwhile."""
    kept.begin()


@signals.task_postrun.connect
def _let_connection_rest(**_: Any) -> None:
    """Keep this thread's connection to the database for its next task, if that comes soon."""
    kept.end()


@signals.task_postrun.connect
def _note_end(**_: Any) -> None:
    """Have memory that a line took given back soon, by the worker's own loop."""
    memory.work_ended()


@signals.worker_shutting_down.connect
def _release_items(**_: Any) -> None:
    """Have running items released within a second or two, for the next worker to claim."""
    from jobs.queue import shutdown

    shutdown.shutdown_requested.set()


@signals.worker_shutdown.connect
def _finish(**_: Any) -> None:
    """Wait for the side queue's tasks and the event loop, then send what was released to others.

    By now the worker receives no more messages.
    """
    from jobs.fetching import bridge
    from jobs.housekeeping import traces
    from jobs.queue.dispatch import dispatch

    side_queue.shutdown()
    bridge.stop()
    kept.close_idle(0)
    try:
        dispatch()
        traces.leave_none()
    except Error as error:  # what was released is sent by the reaper
        logger.warning("the database cannot be used at the end: %s", error)
