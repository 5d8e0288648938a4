"""No Redis here: what would be sent is written down, and nothing outlives a test."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from jobs.queue import broker as messages
from jobs.queue import shutdown
from tests.memory import forget_redis, forget_tiktok
from webapp import api
from webapp.api_rate_limit import FixedWindowLimiter


class Broker:
    """Messages the queue sent. up: whether the broker takes any."""

    def __init__(self) -> None:
        self.up = True
        self.sent: list[UUID] = []
        self.tasks: list[str] = []

    def send(self, task: str, row_id: UUID) -> bool:
        """Stands in for `broker.send`."""
        if self.up:
            self.sent.append(row_id)
            self.tasks.append(task)
        return self.up


@pytest.fixture(autouse=True)
def _fresh_rate_limiter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens of different tests share their ids, not their windows."""
    monkeypatch.setattr(api, "rate_limiter", FixedWindowLimiter())


@pytest.fixture(autouse=True)
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """Stands in for the broker; TikTok answers, and nobody is stopping."""
    fake = Broker()
    monkeypatch.setattr(messages, "send", fake.send)
    forget_tiktok()
    forget_redis()
    yield fake
    forget_tiktok()
    forget_redis()
    shutdown.shutdown_requested.clear()
