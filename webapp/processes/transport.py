"""The broker's transport: kombu's for Redis, without what this app has no use for.

Each message is checked where it leaves its list (webapp/processes/messages.py), so that nothing in
a list can end a worker. The two queues and their routes are known, so no table of bindings is kept
in Redis; and messages are acknowledged as they are taken, so neither is one of those that are not.
What another program put in the place of those keys is never looked at.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Any, Final

import redis
from kombu.transport.redis import Channel as RedisChannel
from kombu.transport.redis import Transport as RedisTransport

from webapp.processes import messages

logger = logging.getLogger(__name__)

SAY_EVERY_S: Final = 60.0
"""Seconds between two lines of the log about messages that are refused."""


class Refused:
    """Counts refused messages, and says so now and then. For the thread of a worker's loop."""

    def __init__(self) -> None:
        self._count = 0
        self._say_at = float("-inf")

    def add(self, queue: str, reason: str) -> None:
        """A message of this queue was refused, and is gone."""
        self._count += 1
        now = time.monotonic()
        if now < self._say_at:
            return
        logger.warning(
            "messages that are none of ours were dropped from %r: %d (%s)",
            queue,
            self._count,
            reason,
        )
        self._count, self._say_at = 0, now + SAY_EVERY_S


refused: Final = Refused()


class CheckedRedis(redis.Redis):
    """A client that answers BRPOP with messages of ours alone; as if it timed out for others."""

    def parse_response(self, connection: Any, command_name: str, **options: Any) -> Any:
        """The answer to a command, as redis-py reads it."""
        answer: Any = super().parse_response(  # type: ignore[no-untyped-call]
            connection, command_name, **options
        )
        if command_name != "BRPOP" or not answer:
            return answer
        key, raw = answer
        queue = key.decode(errors="replace")
        try:
            return key, json.dumps(messages.read(raw, queue)).encode()
        except messages.NotOurs as error:
            refused.add(queue, str(error))
            return None


class Channel(RedisChannel):
    """A channel that keeps nothing in Redis but the lists of its queues."""

    ack_emulation = False
    do_restore = False
    priority_steps = [0]

    def _get_client(self) -> Any:
        return CheckedRedis

    def _queue_bind(self, *_args: Any, **_options: Any) -> None:
        """Each queue is reached by its own name."""

    def _lookup(self, _exchange: str, routing_key: str, _default: str | None = None) -> list[str]:
        return [routing_key]


class Transport(RedisTransport):
    """The transport of `redis://` and `rediss://`, once webapp.celery is loaded."""

    Channel = Channel
