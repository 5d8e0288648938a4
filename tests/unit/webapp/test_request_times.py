"""The time requests take: what is counted, and how it gets to Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from django.test import Client
from pydantic import SecretStr

from jobs.ephemeral import request_times as ephemeral
from jobs.ephemeral.connection import RedisUnavailable
from jobs.ephemeral.request_times import Series, Times
from webapp import request_times
from webapp.request_times import Pending


class Redis:
    """Takes what is recorded while it is up."""

    up = True

    def __init__(self) -> None:
        self.taken: list[Mapping[Series, Times]] = []

    def record(self, times: Mapping[Series, Times]) -> None:
        if not self.up:
            raise RedisUnavailable
        self.taken.append(dict(times))


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> Iterator[Redis]:
    server = Redis()
    monkeypatch.setattr(ephemeral, "record", server.record)
    monkeypatch.setattr(request_times, "HANDED_ON_S", 3600.0)
    monkeypatch.setattr(request_times, "pending", Pending())
    yield server
    timer = request_times.pending._timer
    if timer is not None:
        timer.cancel()


def counted(redis: Redis) -> dict[tuple[str, str], int]:
    request_times.pending.hand_on()
    (times,) = redis.taken
    return {(series.route, series.status): sum(taken.counts) for series, taken in times.items()}


@pytest.mark.django_db
def test_requests_are_counted_by_view_and_outcome(
    redis: Redis, set_env: Callable[..., None]
) -> None:
    set_env(metrics_token=SecretStr("t" * 16))
    client = Client()
    for path in ("/health/live", "/health/live", "/help/", "/jobs/x/", "/api/v1/jobs"):
        client.get(path)
    assert counted(redis) == {
        ("live", "2xx"): 2,
        ("help", "2xx"): 1,
        ("none", "4xx"): 1,
        ("api:submit", "4xx"): 1,
    }


def test_without_a_token_nobody_takes_the_time(redis: Redis) -> None:
    Client().get("/health/live")
    assert request_times.pending._times == {}
    assert request_times.pending._timer is None


def test_what_redis_does_not_take_is_kept_for_the_next_time(redis: Redis) -> None:
    pending: Any = request_times.pending
    series = Series("home", "2xx")
    redis.up = False
    pending.add(series, 0.2)
    timer = pending._timer
    pending.hand_on()
    timer.cancel()
    pending.add(series, 0.2)
    redis.up = True
    pending._timer.cancel()
    pending.hand_on()
    (times,) = redis.taken
    assert sum(times[series].counts) == 2
    assert times[series].total_s == pytest.approx(0.4)


def test_counts_are_handed_on_by_themselves(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_times, "HANDED_ON_S", 0.01)
    request_times.pending.add(Series("home", "2xx"), 0.2)
    timer = request_times.pending._timer
    assert timer is not None
    timer.join(20)
    assert len(redis.taken) == 1
