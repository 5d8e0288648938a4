"""Heartbeats, with a Redis that is a dictionary."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs.ephemeral import connection, heartbeats
from webapp.processes import pulse


class Sorted:
    """The commands heartbeats use, on dicts."""

    def __init__(self) -> None:
        self.members: dict[str, float] = {}
        self.text: str | None = None

    def zadd(self, _key: str, members: dict[str, float]) -> None:
        self.members |= members

    def zremrangebyscore(self, _key: str, least: float, most: float) -> None:
        self.members = {name: at for name, at in self.members.items() if not least <= at <= most}

    def zrem(self, _key: str, name: str) -> None:
        self.members.pop(name, None)

    def zrangebyscore(
        self, _key: str, least: float, most: float, *, withscores: bool
    ) -> list[tuple[str, float]]:
        assert withscores
        return [(name, at) for name, at in self.members.items() if least <= at <= most]

    def set(self, _key: str, text: str) -> None:
        self.text = text

    def get(self, _key: str) -> str | None:
        return self.text


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Sorted:
    """Stands in for Redis."""
    redis_set = Sorted()
    monkeypatch.setattr(heartbeats, "execute", lambda question: question(redis_set))
    return redis_set


def test_a_silent_worker_is_forgotten(server: Sorted) -> None:
    heartbeats.beat("worker-1@nas", now=1000)
    heartbeats.beat("worker-2@nas", now=1015)
    assert heartbeats.alive(now=1015) == ["worker-1@nas", "worker-2@nas"]
    assert heartbeats.alive(now=1021) == ["worker-2@nas"]
    heartbeats.beat("worker-2@nas", now=1030)
    assert set(server.members) == {"worker-2@nas"}


def test_a_dead_worker_does_not_live_on_when_the_clock_is_set_back(server: Sorted) -> None:
    two_days = 2 * 24 * 60 * 60
    heartbeats.beat("worker-1@nas", now=1000 + two_days)
    heartbeats.beat("worker-2@nas", now=1000 + two_days)
    assert heartbeats.alive(now=1000) == []
    heartbeats.beat("worker-2@nas", now=1000)
    assert heartbeats.alive(now=1000) == ["worker-2@nas"]
    assert set(server.members) == {"worker-2@nas"}


def test_a_machine_whose_clock_is_a_little_ahead_is_alive(server: Sorted) -> None:
    heartbeats.beat("worker-1@nas", now=1030)
    heartbeats.beat("worker-2@attic", now=1000)
    assert heartbeats.alive(now=1000) == ["worker-1@nas", "worker-2@attic"]


def test_a_clean_up_from_the_future_is_late() -> None:
    at = datetime(2026, 11, 20, 14, 3, tzinfo=UTC)
    assert heartbeats.Sweep(at, {}).is_late(at - timedelta(days=2))
    assert not heartbeats.Sweep(at, {}).is_late(at - timedelta(seconds=5))


def test_a_worker_may_miss_a_beat_or_two() -> None:
    assert pulse.BEAT_EVERY_S * 3 < heartbeats.EXPIRES_AFTER_S <= 20


def test_a_worker_that_stops_says_so(server: Sorted) -> None:
    heartbeats.beat("worker-1@nas", now=1000)
    heartbeats.beat("worker-2@nas", now=1000)
    heartbeats.remove("worker-1@nas")
    assert heartbeats.alive(now=1000) == ["worker-2@nas"]


def test_the_last_clean_up_is_remembered(server: Sorted) -> None:
    assert heartbeats.last_sweep() is None
    at = datetime(2026, 11, 20, 14, 3, tzinfo=UTC)
    heartbeats.record_sweep(at, {"expired": 3})
    assert heartbeats.last_sweep() == heartbeats.Sweep(at, {"expired": 3})


def test_redis_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_question: Any) -> None:
        raise connection.RedisUnavailable

    monkeypatch.setattr(heartbeats, "execute", away)
    heartbeats.beat("worker-1@nas")
    heartbeats.remove("worker-1@nas")
    heartbeats.record_sweep(datetime(2026, 11, 20, tzinfo=UTC), {})
    with pytest.raises(connection.RedisUnavailable):
        heartbeats.alive()
