"""Which processes run beside the web server, since when, and in which version.

Workers tell of themselves with every heartbeat, a scheduler of its own with its clock. A name may
come again when a container starts anew; an id does not.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, cast
from uuid import uuid4

from jobs import VERSION
from jobs.ephemeral import steady, values
from jobs.ephemeral.connection import RedisUnavailable, execute
from jobs.ephemeral.heartbeats import EXPIRES_AFTER_S, MAX_AHEAD_S

STARTED_AT: Final = datetime.now(UTC)
"""When this process began, or nearly: this module is loaded while it starts."""
_BEGAN_S: Final = steady.now()
_AGREE: Final = timedelta(seconds=20)
"""So far two clocks may drift apart."""
ID: Final = uuid4().hex
"""Of this process alone."""
ANNOUNCE_EVERY_S: Final = EXPIRES_AFTER_S / 4
"""Seconds between two announcements of a process that has no heartbeat."""
_PROCESSES: Final = "storykeep:processes"
_LONGEST: Final = 300
_MOST_WORKERS: Final = 1000
_MOST_BYTES: Final = 10**15


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningProcess:
    """A process that told of itself lately.

    name: `worker-<process id>@<host>`. id: its ID, "" of one of an older version. workers: how
    many workers its supervisor keeps running on its host; 1 without one. resident_bytes: memory it
    holds; None of one that does not tell.
    """

    name: str
    version: str
    started_at: datetime
    id: str = ""
    workers: int = 1
    resident_bytes: int | None = None

    @property
    def host(self) -> str:
        """The machine or container it runs on."""
        return self.name.partition("@")[2]

    @property
    def kind(self) -> str:
        """The part it plays: `worker` or `scheduler`."""
        return self.name.partition("-")[0]


def started_at() -> datetime:
    """When this process began, by the system clock as it stands: it may have been set since."""
    began = datetime.now(UTC) - timedelta(seconds=steady.now() - _BEGAN_S)
    return STARTED_AT if abs(began - STARTED_AT) < _AGREE else began


def announce(
    name: str, now: float | None = None, *, workers: int = 1, resident_bytes: int | None = None
) -> None:
    """Tell of this process; dropped while Redis is away.

    now: Unix seconds. workers, resident_bytes: as RunningProcess has them.
    """
    seen = time.time() if now is None else now
    facts = {"version": VERSION, "started": started_at().timestamp(), "seen": seen, "id": ID}
    facts |= {"workers": workers} if workers != 1 else {}
    if resident_bytes is not None:
        facts["memory"] = resident_bytes
    with suppress(RedisUnavailable):
        execute(lambda server: server.hset(_PROCESSES, name, json.dumps(facts)))


def withdraw(name: str) -> None:
    """Take back what a process told that ends now."""
    with suppress(RedisUnavailable):
        execute(lambda server: server.hdel(_PROCESSES, name))


def running(now: float | None = None) -> tuple[RunningProcess, ...]:
    """The processes that told of themselves lately, by name. Raises RedisUnavailable.

    now: Unix seconds. Those silent for longer are forgotten on the way, and what is none of ours.
    """
    moment = time.time() if now is None else now
    told = execute(lambda server: cast("dict[str, str]", server.hgetall(_PROCESSES)))
    found, silent = [], []
    for name, text in sorted(told.items()):
        facts = values.record(text) or {}
        seen = values.number(facts.get("seen"), moment - EXPIRES_AFTER_S, moment + MAX_AHEAD_S)
        version = values.text(facts.get("version"), _LONGEST)
        started_at = values.moment(facts.get("started"))
        if seen is None or version is None or started_at is None or len(name) > _LONGEST:
            silent.append(name)
            continue
        run_id = values.text(facts.get("id"), _LONGEST) or ""
        found.append(
            RunningProcess(
                name=name,
                version=version,
                started_at=started_at,
                id=run_id,
                workers=values.whole(facts.get("workers", 1), 1, _MOST_WORKERS) or 1,
                resident_bytes=values.whole(facts.get("memory"), 0, _MOST_BYTES),
            )
        )
    if silent:
        execute(lambda server: server.hdel(_PROCESSES, *silent))
    return tuple(found)
