"""Messages to the workers, by task name: one row's id each, and nothing that has to be kept.

Tasks are named here and not imported, so that whoever sends one (a page, the API) loads neither
Celery nor the TikTok client behind its tasks. A test compares the names with the registry.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from jobs.ephemeral import connection
from jobs.queue import messages

FETCH_ITEM: Final = messages.FETCH_ITEM
PACK_PACKAGE: Final = messages.PACK_PACKAGE

EXPIRES_AFTER: Final = timedelta(seconds=30)
"""A message nobody acted on is worth nothing after this; another one is sent."""


def send(task: str, row_id: UUID) -> bool:
    """Publish one message for a row; False when the broker did not take it.

    task: `FETCH_ITEM` or `PACK_PACKAGE`. Waits for one short look at Redis at most, and while it is
    away not even that: someone's request waits for it. Never raises when it is away.
    """
    message = messages.encode(task, [str(row_id)], expires_after=EXPIRES_AFTER)
    try:
        connection.write(lambda server: server.lpush(messages.queue_of(task), message))
    except connection.RedisUnavailable:
        return False
    return True
