"""Messages of the broker: ours are built anew, and none of the others gets through."""

from __future__ import annotations

import base64
import json
from typing import Any
from uuid import UUID

import pytest

from jobs.queue import routing
from tests.foreign_messages import CONTENT, FOREIGN, ODD, encode, genuine
from webapp.celery import app
from webapp.processes import messages
from webapp.processes.messages import NotOurs


def arguments(message: dict[str, Any]) -> Any:
    return json.loads(base64.b64decode(message["body"]))


@pytest.mark.parametrize("queue", routing.QUEUES)
@pytest.mark.parametrize("raw", FOREIGN.values(), ids=FOREIGN)
def test_what_is_not_ours_is_refused_and_not_quoted(raw: bytes, queue: str) -> None:
    with pytest.raises(NotOurs) as refusal:
        messages.read(raw, queue)
    assert CONTENT not in str(refusal.value)
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize("raw", ODD.values(), ids=ODD)
def test_of_a_message_nothing_counts_but_task_row_and_expiry(raw: bytes) -> None:
    message = messages.read(raw, routing.POOL_QUEUE)
    args, kwargs, embedded = arguments(message)
    assert UUID(args[0])
    assert kwargs == embedded == {}
    assert message["content-type"] == "application/json"
    assert message["headers"]["eta"] is None
    assert message["headers"]["timelimit"] == [None, None]
    assert message["properties"]["delivery_tag"]


def test_a_task_is_taken_from_its_own_queue_alone() -> None:
    for task in (routing.FETCH_ITEM, *routing.SIDE_TASKS):
        args: list[str] | None = None if task in messages.ABOUT_A_ROW else []
        right = routing.SIDE_QUEUE if task in routing.SIDE_TASKS else routing.POOL_QUEUE
        (wrong,) = set(routing.QUEUES) - {right}
        raw = encode(genuine(task, args))
        assert messages.read(raw, right)["headers"]["task"] == task
        with pytest.raises(NotOurs):
            messages.read(raw, wrong)


def test_what_is_sent_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Celery writes it, with an expiry."""
    sent: list[tuple[str, dict[str, Any]]] = []
    with app.connection_for_write("memory://") as connection:
        channel: Any = connection.default_channel
        monkeypatch.setattr(channel, "_put", lambda queue, raw, **_: sent.append((queue, raw)))
        row = "7f0c7a31-6a5b-4f0e-9a39-2f6f1d9b3c11"
        with app.amqp.Producer(channel) as producer:
            app.send_task(
                routing.FETCH_ITEM, (row,), expires=30.0, ignore_result=True, producer=producer
            )
    ((queue, raw),) = sent
    message = messages.read(json.dumps(raw).encode(), queue)
    assert len(json.dumps(raw)) < messages.MAX_BYTES / 4
    assert arguments(message)[0] == [row]
    assert message["headers"]["expires"] == raw["headers"]["expires"]
