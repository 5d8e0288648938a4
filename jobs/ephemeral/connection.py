"""The connection to Redis, shared by everything kept there.

A Redis that does not answer is left alone for a moment, so that a poll never waits for it twice;
what is kept there may be lost, and callers do without.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from jobs.ephemeral import keys

logger = logging.getLogger(__name__)
T = TypeVar("T")

TIMEOUT_S = 1.0
RETRY_AFTER_S = 2.0
"""After a failure no command is sent for this long."""


ERRORS: Final = (redis.RedisError, OSError, ValueError)
"""What the library raises when Redis does not do what it is asked."""

WROTE_LATELY_S: Final = 1.0
"""For so many seconds after a write was taken nobody tries first whether one is."""
_PROBE_KEY: Final = "storykeep:probe"
_PROBE_TTL_S: Final = 60
_PREFIXES: Final[dict[type[redis.RedisError], str]] = {
    redis.AuthenticationError: "WRONGPASS",
    redis.BusyLoadingError: "LOADING",
    redis.ReadOnlyError: "READONLY",
    redis.OutOfMemoryError: "OOM",
    redis.exceptions.NoPermissionError: "NOPERM",
}
"""The words at the head of Redis' errors that the library takes off."""


class RedisUnavailable(Exception):
    """Redis did not do what it was asked.

    reason: the word at the head of its answer (`READONLY`, `MISCONF`, `OOM`, …); "" for none, as
    when it does not answer.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


def _reason(error: Exception) -> str:
    for kind, word in _PREFIXES.items():
        if isinstance(error, kind):
            return word
    word = str(error).partition(" ")[0]
    return word if isinstance(error, redis.ResponseError) and word.isupper() else ""


@functools.cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.STORYKEEP.redis_address,
        decode_responses=True,
        encoding_errors="replace",  # what is no text is no value of ours, either
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        # Once more at once: a pooled connection may have died with the server it led to.
        retry=Retry(NoBackoff(), 1),
        max_connections=100,
    )


class Availability:
    """Whether Redis answers this process, and takes what it is sent; logged once per change.

    reason: why the last command failed, as in RedisUnavailable.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._retry_at = 0.0
        self._failing = False
        self._refusing = False
        self._wrote_at = float("-inf")
        self.reason = ""

    def is_backing_off(self) -> bool:
        """A command failed a moment ago."""
        return time.monotonic() < self._retry_at

    @property
    def is_refusing(self) -> bool:
        """The last command that was to write was refused: what is read may be out of date."""
        return self._refusing

    def wrote_lately(self) -> bool:
        """A write was taken a moment ago, and nothing has failed or been refused since."""
        return time.monotonic() - self._wrote_at < WROTE_LATELY_S

    def record_failure(self, error: Exception) -> None:
        """A command failed: back off."""
        with self._lock:
            self._retry_at = time.monotonic() + RETRY_AFTER_S
            self._wrote_at = float("-inf")
            first, self._failing = not self._failing, True
            self.reason = _reason(error)
        if first:
            logger.warning("Redis is away, going on without progress: %s", type(error).__name__)

    def record_refusal(self, error: Exception) -> None:
        """A command was answered with an error, at once: nothing to back off from."""
        with self._lock:
            first, self._refusing = not self._refusing, True
            self._wrote_at = float("-inf")
            self.reason = _reason(error)
        if first:
            logger.warning("Redis refuses commands: %s", self.reason or type(error).__name__)

    def record_write(self) -> None:
        """A command that writes was taken."""
        with self._lock:
            recovered, self._refusing = self._refusing, False
            self._wrote_at = time.monotonic()
        if recovered:
            logger.info("Redis takes commands again")

    def record_success(self) -> None:
        """A command was answered."""
        if self._failing:
            with self._lock:
                recovered, self._failing = self._failing, False
            if recovered:
                logger.info("Redis is back")


availability = Availability()


def execute(command: Callable[[redis.Redis], T]) -> T:
    """Run one command, or one pipeline, and return its answer.

    Raises RedisUnavailable, also when it is refused; at once while this process backs off.
    """
    if availability.is_backing_off():
        raise RedisUnavailable(availability.reason)
    try:
        answer = _run(command)
    except redis.ResponseError as error:
        # It answers: what is read goes on while a full disk or a replica refuses what is written.
        availability.record_refusal(error)
        raise RedisUnavailable(_reason(error)) from error
    except ERRORS as error:
        availability.record_failure(error)
        raise RedisUnavailable(_reason(error)) from error
    availability.record_success()
    return answer


def _run(command: Callable[[redis.Redis], T]) -> T:
    """Run a command; once more where keys of another type stood in its way, and are gone now."""
    try:
        return command(_client())
    except redis.ResponseError as error:
        # Of a pipeline or a script it stands somewhere within the words.
        if "WRONGTYPE" not in str(error) or not _remove_wrong_types():
            raise
    return command(_client())


def _remove_wrong_types() -> bool:
    """Delete keys that stand where one of ours, of another type, should; whether there were any."""
    server = _client()
    names = list(server.scan_iter(match=f"{keys.PREFIX}*", count=1000))
    with server.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.type(name)
        kinds = pipeline.execute()
    wrong = [name for name, kind in zip(names, kinds, strict=True) if keys.is_wrong(name, kind)]
    if wrong:
        server.delete(*wrong)
        families = sorted({keys.family(name) for name in wrong})
        logger.warning("keys of another type stood for ours, and were removed: %s", families)
    return bool(wrong)


def discard(key: str) -> None:
    """Delete a key whose value is none of ours; it counts as absent. Raises nothing."""
    logger.warning("a value that is none of ours was removed: %s", keys.family(key))
    with suppress(RedisUnavailable):
        execute(lambda server: server.delete(key))


async def execute_in_thread(command: Callable[[redis.Redis], T]) -> T:
    """`execute` for callers on an event loop, which it does not block."""
    return await asyncio.to_thread(execute, command)


def write(command: Callable[[redis.Redis], T]) -> T:
    """`execute` for a command that writes, by which a Redis that refused is known to take again."""
    answer = execute(command)
    availability.record_write()
    return answer


def probe_write() -> None:
    """Write a small key, as everything here does: a Redis may answer and refuse to be written.

    Raises RedisUnavailable with the reason.
    """
    write(lambda server: server.set(_PROBE_KEY, "1", ex=_PROBE_TTL_S))


def accepts_writes() -> bool:
    """Whether Redis can be used; False when it does not answer or refuses to be written."""
    try:
        probe_write()
    except RedisUnavailable:
        return False
    return True


def rewrite_snapshot() -> None:
    """Have the instance's own Redis write its snapshot anew, without what was deleted.

    A Redis of somebody else's is theirs to look after. Raises nothing: it is written within a
    minute anyway.
    """
    if settings.STORYKEEP.embedded_redis:
        with suppress(RedisUnavailable):
            execute(lambda server: server.bgsave(schedule=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """Facts about the server. clock: its own time, for comparing with ours. saves: whether it could
    write its last snapshot and its log."""

    version: str
    used_bytes: int
    clock: datetime
    saves: bool = True


def server_info() -> ServerInfo:
    """Version, memory and clock of the server. Raises RedisUnavailable."""
    info = execute(lambda server: server.info())
    seconds, micros = execute(lambda server: server.time())
    return ServerInfo(
        version=str(info.get("valkey_version") or info.get("redis_version") or "?"),
        used_bytes=int(info.get("used_memory", 0)),
        clock=datetime.fromtimestamp(seconds + micros / 1e6, UTC),
        saves="err" not in (info.get("rdb_last_bgsave_status"), info.get("aof_last_write_status")),
    )
