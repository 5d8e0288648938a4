"""Messages go by names the worker knows, and a broker that is away raises nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from jobs.ephemeral import connection
from jobs.ephemeral.connection import RedisUnavailable
from jobs.queue import broker, messages
from jobs.queue.broker import send  # before anything stands in for it
from webapp.celery import app


@pytest.fixture(scope="module", autouse=True)
def _registry() -> None:
    app.loader.import_default_modules()


class Server:
    """A Redis that remembers what is pushed."""

    def __init__(self) -> None:
        self.pushed: list[tuple[str, Any]] = []

    def lpush(self, key: str, value: str) -> int:
        self.pushed.append((key, json.loads(value)))
        return len(self.pushed)


@pytest.mark.parametrize("name", [broker.FETCH_ITEM, broker.PACK_PACKAGE])
def test_every_name_that_is_sent_is_registered(name: str) -> None:
    assert name in app.tasks


def test_a_message_goes_into_the_queue_of_its_task(monkeypatch: pytest.MonkeyPatch) -> None:
    server, row_id = Server(), uuid4()
    monkeypatch.setattr(connection, "write", lambda command: command(server))
    assert send(broker.FETCH_ITEM, row_id)
    assert send(broker.PACK_PACKAGE, row_id)
    assert [key for key, _ in server.pushed] == [messages.POOL_QUEUE, messages.SIDE_QUEUE]
    assert {message["headers"]["argsrepr"] for _, message in server.pushed} == {f"('{row_id}',)"}


@pytest.mark.parametrize("reason", ["", "READONLY", "OOM"])
def test_a_redis_that_is_away_or_refuses_raises_nothing(
    monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    def refuse(_command: Callable[..., Any]) -> None:
        raise RedisUnavailable(reason)

    monkeypatch.setattr(connection, "write", refuse)
    assert send(broker.FETCH_ITEM, uuid4()) is False
