"""Messages as the broker holds them: one task each, in the form the workers' Celery reads.

Written without Celery, which costs whoever only sends some 8 MiB: every web process, and the
scheduler, which is nothing but a clock. Standard library alone, for it is part of the scheduler. A
test compares each message with what Celery itself makes of the same task.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

FETCH_ITEM: Final = "jobs.tasks.fetch_item"
PACK_PACKAGE: Final = "jobs.tasks.pack_package"
REPAIR: Final = "jobs.tasks.repair"
SWEEP: Final = "jobs.tasks.sweep"

POOL_QUEUE: Final = "celery"
"""Name, and Redis key, of the list that the workers' pools take from: Celery's own default."""
SIDE_QUEUE: Final = "aside"
"""Name, and Redis key, of the list of what runs beside the pools."""

_EMBEDDED: Final = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def queue_of(task: str) -> str:
    """The queue a task belongs into: `POOL_QUEUE` for fetching, else `SIDE_QUEUE`."""
    return POOL_QUEUE if task == FETCH_ITEM else SIDE_QUEUE


def encode(
    task: str, args: Sequence[str] = (), *, expires_after: timedelta, now: datetime | None = None
) -> str:
    """A message to be pushed to the left of the list named by `queue_of(task)`: JSON.

    It is Celery's task protocol 2 in the envelope of kombu's Redis transport. expires_after: it is
    worth nothing after that; whoever takes it later drops it.
    """
    now = now or datetime.now(UTC)
    task_id, delivery_tag = _uuid(), _uuid()
    body = json.dumps([list(args), {}, _EMBEDDED])
    message: dict[str, Any] = {
        "body": base64.b64encode(body.encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": task,
            "id": task_id,
            "shadow": None,
            "eta": None,
            "expires": (now + expires_after).isoformat(),
            "group": None,
            "group_index": None,
            "retries": 0,
            "timelimit": [None, None],
            "root_id": task_id,
            "parent_id": None,
            "argsrepr": repr(tuple(args)),
            "kwargsrepr": "{}",
            "origin": "storykeep",
            "ignore_result": True,
            "replaced_task_nesting": 0,
            "stamped_headers": None,
            "stamps": {},
        },
        "properties": {
            "correlation_id": task_id,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue_of(task)},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": delivery_tag,
        },
    }
    return json.dumps(message)


def _uuid() -> str:
    """A random UUID (version 4). Importing `uuid` would cost the scheduler more than this line."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
