"""The clock: what is sent when, by one of several, and what a Redis that is away does to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from jobs.ephemeral import connection, heartbeats, leases
from jobs.ephemeral.connection import RedisUnavailable
from jobs.queue import broker, routing
from webapp import clock
from webapp.clock import Clock

HOUR = 3_600


class Redis:
    """Leases and messages, and the time. failing: what Redis takes no more: "leases" when it is
    away, "messages" when it goes away after a lease was taken."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.failing = ""
        self.asked = 0
        self.leases: dict[str, tuple[str, float]] = {}
        self.sent: list[tuple[float, str]] = []

    def acquire(self, name: str, holder: str, *, seconds: float) -> bool:
        self.asked += 1
        if self.failing == "leases":
            raise RedisUnavailable
        if self.leases.get(name, ("", 0.0))[1] <= self.now:
            self.leases[name] = (holder, self.now + seconds)
        return self.leases[name][0] == holder

    def release(self, name: str) -> None:
        self.leases.pop(name, None)

    def send(self, task: str) -> bool:
        if self.failing:
            return False
        self.sent.append((self.now, task.rpartition(".")[2]))
        return True

    def clock(self, schedule: Mapping[str, float] | None = clock.EVERY_S) -> Clock:
        """A clock that sends all that is always sent; None: what is switched on as well."""
        return Clock(schedule, now=lambda: self.now)

    def run(self, seconds: float, *clocks: Clock) -> list[str]:
        """The tasks sent while so many seconds go by."""
        before = len(self.sent)
        for _ in range(int(seconds / clock.LOOK_EVERY_S)):
            self.now += clock.LOOK_EVERY_S
            for each in clocks:
                each.tick()
        return [task for _, task in self.sent[before:]]


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> Redis:
    redis = Redis()
    monkeypatch.setattr(leases, "acquire", redis.acquire)
    monkeypatch.setattr(leases, "release", redis.release)
    monkeypatch.setattr(broker, "send_periodic", redis.send)
    return redis


def test_each_task_is_sent_once_an_interval_and_not_at_the_start(redis: Redis) -> None:
    alone = redis.clock()
    assert redis.run(14, alone) == []
    assert redis.run(46, alone) == ["repair"] * 4 + ["sweep"]
    assert sorted(redis.run(600, alone)) == ["repair"] * 40 + ["sweep"] * 10


def test_of_several_clocks_one_acts_in_an_interval(redis: Redis) -> None:
    several = []
    for _ in range(4):  # started at different times, as workers are
        several.append(redis.clock())
        redis.run(4, *several)
    assert sorted(redis.run(600, *several)) == ["repair"] * 40 + ["sweep"] * 10


def test_two_clocks_that_look_at_the_same_moment(redis: Redis) -> None:
    assert sorted(redis.run(60, redis.clock(), redis.clock())) == ["repair"] * 4 + ["sweep"]


def test_a_worker_that_dies_is_stood_in_for_within_two_intervals(redis: Redis) -> None:
    acting = redis.clock()
    redis.run(7, acting)
    other = redis.clock()
    redis.run(120, acting, other)
    last = max(at for at, task in redis.sent if task == "sweep")
    redis.run(120, other)
    first = min(at for at, task in redis.sent if task == "sweep" and at > last)
    assert first - last <= 2 * heartbeats.SWEEP_EVERY_S


def test_a_machines_clock_that_is_set_changes_nothing(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forwards or back: intervals are measured by a clock that only goes forward."""
    monkeypatch.setattr(time, "monotonic", lambda: redis.now)
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.0)
    alone = Clock(clock.EVERY_S)
    assert redis.run(14, alone) == []
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert redis.run(46, alone) == ["repair"] * 4 + ["sweep"]


@pytest.mark.parametrize("failing", ["leases", "messages"])
def test_a_redis_that_was_away_is_sent_each_task_once_and_soon(redis: Redis, failing: str) -> None:
    alone = redis.clock()
    redis.failing = failing
    assert redis.run(HOUR, alone) == []
    redis.failing = ""
    assert sorted(redis.run(clock.RETRY_AFTER_S, alone)) == ["repair", "sweep"]
    assert sorted(redis.run(60, alone)) == ["repair"] * 4 + ["sweep"]


def test_a_clock_whose_message_is_not_taken_lets_another_one_act(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as refused:
        refused.setattr(broker, "send_periodic", lambda _task: False)
        redis.run(16, redis.clock())
    assert redis.leases == {}


def test_a_clock_that_was_stopped_between_its_lease_and_its_message_sends_none(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped, other = redis.clock(), redis.clock()
    acquire = redis.acquire

    def acquire_and_stop(name: str, holder: str, *, seconds: float) -> bool:
        has_it = acquire(name, holder, seconds=seconds)
        if has_it:
            redis.now += seconds
            monkeypatch.setattr(leases, "acquire", acquire)
            assert redis.run(1, other) != []
        return has_it

    redis.now += 15
    monkeypatch.setattr(leases, "acquire", acquire_and_stop)
    stopped.tick()
    times = [at for at, task in redis.sent if task == "repair"]
    assert len(times) == 1


def test_a_redis_that_hangs_is_asked_seldom(redis: Redis) -> None:
    """Each attempt takes a second of the loop that fetches."""
    alone = redis.clock()
    redis.failing = "leases"
    redis.run(HOUR, alone)
    assert redis.asked <= HOUR / clock.RETRY_AFTER_S
    assert clock.RETRY_AFTER_S >= 4 * connection.TIMEOUT_S


def test_it_sends_what_runs_beside_the_pool() -> None:
    assert {*clock.EVERY_S, routing.WATCH} == set(routing.HOUSEKEEPING)


def test_messages_to_people_are_looked_for_four_times_a_minute(redis: Redis) -> None:
    sent = redis.run(HOUR, redis.clock(None), redis.clock(None))
    assert 239 <= sent.count("send_notices") <= 240


def test_a_daily_backup_is_asked_for_only_where_it_is_switched_on(
    redis: Redis, set_env: Callable[..., None]
) -> None:
    assert "back_up" not in redis.run(HOUR, redis.clock(None))
    set_env(backup_daily=True)
    sent = redis.run(HOUR, redis.clock(None), redis.clock(None))
    assert 5 <= sent.count("back_up") <= 6


def test_watched_accounts_are_looked_after_only_where_people_may_watch(
    redis: Redis, set_env: Callable[..., None]
) -> None:
    assert 55 <= redis.run(HOUR, redis.clock(None)).count("watch") <= 60
    set_env(watches="off")
    assert "watch" not in redis.run(HOUR, redis.clock(None))


def test_the_library_is_filled_only_where_there_is_one(
    redis: Redis, set_env: Callable[..., None], tmp_path: Path
) -> None:
    assert "fill_library" not in redis.run(HOUR, redis.clock(None))
    set_env(library_dir=tmp_path)
    assert "fill_library" in redis.run(HOUR, redis.clock(None), redis.clock(None))


def test_a_message_expires_when_the_next_of_its_kind_has_come() -> None:
    expires_after_s = broker.PERIODIC_EXPIRES_AFTER.total_seconds()
    assert expires_after_s <= max(clock.EVERY_S.values())
