"""The connection: a Redis that does not answer is named once, and left alone for a moment."""

from __future__ import annotations

import logging

import pytest
import redis

from jobs.ephemeral import connection


class Clock:
    """A clock that stands still until told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(connection, "time", clock)
    return clock


def test_a_dead_server_is_named_once_and_left_alone_for_a_moment(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    pings = 0
    broken = True

    class Client:
        def ping(self) -> bool:
            nonlocal pings
            pings += 1
            if broken:
                raise redis.ConnectionError("redis://:secret@somewhere is away")
            return True

    monkeypatch.setattr(connection, "_client", Client)
    caplog.set_level(logging.INFO)
    assert [connection.accepts_writes() for _ in range(5)] == [False] * 5
    assert pings == 1
    clock.now += connection.RETRY_AFTER_S
    assert not connection.accepts_writes()
    assert pings == 2
    broken = False
    clock.now += connection.RETRY_AFTER_S
    assert connection.accepts_writes()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "secret" not in caplog.text
