"""When the last backup was made, and why the last daily one was not, for all hosts to know.

What is lost here is only not told: the backups themselves lie in a folder.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast

from jobs.ephemeral import values
from jobs.ephemeral.connection import RedisUnavailable, execute, write

KNOWN_FOR: Final = timedelta(days=40)
_MADE: Final = "storykeep:backup"
_FAILED: Final = "storykeep:backup:failed"
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is told of a backup. kind: how it came to be made, or why it was not; host: where."""

    at: datetime
    kind: str
    host: str


def record_made(at: datetime, kind: str, host: str) -> None:
    """Note that a backup was made, so that no failure stands any more. Dropped without Redis."""

    def put(server: Any) -> None:
        with server.pipeline(transaction=False) as pipeline:
            pipeline.set(_MADE, _text(at, kind, host), ex=KNOWN_FOR)
            pipeline.delete(_FAILED)
            pipeline.execute()

    with suppress(RedisUnavailable):
        write(put)


def record_failed(at: datetime, reason: str, host: str) -> None:
    """Note that the daily backup could not be made. Dropped without Redis."""
    with suppress(RedisUnavailable):
        write(lambda server: server.set(_FAILED, _text(at, reason, host), ex=KNOWN_FOR))


def last_made() -> Told | None:
    """The last backup; None where none is known. Raises RedisUnavailable."""
    return _read(_MADE)


def last_failed() -> Told | None:
    """The failure since which none was made; None while all is well. Raises RedisUnavailable."""
    return _read(_FAILED)


def _text(at: datetime, kind: str, host: str) -> str:
    return json.dumps({"at": at.timestamp(), "kind": kind, "host": host})


def _read(key: str) -> Told | None:
    text = execute(lambda server: cast("str | None", server.get(key)))
    record = (values.record(text) if text else None) or {}
    at = values.moment(record.get("at"))
    kind = values.text(record.get("kind"), _LONGEST)
    host = values.text(record.get("host"), _LONGEST)
    if at is None or kind is None or host is None:
        return None
    return Told(at=at, kind=kind, host=host)
