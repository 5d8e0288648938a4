"""Passing on: what a worker that cannot use the database does with the messages it takes.

A second host with a wrong address, or a network that is down between the two, must not swallow
lines that others could fetch: each swallowed one waited for the reaper.
"""

from __future__ import annotations

import logging
import threading
from typing import Final
from uuid import UUID

from django.db import Error, InterfaceError, InternalError, OperationalError, connection

from jobs.queue import broker
from jobs.queue.shutdown import shutdown_requested

logger = logging.getLogger(__name__)

DATABASE_IS_AWAY: Final = (OperationalError, InterfaceError, InternalError)
"""What says that the database is locked, away, full or read-only, which is no bug."""
REST_S: Final = 3.0
"""Seconds between two looks whether the database can be used."""

_failing = threading.Event()
"""Set from the first message that is passed on to the next look that succeeds, so that the log
says it once."""


def pass_on(task: str, row_id: UUID, error: Exception) -> None:
    """Send a message about a row again, for whoever can act on it, and take no other in this
    thread until the database answers, or this process is to end.

    task: `broker.FETCH_ITEM` or `broker.PACK_PACKAGE`. Nothing is known of the row, and nothing can
    be written. A message that is lost here all the same is sent again by the reaper.
    """
    if not _failing.is_set():
        _failing.set()
        logger.warning("the database cannot be used, lines are passed on: %s", error)
    broker.send(task, row_id)
    while not shutdown_requested.wait(REST_S):
        if _answers():
            if _failing.is_set():
                _failing.clear()
                logger.info("the database answers again")
            return


def _answers() -> bool:
    try:
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return False
    return True
