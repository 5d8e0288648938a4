"""What does not wait behind transfers: repairs, sweeps and packing, in threads of their own.

The worker's pool may be full of slow transfers for a quarter of an hour. Files whose time has come,
lines of a worker that died and ZIPs somebody waits for have a queue beside it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Final

from celery import bootsteps, current_app
from django.db import close_old_connections
from django.utils import timezone
from kombu import Consumer, Queue

logger = logging.getLogger(__name__)

QUEUE: Final = "aside"
PACKING: Final = "jobs.tasks.pack_package"
HOUSEKEEPING: Final = ("jobs.tasks.repair", "jobs.tasks.sweep")
PACKERS: Final = 2


class Aside(bootsteps.ConsumerStep):
    """Takes the messages of the queue beside the pool's."""

    def get_consumers(self, channel: Any) -> list[Consumer]:
        """One, of the one queue."""
        queue = Queue(QUEUE, routing_key=QUEUE)
        taking = Consumer(channel, [queue], callbacks=[self.take], accept=["json"])
        taking.on_decode_error = self.refuse
        return [taking]

    def take(self, body: Any, message: Any) -> None:
        """Acknowledged at once, as all our messages are: the database promises delivery."""
        message.ack()
        try:
            name, (args, *_) = message.headers["task"], body
            expires = message.headers.get("expires")
            over = bool(expires) and datetime.fromisoformat(expires) <= timezone.now()
        except (KeyError, TypeError, ValueError) as error:
            self.refuse(message, error)
            return
        if not over:
            begin(name, args)

    def refuse(self, message: Any, error: Exception) -> None:
        """Not one of ours."""
        logger.warning("a message that cannot be read: %s", type(error).__name__)
        if not message.acknowledged:
            message.ack()


_house = ThreadPoolExecutor(1, "house")
_packers = ThreadPoolExecutor(PACKERS, "packer")
_lock = threading.Lock()
_waiting: set[str] = set()


def begin(name: str, args: Sequence[Any]) -> None:
    """Run a task when a thread is free. Of two sweeps that wait, one is enough."""
    if name == PACKING:
        _packers.submit(_run, name, args)
    elif name in HOUSEKEEPING:
        with _lock:
            if name in _waiting:
                return
            _waiting.add(name)
        _house.submit(_run, name, args)
    else:
        logger.warning("no task of ours: %s", name)


def _run(name: str, args: Sequence[Any]) -> None:
    with _lock:
        _waiting.discard(name)
    close_old_connections()
    try:
        current_app.tasks[name](*args)
    except Exception:
        logger.exception("%s failed", name)
    finally:
        close_old_connections()


def stop() -> None:
    """Wait for what runs, which looks up often enough, and begin nothing more."""
    for threads in (_house, _packers):
        threads.shutdown(wait=True, cancel_futures=True)
