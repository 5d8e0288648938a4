"""The worker's consumer: Celery's own, with a pulse also while Redis is away.

A worker that waits for Redis is well; one that is connected and takes nothing is not.
"""

from __future__ import annotations

import time
from typing import Any, Final

from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown

from jobs.ephemeral.connection import accepts_writes
from jobs.queue import broker
from webapp.processes import pulse

WAIT_S: Final = 1.0
"""Seconds between two looks at a Redis that is away or refuses, and between two connections."""
NO_REPLY_S: Final = 45.0
"""A consumer that could take messages and has not asked for any for this long is stuck. It asks
about once a second, and gives up a connection that does not answer after some 20 s."""


class PulsingConsumer(Consumer):
    """Celery's consumer, which waits for a Redis that can be used, and beats while it waits."""

    connect_at = float("-inf")
    """When it may connect, by the monotonic clock."""

    def ensure_connected(self, conn: Any) -> Any:
        """Connect, once Redis takes what is sent to it, for as long as that takes; the connection.

        conn: a kombu connection, not connected yet. A Redis that answers and refuses would be
        connected to, and end the worker with its first message. Connections that break at once are
        made no faster than one in WAIT_S.
        """
        while time.monotonic() < self.connect_at or not _is_usable():
            _beat_or_end()
            time.sleep(WAIT_S)
        self.connect_at = time.monotonic() + WAIT_S
        ensure_connection = conn.ensure_connection

        def with_pulse(errback: Any, max_retries: Any, **_: Any) -> Any:
            return ensure_connection(errback, max_retries, callback=_beat_or_end)

        conn.ensure_connection = with_pulse
        return super().ensure_connected(conn)


def _is_usable() -> bool:
    """Whether Redis takes what is written, and no key of another type stands for a queue."""
    return accepts_writes() and broker.mend_queues()


def _beat_or_end() -> None:
    """Beat, or raise what ends a worker that was asked to end. Called once a second."""
    maybe_shutdown()
    pulse.beat()


def takes_messages(consumer: Consumer | None) -> bool:
    """Whether a consumer asks for messages, or has a reason not to.

    It need not while it is not connected, or while all threads are busy. None: not made yet.
    """
    connection = getattr(consumer, "connection", None)
    if connection is None or not connection.connected:
        return True
    # No part of kombu's interface says whether it goes on asking.
    channels = [
        channel
        for channel in connection.transport.cycle._channels  # noqa: SLF001
        if channel.active_queues and channel.qos.can_consume()
    ]
    return all(_asked_within(NO_REPLY_S, channel) for channel in channels)


def _asked_within(seconds: float, channel: Any) -> bool:
    """Whether a channel sent a BRPOP lately; also when it never has, for it has just begun."""
    asked_at = channel._brpop_sent_at  # noqa: SLF001
    return asked_at is None or time.monotonic() - asked_at < seconds
