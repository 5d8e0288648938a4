"""Messages go by names the worker knows, and a broker that is away raises nothing."""

from __future__ import annotations

import logging
from typing import Any
from uuid import uuid4

import pytest
import redis
from kombu import Connection
from kombu.exceptions import OperationalError

from jobs.ephemeral import connection
from jobs.queue import broker, routing
from jobs.queue.broker import send  # before anything stands in for it
from webapp.celery import app


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch) -> None:
    app.loader.import_default_modules()
    broker._failing.clear()
    monkeypatch.setattr(connection, "accepts_writes", lambda: True)


@pytest.mark.parametrize("name", [broker.FETCH_ITEM, broker.PACK_PACKAGE, *routing.HOUSEKEEPING])
def test_every_name_that_is_sent_is_registered(name: str) -> None:
    assert name in app.tasks


def test_a_row_is_named_by_its_id_and_never_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(app, "send_task", lambda name, **options: calls.append((name, options)))
    row_id = uuid4()
    assert send(broker.FETCH_ITEM, row_id)
    ((name, options),) = calls
    assert (name, options["args"]) == (broker.FETCH_ITEM, (str(row_id),))
    assert options["expires"] == broker.EXPIRES_AFTER.total_seconds()
    assert options["retry"] is False
    assert options["ignore_result"]


def test_a_periodic_message_goes_beside_the_pool_with_a_short_patience(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[tuple[str, Any]] = []
    asked: list[dict[str, Any]] = []
    with Connection("memory://") as memory:
        monkeypatch.setattr(
            type(memory.default_channel),
            "_put",
            lambda _self, queue, message, **_: sent.append((queue, message)),
        )

        def connect(**options: Any) -> Connection:
            asked.append(options.get("transport_options", {}))
            return memory

        monkeypatch.setattr(app, "connection_for_write", connect)
        assert all(broker.send_periodic(task) for task in routing.HOUSEKEEPING)
    assert [queue for queue, _ in sent] == [routing.SIDE_QUEUE] * len(routing.HOUSEKEEPING)
    assert [message["headers"]["task"] for _, message in sent] == list(routing.HOUSEKEEPING)
    assert all(message["headers"]["expires"] for _, message in sent)
    # A main loop waits for it: no longer than for a heartbeat.
    patience = {"socket_timeout", "socket_connect_timeout"}
    assert {connection.TIMEOUT_S} in [{options.get(name) for name in patience} for options in asked]


@pytest.mark.parametrize(
    "error", [OperationalError(), ConnectionResetError(), redis.ReadOnlyError()], ids=repr
)
def test_a_broker_that_goes_away_while_it_is_told_raises_nothing_and_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def refuse(*_args: Any, **_options: Any) -> None:
        raise error

    with monkeypatch.context() as away:
        away.setattr(app, "send_task", refuse)
        assert not any(send(broker.FETCH_ITEM, uuid4()) for _ in range(3))
    monkeypatch.setattr(app, "send_task", lambda *_args, **_options: None)
    with caplog.at_level(logging.INFO):
        assert all(send(broker.FETCH_ITEM, uuid4()) for _ in range(3))
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_redis_that_took_a_write_a_moment_ago_is_not_tried_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[bool] = []

    def accepts_writes() -> bool:
        tried.append(True)
        return True

    monkeypatch.setattr(connection, "accepts_writes", accepts_writes)
    monkeypatch.setattr(app, "send_task", lambda *_args, **_options: None)
    connection.availability.record_write()
    assert all(send(broker.FETCH_ITEM, uuid4()) for _ in range(3))
    assert tried == []
    broker._failing.set()  # yet it took no message
    assert send(broker.FETCH_ITEM, uuid4())
    assert tried == [True]
    for fail in (connection.availability.record_failure, connection.availability.record_refusal):
        connection.availability.record_write()
        fail(redis.ConnectionError())
        assert send(broker.FETCH_ITEM, uuid4())
    assert tried == [True] * 3


def test_a_redis_that_is_away_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "accepts_writes", lambda: False)
    monkeypatch.setattr(app, "send_task", lambda *_args, **_options: pytest.fail("it was asked"))
    assert send(broker.FETCH_ITEM, uuid4()) is False
