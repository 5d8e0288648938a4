"""Names of media hosts we do not know, with a Redis that is a dictionary."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Self

import pytest

from jobs.ephemeral import connection, media_hosts
from jobs.ephemeral.connection import RedisUnavailable


class Sorted:
    """The commands on one sorted set, and how long it is kept."""

    def __init__(self) -> None:
        self.members: dict[str, float] = {}
        self.ttl_s = 0

    def pipeline(self, *, transaction: bool) -> Self:
        assert not transaction
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def zadd(self, _key: str, members: dict[str, float]) -> None:
        self.members |= members

    def zremrangebyscore(self, _key: str, _least: float, most: float) -> None:
        self.members = {name: at for name, at in self.members.items() if at > most}

    def zremrangebyrank(self, _key: str, first: int, last: int) -> None:
        assert first == 0
        ranked = sorted(self.members.items(), key=lambda member: member[1])
        self.members = dict(ranked[len(ranked) + last + 1 :] if last + len(ranked) >= 0 else ranked)

    def expire(self, _key: str, seconds: int) -> None:
        self.ttl_s = seconds

    def execute(self) -> None:
        pass

    def zrevrangebyscore(
        self, _key: str, _most: str, least: float, *, start: int, num: int, withscores: bool
    ) -> list[tuple[str, float]]:
        assert withscores
        ranked = sorted(self.members.items(), key=lambda member: -member[1])
        return [(name, at) for name, at in ranked if at >= least][start : start + num]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Sorted:
    """Stands in for Redis."""
    redis_set = Sorted()
    monkeypatch.setattr(media_hosts, "execute", lambda question: question(redis_set))
    return redis_set


NOW = 1_790_000_000.0


def test_the_latest_comes_first(server: Sorted) -> None:
    media_hosts.record(["a.example"], now=NOW)
    media_hosts.record(["b.example"], now=NOW + 1)
    assert media_hosts.recent(NOW + 2) == {
        "b.example": datetime.fromtimestamp(NOW + 1, UTC),
        "a.example": datetime.fromtimestamp(NOW, UTC),
    }
    assert list(media_hosts.recent(NOW + 2)) == ["b.example", "a.example"]
    assert server.ttl_s == media_hosts.KEPT_S


def test_a_name_is_forgotten_after_a_week(server: Sorted) -> None:
    media_hosts.record(["a.example"], now=NOW)
    assert media_hosts.recent(NOW + media_hosts.KEPT_S + 1) == {}
    media_hosts.record(["b.example"], now=NOW + media_hosts.KEPT_S + 1)
    assert list(server.members) == ["b.example"]


def test_names_without_end_push_out_the_oldest(server: Sorted) -> None:
    for number in range(100):
        media_hosts.record([f"h{number}.example"], now=NOW + number)
    assert len(server.members) == media_hosts.MAX_HOSTS
    assert next(iter(media_hosts.recent(NOW + 200))) == "h99.example"


@pytest.mark.parametrize(
    "name",
    ["", "localhost", "10.0.0.1", "nas.local", "a b.example", "\x1b[31m.example", "é.example"],
)
def test_no_name_that_is_not_plain_is_kept_or_shown(server: Sorted, name: str) -> None:
    media_hosts.record([name], now=NOW)
    assert server.members == {}
    server.members[name] = NOW
    assert media_hosts.recent(NOW) == {}


def test_without_redis_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise RedisUnavailable

    monkeypatch.setattr(media_hosts, "execute", refuse)
    media_hosts.record(["a.example"])
    with pytest.raises(connection.RedisUnavailable):
        media_hosts.recent()
