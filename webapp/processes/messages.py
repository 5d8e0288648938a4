"""Messages as they come out of the broker's lists: ours, or none of ours.

Whoever shares the Redis may have put anything there. What counts in a message is its task, the row
it is about, and until when it is worth something; it is built anew from these, and whatever else
was in it goes no further.
"""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from jobs.queue.routing import (
    FETCH_ITEM,
    LOOK,
    PACK_PACKAGE,
    POOL_QUEUE,
    SIDE_QUEUE,
    SIDE_TASKS,
)

MAX_BYTES: Final = 16 * 1024
"""Ours have about a tenth of this."""
TASKS: Final = {POOL_QUEUE: frozenset({FETCH_ITEM, LOOK}), SIDE_QUEUE: frozenset(SIDE_TASKS)}
"""Queue → the tasks that are sent to it."""
ABOUT_A_ROW: Final = frozenset({FETCH_ITEM, LOOK, PACK_PACKAGE})
"""Tasks whose one argument is a row's id; all others have none."""


class NotOurs(Exception):
    """A message of nobody's, or of another version's. Its words quote nothing of it."""


def read(raw: bytes, queue: str) -> dict[str, Any]:
    """A message as kombu takes it from Redis, in Celery's task protocol 2, built anew.

    raw: the element of the list; queue: the list's name. Raises NotOurs.
    """
    if len(raw) > MAX_BYTES:
        raise NotOurs(f"{len(raw)} bytes")
    try:
        message = json.loads(raw)
        headers = message["headers"]
        task, expires = headers["task"], headers.get("expires")
        args, *_ = json.loads(base64.b64decode(message["body"], validate=True))
        fault = _fault(queue, task, args, expires)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise NotOurs(type(error).__name__) from None
    if fault:
        raise NotOurs(fault)
    return _message(queue, task, args, expires)


def _fault(queue: str, task: str, args: list[str], expires: str | None) -> str:
    """What is wrong with a message that can be read; "" for nothing. Raises what the standard
    library does of values that are not even of the right type."""
    if task not in TASKS[queue]:
        return "no task of ours in this queue"
    if args != ([str(UUID(args[0]))] if task in ABOUT_A_ROW else []):
        return "its arguments are not those of its task"
    if expires is not None and datetime.fromisoformat(expires).tzinfo is None:
        return "it expires in no time zone"
    return ""


def _message(queue: str, task: str, args: list[str], expires: str | None) -> dict[str, Any]:
    message_id = str(uuid4())
    body = json.dumps([args, {}, {}]).encode()
    return {
        "body": base64.b64encode(body).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {
            "lang": "py",
            "task": task,
            "id": message_id,
            "root_id": message_id,
            "parent_id": None,
            "group": None,
            "expires": expires,
            "eta": None,
            "retries": 0,
            "timelimit": [None, None],
            "argsrepr": repr(tuple(args)),
            "kwargsrepr": "{}",
            "ignore_result": True,
        },
        "properties": {
            "correlation_id": message_id,
            "delivery_tag": str(uuid4()),
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "priority": 0,
            "body_encoding": "base64",
        },
    }
