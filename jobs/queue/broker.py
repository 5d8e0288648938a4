"""Messages to the workers, by task name: nothing in them that has to be kept.

They are sent through the Celery app that the settings name, loaded with the first one: a tenth of
an idle web process. Their tasks, and the TikTok client behind them, are not loaded by who sends.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string
from kombu.exceptions import OperationalError

from jobs.ephemeral import connection
from jobs.queue import routing

logger = logging.getLogger(__name__)

FETCH_ITEM: Final = routing.FETCH_ITEM
PACK_PACKAGE: Final = routing.PACK_PACKAGE

EXPIRES_AFTER: Final = timedelta(seconds=30)
"""A message nobody acted on is worth nothing after this; another one is sent."""
PERIODIC_EXPIRES_AFTER: Final = timedelta(seconds=60)
"""The same of a periodic message: by then the next one has come."""

_failing = threading.Event()
"""Set from a message the broker did not take to the next one it takes, so that the log says it
once."""


def send(task: str, row_id: UUID) -> bool:
    """Publish one message for a row; False when the broker did not take it.

    task: `FETCH_ITEM` or `PACK_PACKAGE`. Waits for one short look at Redis at most, and while it is
    away not even that: someone's request waits for it. Never raises when it is away.
    """
    # Tried first, with a short patience and at most every other second: where Redis hangs rather
    # than refuses, sending took a minute (measured). What took a write a moment ago is not tried.
    known = connection.availability.wrote_lately() and not _failing.is_set()
    return (known or connection.accepts_writes()) and _attempt(
        lambda: _publish(task, (str(row_id),), EXPIRES_AFTER)
    )


def send_periodic(task: str) -> bool:
    """Publish one message of a task that the clock sends; False when it was not taken.

    A main loop waits for it: it goes over a connection of its own, with the patience of all else
    that is sent to Redis. A pooled one may be used up by threads that wait, or have been forgotten
    by a gateway. Never raises when Redis is away.
    """
    return _attempt(lambda: _publish_apart(task))


def mend_queues() -> bool:
    """Remove a key that has the name of a queue and is no list; False when Redis is away.

    With it nothing could be sent or taken. What another program put there is lost.
    """

    def types(server: Any) -> list[str]:
        with server.pipeline(transaction=False) as pipeline:
            for name in routing.QUEUES:
                pipeline.type(name)
            return list(pipeline.execute())

    try:
        found = dict(zip(routing.QUEUES, connection.execute(types), strict=True))
        wrong = [name for name, kind in found.items() if kind not in {"list", "none"}]
        if wrong:
            connection.write(lambda server: server.delete(*wrong))
            logger.warning("keys that were no lists stood for queues, and were removed: %s", wrong)
    except connection.RedisUnavailable:
        return False
    return True


def _app() -> Any:
    return import_string(settings.CELERY_APP)


def _publish_apart(task: str) -> None:
    patience = {
        "socket_timeout": connection.TIMEOUT_S,
        "socket_connect_timeout": connection.TIMEOUT_S,
    }
    with (
        _app().connection_for_write(transport_options=patience) as own,
        _app().amqp.Producer(own) as producer,
    ):
        _publish(task, (), PERIODIC_EXPIRES_AFTER, producer=producer)


def _publish(task: str, args: tuple[str, ...], expires: timedelta, **options: Any) -> None:
    _app().send_task(
        task,
        args=args,
        expires=expires.total_seconds(),
        ignore_result=True,
        retry=False,
        **options,
    )


def _attempt(publish: Callable[[], None]) -> bool:
    try:
        publish()
    except (OperationalError, *connection.ERRORS) as error:
        if not _failing.is_set():
            logger.warning("the broker takes nothing (%s); trying on", type(error).__name__)
        _failing.set()
        return False
    if _failing.is_set():
        _failing.clear()
        logger.info("the broker takes messages again")
    return True
