"""How often a token may ask."""

from __future__ import annotations

import itertools

import pytest

from webapp import api_rate_limit
from webapp.api_rate_limit import Decision, FixedWindowLimiter


@pytest.fixture
def no_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process counts by itself."""
    monkeypatch.setattr(api_rate_limit, "_take", lambda _token_id, _limit: None)


@pytest.mark.usefixtures("no_redis")
def test_so_many_a_minute_for_each_token() -> None:
    now = 100.0
    limiter = FixedWindowLimiter(lambda: now)
    assert [limiter.acquire(1, 3).remaining for _ in range(3)] == [2, 1, 0]
    now += 20
    refused = limiter.acquire(1, 3)
    assert (refused.allowed, refused.remaining, refused.resets_in_s) == (False, 0, 40)
    assert refused.headers == {
        "RateLimit-Limit": "3",
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": "40",
    }
    assert limiter.acquire(2, 3).allowed
    now += 40
    assert limiter.acquire(1, 3) == Decision(True, 3, 2, 60)


@pytest.mark.usefixtures("no_redis")
@pytest.mark.parametrize("now", [226.6, 16_349.9, 4052.780171735659, 100.0])
def test_a_minute_has_sixty_seconds_whenever_it_begins(now: float) -> None:
    assert FixedWindowLimiter(lambda: now).acquire(1, 3).resets_in_s == 60


@pytest.mark.usefixtures("no_redis")
def test_what_is_over_is_dropped() -> None:
    now = 0.0
    limiter = FixedWindowLimiter(lambda: now)
    for token in range(api_rate_limit._MANY_WINDOWS + 1):
        limiter.acquire(token, 1)
    now += api_rate_limit.WINDOW_S
    limiter.acquire(0, 1)
    assert len(limiter._windows) == 1


class Counter:
    """What Redis does with the script, at its own pace. left_s: of the window."""

    def __init__(self) -> None:
        self.used: dict[int, int] = {}
        self.left_s = 60.0
        self.asked = 0
        self.away = False

    def take(self, token_id: int, limit: int) -> tuple[int, int, float] | None:
        self.asked += 1
        if self.away:
            return None
        used = self.used.get(token_id, 0)
        got = max(0, min(max(1, limit // api_rate_limit.SHARES), limit - used))
        self.used[token_id] = used + got
        return used, got, self.left_s


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    """Redis, as far as the limit knows it."""
    counter = Counter()
    monkeypatch.setattr(api_rate_limit, "_take", counter.take)
    return counter


@pytest.mark.parametrize("limit", [1, 3, 49, 100, 600])
def test_several_processes_grant_the_limit_once(counter: Counter, limit: int) -> None:
    processes = [FixedWindowLimiter(lambda: 5.0) for _ in range(3)]
    turns = itertools.islice(itertools.cycle(processes), limit + 30)
    granted = sum(process.acquire(1, limit).allowed for process in turns)
    share = max(1, limit // api_rate_limit.SHARES)
    assert limit - 2 * (share - 1) <= granted <= limit
    assert processes[0].acquire(2, limit).allowed


def test_one_process_counts_exactly_and_asks_seldom(counter: Counter) -> None:
    limiter = FixedWindowLimiter(lambda: 5.0)
    answers = [limiter.acquire(1, 600) for _ in range(605)]
    assert [answer.remaining for answer in answers] == [*range(599, -1, -1), 0, 0, 0, 0, 0]
    assert counter.asked == api_rate_limit.SHARES + 1


def test_the_window_is_that_of_them_all(counter: Counter) -> None:
    now = 5.0
    limiter = FixedWindowLimiter(lambda: now)
    counter.left_s, counter.used[1] = 12.5, 3
    assert limiter.acquire(1, 3) == Decision(False, 3, 0, 13)
    now += 13
    counter.left_s, counter.used[1] = 60, 0
    assert limiter.acquire(1, 3) == Decision(True, 3, 2, 60)


def test_without_redis_each_process_grants_the_limit(counter: Counter) -> None:
    counter.away = True
    limiter = FixedWindowLimiter(lambda: 5.0)
    assert [limiter.acquire(1, 2).allowed for _ in range(4)] == [True, True, False, False]
    counter.away = False
    assert FixedWindowLimiter(lambda: 5.0).acquire(1, 2).allowed
