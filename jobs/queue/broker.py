"""Messages to the workers, by task name: one row's id each, and nothing that has to be kept.

Tasks are named here and not imported, so that whoever sends one (a page, the API) loads neither
Celery's tasks nor the TikTok client behind them. A test compares the names with the registry.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final
from uuid import UUID

from celery import current_app
from kombu.exceptions import OperationalError

from jobs.ephemeral import connection

logger = logging.getLogger(__name__)

FETCH_ITEM: Final = "jobs.tasks.fetch_item"
PACK_PACKAGE: Final = "jobs.tasks.pack_package"

EXPIRES_AFTER: Final = timedelta(seconds=30)
"""A message nobody acted on is worth nothing after this; another one is sent."""


def send(task: str, row_id: UUID) -> bool:
    """Publish one message for a row; False when the broker did not take it.

    task: `FETCH_ITEM` or `PACK_PACKAGE`. Waits at most for one short look at Redis; never raises
    when it is away.
    """
    # Tried first, with a short patience and at most every other second: where Redis hangs rather
    # than refuses, sending took a minute (measured), and someone's request waits for it.
    if not connection.accepts_writes():
        return False
    try:
        current_app.send_task(
            task,
            args=(str(row_id),),
            expires=EXPIRES_AFTER.total_seconds(),
            ignore_result=True,
            retry=False,
        )
    except (OperationalError, *connection.ERRORS) as error:
        logger.warning("the broker takes nothing (%s); it is told later", type(error).__name__)
        return False
    return True
