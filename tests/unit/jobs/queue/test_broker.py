"""Messages go by names the worker knows, and a broker that is away raises nothing."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from kombu.exceptions import OperationalError

from jobs.ephemeral import connection
from jobs.queue import broker
from jobs.queue.broker import send  # before anything stands in for it
from webapp.celery import app


@pytest.fixture(scope="module", autouse=True)
def _registry() -> None:
    app.loader.import_default_modules()


@pytest.mark.parametrize("name", [broker.FETCH_ITEM, broker.PACK_PACKAGE])
def test_every_name_that_is_sent_is_registered(name: str) -> None:
    assert name in app.tasks


@pytest.mark.parametrize("error", [OperationalError(), ConnectionResetError()], ids=repr)
def test_a_broker_that_goes_away_while_it_is_told(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_args: Any, **_options: Any) -> None:
        raise error

    monkeypatch.setattr(connection, "accepts_writes", lambda: True)
    monkeypatch.setattr(app, "send_task", refuse)
    assert send(broker.FETCH_ITEM, uuid4()) is False


def test_a_redis_that_is_away_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "accepts_writes", lambda: False)
    monkeypatch.setattr(app, "send_task", lambda *_args, **_options: pytest.fail("it was asked"))
    assert send(broker.FETCH_ITEM, uuid4()) is False
