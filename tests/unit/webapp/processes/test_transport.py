"""The broker's transport: what BRPOP hands on, and what is said of the rest."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import pytest
import redis
from kombu.transport import get_transport_cls
from kombu.transport import redis as kombu_redis
from kombu.transport.virtual import QoS

from jobs.queue import routing
from tests.foreign_messages import CONTENT, encode, genuine
from webapp.celery import app
from webapp.processes import transport
from webapp.processes.transport import Channel, CheckedRedis, Refused, Transport


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`answer(what)`: as the client hands on an answer of Redis'."""
    monkeypatch.setattr(transport, "refused", Refused())
    client = CheckedRedis()

    def ask(reply: Any, command: str = "BRPOP") -> Any:
        monkeypatch.setattr(redis.Redis, "parse_response", lambda *_args, **_options: reply)
        return client.parse_response(None, command)

    return ask


def test_a_message_of_ours_is_handed_on(answer: Any) -> None:
    key, raw = answer((b"celery", encode(genuine())))
    assert key == b"celery"
    assert json.loads(raw)["headers"]["task"] == routing.FETCH_ITEM


def test_another_one_is_as_if_nothing_had_come(answer: Any) -> None:
    assert answer((b"celery", b"[]")) is None
    assert answer((b"\xff", encode(genuine()))) is None
    assert answer(None) is None


def test_other_commands_are_left_alone(answer: Any) -> None:
    assert answer((b"celery", b"[]"), "LRANGE") == (b"celery", b"[]")


def test_a_thousand_foreign_messages_are_told_of_once_and_not_quoted(
    answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(1000):
            answer((b"celery", CONTENT.encode()))
    assert [record.getMessage() for record in caplog.records] == [
        "messages that are none of ours were dropped from 'celery': 1 (JSONDecodeError)"
    ]


def test_the_next_line_counts_those_between(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    counted = Refused()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            counted.add("celery", "why")
        now[0] += transport.SAY_EVERY_S
        counted.add("celery", "why")
    assert [record.getMessage().split(": ")[1] for record in caplog.records] == [
        "1 (why)",
        "3 (why)",
    ]


def test_the_app_uses_it_and_nothing_of_kombu_is_kept_in_redis() -> None:
    assert app.conf.broker_url.startswith("redis")
    for scheme in ("redis", "rediss"):
        used: Any = get_transport_cls(scheme)
        assert used is Transport
    bare: Any = Channel.__new__(Channel)
    assert not bare.ack_emulation
    assert not bare.do_restore
    assert bare._lookup("", routing.SIDE_QUEUE) == [routing.SIDE_QUEUE]
    assert bare._queue_bind("celery", "celery", None, "celery") is None
    assert issubclass(bare.QoS, QoS)


def test_what_it_changes_exists_in_this_kombu() -> None:
    """These are kombu's own; a new one may call them otherwise."""
    theirs = kombu_redis.Channel
    assert theirs.ack_emulation
    assert theirs.do_restore
    assert 0 in theirs.priority_steps
    for name in ("_get_client", "_queue_bind", "_lookup"):
        assert callable(getattr(theirs, name))
