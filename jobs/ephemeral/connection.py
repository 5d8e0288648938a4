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
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger(__name__)
T = TypeVar("T")

TIMEOUT_S = 1.0
RETRY_AFTER_S = 2.0
"""After a failure no command is sent for this long."""


class RedisUnavailable(Exception):
    """Redis did not answer."""


@functools.cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.STORYKEEP.redis_address,
        decode_responses=True,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        # Once more at once: a pooled connection may have died with the server it led to.
        retry=Retry(NoBackoff(), 1),
        max_connections=100,
    )


class Availability:
    """Whether Redis answers this process; logged once per change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._retry_at = 0.0
        self._failing = False

    def is_backing_off(self) -> bool:
        """A command failed a moment ago."""
        return time.monotonic() < self._retry_at

    def record_failure(self, error: Exception) -> None:
        """A command failed: back off."""
        with self._lock:
            self._retry_at = time.monotonic() + RETRY_AFTER_S
            first, self._failing = not self._failing, True
        if first:
            logger.warning("Redis is away, going on without progress: %s", type(error).__name__)

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

    Raises RedisUnavailable; at once while this process backs off.
    """
    if availability.is_backing_off():
        raise RedisUnavailable
    try:
        answer = command(_client())
    except (redis.RedisError, OSError, ValueError) as error:
        availability.record_failure(error)
        raise RedisUnavailable from error
    availability.record_success()
    return answer


async def execute_in_thread(command: Callable[[redis.Redis], T]) -> T:
    """`execute` for callers on an event loop, which it does not block."""
    return await asyncio.to_thread(execute, command)


def is_up() -> bool:
    """Send a PING; False when Redis does not answer."""
    try:
        return bool(execute(lambda server: server.ping()))
    except RedisUnavailable:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """Facts about the server. clock: its own time, for comparing with ours."""

    version: str
    used_bytes: int
    clock: datetime


def server_info() -> ServerInfo:
    """Version, memory and clock of the server. Raises RedisUnavailable."""
    info = execute(lambda server: server.info())
    seconds, micros = execute(lambda server: server.time())
    return ServerInfo(
        version=str(info.get("valkey_version") or info.get("redis_version") or "?"),
        used_bytes=int(info.get("used_memory", 0)),
        clock=datetime.fromtimestamp(seconds + micros / 1e6, UTC),
    )
