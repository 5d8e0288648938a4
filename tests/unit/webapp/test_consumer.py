"""The worker's consumer: what counts as taking messages, and a pulse while Redis is away."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from celery.exceptions import WorkerShutdown
from celery.worker import state
from kombu.transport.redis import Channel, MultiChannelPoller

from jobs.queue import broker
from webapp import consumer
from webapp.celery import app
from webapp.consumer import NO_REPLY_S, PulsingConsumer, takes_messages
from webapp.processes import pulse

NOW = 1000.0


def connected(
    asked_s_ago: float | None, *, queues: int = 1, free: bool = True, up: bool = True
) -> Any:
    """A consumer as far as it is looked at."""
    channel = SimpleNamespace(
        active_queues=["celery"] * queues,
        qos=SimpleNamespace(can_consume=lambda: free),
        _brpop_sent_at=None if asked_s_ago is None else NOW - asked_s_ago,
    )
    cycle = SimpleNamespace(_channels={1: channel}.values())
    transport = SimpleNamespace(cycle=cycle)
    return SimpleNamespace(connection=SimpleNamespace(connected=up, transport=transport))


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(monotonic=lambda: NOW, sleep=lambda _seconds: None)
    monkeypatch.setattr(consumer, "time", clock)


@pytest.mark.parametrize(
    "consumer",
    [
        pytest.param(connected(0.5), id="it asked half a second ago"),
        pytest.param(connected(None), id="it has just begun"),
        pytest.param(connected(9999, free=False), id="all threads are busy"),
        pytest.param(connected(9999, queues=0), id="a channel without a queue"),
        pytest.param(connected(9999, up=False), id="it is not connected"),
        pytest.param(SimpleNamespace(connection=None), id="it connects anew"),
        pytest.param(None, id="it is not made yet"),
    ],
)
def test_a_worker_that_is_well(consumer: Any) -> None:
    assert takes_messages(consumer)


def test_a_worker_that_is_connected_and_idle_and_asks_for_nothing_is_stuck() -> None:
    assert not takes_messages(connected(NO_REPLY_S + 1))


def test_what_it_is_told_by_exists_in_this_kombu() -> None:
    """Nothing public says when a channel last asked; a new kombu may call it otherwise."""
    poller: Any = MultiChannelPoller()
    channel: Any = Channel
    assert poller._channels == set()
    assert channel._brpop_sent_at is None


class Slow:
    """A connection that takes two seconds to be made."""

    def ensure_connection(self, _errback: Any, _retries: Any, callback: Any) -> Slow:
        callback()
        callback()
        return self


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A consumer whose Redis can be used with the third look."""
    looks = iter([False, False, True])
    monkeypatch.setattr(consumer, "accepts_writes", lambda: next(looks))
    monkeypatch.setattr(broker, "mend_queues", lambda: True)
    bare: Any = PulsingConsumer.__new__(PulsingConsumer)
    bare.app, bare.first_connection_attempt = app, True
    return bare


def test_a_worker_that_waits_for_redis_gives_its_pulse(
    waiting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats: list[int] = []
    monkeypatch.setattr(pulse, "beat", lambda: beats.append(1))
    assert waiting.ensure_connected(Slow())
    assert len(beats) == 4


def test_a_worker_that_waits_for_redis_ends_when_asked(
    waiting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "should_stop", 0)
    with pytest.raises(WorkerShutdown):
        waiting.ensure_connected(Slow())


def test_connections_that_break_at_once_are_made_slowly(
    waiting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, slept = [NOW], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(consumer, "accepts_writes", lambda: True)
    monkeypatch.setattr(consumer, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    for _ in range(4):
        waiting.ensure_connected(Slow())
    assert sum(slept) == 3 * consumer.WAIT_S
    now[0] += 60
    waiting.ensure_connected(Slow())
    assert sum(slept) == 3 * consumer.WAIT_S
