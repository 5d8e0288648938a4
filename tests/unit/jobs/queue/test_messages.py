"""Messages in the form Celery itself gives them, and taken by its worker as such."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kombu import Connection
from kombu.transport.virtual import Message

from jobs.queue import messages
from webapp.celery import app

MINUTE = timedelta(minutes=1)
IDS = {"id", "root_id", "correlation_id", "delivery_tag"}
OF_THE_SENDER = {"origin", "reply_to", "expiration"}
"""Who sent it, where an answer would go, and a hint for brokers that drop messages themselves."""


@pytest.fixture(scope="module", autouse=True)
def _registry() -> None:
    app.loader.import_default_modules()


def made_by_celery(task: str, args: list[str], monkeypatch: pytest.MonkeyPatch) -> tuple[str, Any]:
    """The queue and the message of a task that Celery sends."""
    sent: list[tuple[str, Any]] = []
    with Connection("memory://") as connection:
        channel = connection.channel()
        monkeypatch.setattr(
            type(channel), "_put", lambda _self, queue, message, **_: sent.append((queue, message))
        )
        with app.amqp.Producer(channel) as producer:
            app.send_task(task, tuple(args), expires=60.0, ignore_result=True, producer=producer)
    (message,) = sent
    return message


def form(value: Any, inside: str = "") -> Any:
    """A message with its ids as a shape and its body decoded; what is the sender's, left out."""
    if isinstance(value, dict):
        return {
            name: "a UUID" if name in IDS else form(part, name)
            for name, part in value.items()
            if name not in OF_THE_SENDER
        }
    if inside == "body":
        return json.loads(base64.b64decode(value))
    if inside == "expires":
        return type(datetime.fromisoformat(value)).__name__
    return value


@pytest.mark.parametrize(
    ("task", "args"),
    [
        (messages.FETCH_ITEM, ["0f8fad5b-d9cb-469f-a165-70867728950e"]),
        (messages.PACK_PACKAGE, ["0f8fad5b-d9cb-469f-a165-70867728950e"]),
        (messages.REPAIR, []),
        (messages.SWEEP, []),
    ],
)
def test_a_message_is_what_celery_makes_of_the_task(
    monkeypatch: pytest.MonkeyPatch, task: str, args: list[str]
) -> None:
    queue, theirs = made_by_celery(task, args, monkeypatch)
    assert queue == messages.queue_of(task)
    assert form(json.loads(messages.encode(task, args, expires_after=MINUTE))) == form(theirs)


def test_each_message_has_ids_of_its_own() -> None:
    encoded = [json.loads(messages.encode(messages.SWEEP, expires_after=MINUTE)) for _ in range(50)]
    ids = {message["headers"]["id"] for message in encoded}
    tags = {message["properties"]["delivery_tag"] for message in encoded}
    assert len(ids | tags) == 100
    version_4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert all(re.fullmatch(version_4, each) for each in ids | tags)


def test_the_moment_it_expires_has_a_zone() -> None:
    now = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
    message = json.loads(messages.encode(messages.SWEEP, expires_after=MINUTE, now=now))
    assert message["headers"]["expires"] == "2026-11-28T12:01:00+00:00"


def test_kombu_reads_it() -> None:
    raw = json.loads(messages.encode(messages.FETCH_ITEM, ["1"], expires_after=MINUTE))
    channel: Any = Connection("memory://").channel()
    message = Message(raw, accept=["application/json"], channel=channel)
    assert message.headers["task"] == messages.FETCH_ITEM
    assert message.decode()[0] == ["1"]
