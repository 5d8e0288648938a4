"""The worker's intake: it asks the broker for a message only while it has a place for a line.

A message that is taken and given back is a turn another worker did not get in time.
"""

from __future__ import annotations

from typing import Any

from celery import bootsteps

from jobs.queue.in_hand import in_hand


class Intake(bootsteps.StartStopStep):
    """A step of Celery's consumer, after the one that begins to take messages for the pool."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        """Have the pool's channel ask for nothing while nothing is taken on."""
        qos = parent.task_consumer.channel.qos
        has_free_thread = qos.can_consume

        def can_consume() -> bool:
            return bool(in_hand.takes_more() and has_free_thread())

        qos.can_consume = can_consume
