"""The side queue: repairs, sweeps and packing, in threads beside the worker's pool.

The pool may be full of slow transfers for a quarter of an hour. Files whose time has come, lines of
a worker that died and ZIPs somebody waits for have a queue of their own, which each worker takes in
its own loop (docs/decisions/0015).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Final

from celery import bootsteps, current_app
from django.db import InterfaceError, InternalError, OperationalError, close_old_connections
from django.utils import timezone
from kombu import Consumer, Queue

from jobs.queue.routing import (
    BACK_UP,
    FILL_LIBRARY,
    HOUSEKEEPING,
    PACK_PACKAGE,
    SCRUB,
    SEND_NOTICES,
    SIDE_QUEUE,
    SWEEP,
)
from webapp.processes import memory

logger = logging.getLogger(__name__)

PACKING_THREADS: Final = 2
SENDING_THREADS: Final = 2
"""One that waits for a slow receiver does not keep the other from sending."""


class HousekeepingConsumer(bootsteps.ConsumerStep):
    """A step of Celery's consumer that takes the messages of the side queue."""

    def get_consumers(self, channel: Any) -> list[Consumer]:
        """The kombu consumer of the side queue."""
        queue = Queue(SIDE_QUEUE, routing_key=SIDE_QUEUE)
        consumer = Consumer(channel, [queue], callbacks=[self.receive], accept=["json"])
        consumer.on_decode_error = self.discard
        return [consumer]

    def receive(self, body: Any, message: Any) -> None:
        """Submit the task of a message, unless it has expired.

        body: args, kwargs and embedded callbacks; message: a kombu message, with the headers of
        Celery's task protocol 2. Acknowledged at once, as all messages of this app are: the
        database promises delivery.
        """
        message.ack()
        try:
            task_name, (args, *_) = message.headers["task"], body
            expires = message.headers.get("expires")
            expired = bool(expires) and datetime.fromisoformat(expires) <= timezone.now()
        except (KeyError, TypeError, ValueError) as error:
            self.discard(message, error)
            return
        if not expired:
            submit(task_name, args)

    def discard(self, message: Any, error: Exception) -> None:
        """Log and acknowledge a message that cannot be decoded."""
        logger.warning("a message that cannot be read: %s", type(error).__name__)
        if not message.acknowledged:
            message.ack()


_housekeeping_pool = ThreadPoolExecutor(1, "housekeeping")
_scrub_pool = ThreadPoolExecutor(1, "scrub")
_backup_pool = ThreadPoolExecutor(1, "backup")
_sending_pool = ThreadPoolExecutor(SENDING_THREADS, "notices")
_library_pool = ThreadPoolExecutor(1, "library")
_packing_pool = ThreadPoolExecutor(PACKING_THREADS, "packer")
_OWN_POOLS: Final = {
    BACK_UP: _backup_pool,
    FILL_LIBRARY: _library_pool,
    SEND_NOTICES: _sending_pool,
}
_lock = threading.Lock()
_waiting: set[str] = set()


def submit(task_name: str, args: Sequence[Any]) -> None:
    """Run a task when a thread is free. A housekeeping task that waits already is not added.

    With each sweep, saved files are read: in a thread of its own, for that takes its time. So do a
    backup, the library, and sending messages to people.
    """
    if task_name == PACK_PACKAGE:
        _packing_pool.submit(_run, task_name, args)
    elif task_name in HOUSEKEEPING:
        _submit_once(_housekeeping_pool, task_name, args)
        if task_name == SWEEP:
            _submit_once(_scrub_pool, SCRUB, ())
    elif task_name in _OWN_POOLS:
        _submit_once(_OWN_POOLS[task_name], task_name, args)
    else:
        logger.warning("no task of ours: %s", task_name)


def _submit_once(pool: ThreadPoolExecutor, task_name: str, args: Sequence[Any]) -> None:
    with _lock:
        if task_name in _waiting:
            return
        _waiting.add(task_name)
    pool.submit(_run, task_name, args)


def _run(task_name: str, args: Sequence[Any]) -> None:
    with _lock:
        _waiting.discard(task_name)
    close_old_connections()
    try:
        current_app.tasks[task_name](*args)
    except (OperationalError, InterfaceError, InternalError) as error:
        # Locked, away, full or read-only, and no bug: the next message tries again.
        logger.warning("%s is left to the next time: %s", task_name, error)
    except Exception:
        logger.exception("%s failed", task_name)
    finally:
        close_old_connections()
        if task_name == PACK_PACKAGE:
            memory.work_ended()


def shutdown() -> None:
    """Wait for running tasks, which check often enough whether to stop; start no others."""
    for pool in (_housekeeping_pool, _scrub_pool, *_OWN_POOLS.values(), _packing_pool):
        pool.shutdown(wait=True, cancel_futures=True)
