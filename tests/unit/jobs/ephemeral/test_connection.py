"""The connection: a Redis that does not answer is named once, and left alone for a moment."""

from __future__ import annotations

import logging

import pytest
import redis

from jobs.ephemeral import connection
from jobs.ephemeral.connection import RedisUnavailable


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
    writes = 0
    broken = True

    class Client:
        def set(self, _key: str, _value: str, ex: int) -> bool:
            nonlocal writes
            writes += 1
            if broken:
                raise redis.ConnectionError("redis://:secret@somewhere is away")
            return True

    monkeypatch.setattr(connection, "_client", Client)
    caplog.set_level(logging.INFO)
    assert [connection.accepts_writes() for _ in range(5)] == [False] * 5
    assert writes == 1
    clock.now += connection.RETRY_AFTER_S
    assert not connection.accepts_writes()
    assert writes == 2
    broken = False
    clock.now += connection.RETRY_AFTER_S
    assert connection.accepts_writes()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "secret" not in caplog.text


class Refusing:
    """A server that answers, and takes nothing."""

    error: redis.RedisError = redis.ReadOnlyError("You can't write against a read only replica.")

    def set(self, _key: str, _value: str, ex: int) -> bool:
        raise self.error

    def get(self, _key: str) -> str:
        return "kept"


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Refusing:
    server = Refusing()
    monkeypatch.setattr(connection, "_client", lambda: server)
    return server


def test_a_server_that_refuses_to_be_written_is_read_all_the_same(
    refusing: Refusing, caplog: pytest.LogCaptureFixture
) -> None:
    """It answers at once, so there is nothing to back off from; named once."""
    for _ in range(3):
        assert not connection.accepts_writes()
        assert connection.execute(lambda server: server.get("something")) == "kept"
    assert [record.getMessage() for record in caplog.records] == [
        "Redis refuses commands: READONLY"
    ]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (redis.ReadOnlyError("You can't write against a read only replica."), "READONLY"),
        (redis.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), "OOM"),
        (
            redis.ResponseError("MISCONF Redis is configured to save RDB snapshots, but …"),
            "MISCONF",
        ),
        (redis.ResponseError("unknown command"), ""),
        (redis.AuthenticationError("invalid username-password pair"), "WRONGPASS"),
        (redis.BusyLoadingError("Redis is loading the dataset in memory"), "LOADING"),
        (redis.TimeoutError("Timeout reading from SOCKET"), ""),
    ],
    ids=repr,
)
def test_why_a_command_was_not_done(
    refusing: Refusing, error: redis.RedisError, reason: str
) -> None:
    refusing.error = error
    with pytest.raises(RedisUnavailable) as caught:
        connection.probe_write()
    assert caught.value.reason == reason
    with pytest.raises(RedisUnavailable) as again:  # perhaps without having asked
        connection.probe_write()
    assert again.value.reason == reason
