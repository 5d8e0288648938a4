"""Leases, with a Redis that is a dictionary and a clock that can be set."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.ephemeral import leases
from jobs.ephemeral.connection import RedisUnavailable


class Keys:
    """The commands leases use. now_ms: the clock of Redis' machine."""

    def __init__(self) -> None:
        self.now_ms = 1_000_000
        self.kept: dict[str, tuple[str, int]] = {}
        self._answers: list[Any] = []

    def _drop_expired(self) -> None:
        self.kept = {key: (value, at) for key, (value, at) in self.kept.items() if at > self.now_ms}

    def pipeline(self, *, transaction: bool) -> Keys:
        assert not transaction
        self._answers.clear()
        return self

    def __enter__(self) -> Keys:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self) -> list[Any]:
        return list(self._answers)

    def set(self, key: str, value: str, *, px: int, nx: bool = False) -> None:
        self._drop_expired()
        if not nx or key not in self.kept:
            self.kept[key] = (value, self.now_ms + px)
        self._answers.append(None)

    def get(self, key: str) -> None:
        self._answers.append(self.kept[key][0])

    def pttl(self, key: str) -> None:
        self._answers.append(self.kept[key][1] - self.now_ms)

    def delete(self, key: str) -> None:
        self.kept.pop(key, None)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Keys:
    """Stands in for Redis."""
    keys = Keys()
    monkeypatch.setattr(leases, "write", lambda command: command(keys))
    monkeypatch.setattr(leases, "execute", lambda command: command(keys))
    return keys


def test_one_process_has_it_until_its_time_is_over(server: Keys) -> None:
    assert leases.acquire("sweep", "one", seconds=54)
    assert leases.acquire("repair", "other", seconds=13.5)
    server.now_ms += 53_999
    assert not leases.acquire("sweep", "other", seconds=54)
    server.now_ms += 1
    assert leases.acquire("sweep", "other", seconds=54)


def test_who_never_heard_the_answer_has_it_all_the_same(server: Keys) -> None:
    """Redis may carry out, once it goes on, what it was asked to while it hung."""
    assert leases.acquire("sweep", "one", seconds=54)
    assert leases.acquire("sweep", "one", seconds=54)
    assert not leases.acquire("sweep", "other", seconds=54)


def test_one_that_is_given_back_is_free(server: Keys) -> None:
    assert leases.acquire("sweep", "one", seconds=54)
    leases.release("sweep")
    assert leases.acquire("sweep", "other", seconds=54)


def test_a_clock_that_is_set_back_does_not_prolong_it(server: Keys) -> None:
    assert leases.acquire("sweep", "one", seconds=54)
    server.now_ms -= 3_600_000
    assert leases.acquire("sweep", "other", seconds=54)
    assert not leases.acquire("sweep", "one", seconds=54)
    server.now_ms += 54_000
    assert leases.acquire("sweep", "one", seconds=54)


def test_a_redis_that_is_away_is_told_to_who_asks_and_not_to_who_gives_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(_command: Any) -> None:
        raise RedisUnavailable

    monkeypatch.setattr(leases, "write", away)
    monkeypatch.setattr(leases, "execute", away)
    with pytest.raises(RedisUnavailable):
        leases.acquire("sweep", "one", seconds=54)
    leases.release("sweep")


def test_what_no_two_processes_are_to_do_at_once(server: Keys) -> None:
    with leases.alone("diagnosis", seconds=60) as first:
        with leases.alone("diagnosis", seconds=60) as second:
            assert (first, second) == (True, False)
        assert server.kept, "who did not have it does not give it back"
    assert server.kept == {}
    with pytest.raises(OSError, match="fails"), leases.alone("diagnosis", seconds=60):
        raise OSError("it fails")
    with leases.alone("diagnosis", seconds=60) as third:
        assert third


def test_without_redis_each_process_knows_of_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_command: Any) -> None:
        raise RedisUnavailable

    monkeypatch.setattr(leases, "write", away)
    with leases.alone("diagnosis", seconds=60) as is_alone:
        assert is_alone
