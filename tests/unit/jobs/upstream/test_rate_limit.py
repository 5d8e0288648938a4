"""The rate limit as one process keeps it while Redis is away.

What it does with Redis is in tests/integration/test_upstream.py.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from jobs.upstream import breaker, rate_limit
from stories.errors import RateLimited
from tests.memory import redis_stays_away

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _away() -> None:
    redis_stays_away()


@pytest.fixture
def pace(set_env: Any) -> Any:
    """`pace(rate, burst)` sets it."""

    def change(rate: float, burst: int) -> None:
        set_env(list_rate=rate, list_burst=burst)

    return change


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long `acquire` slept, without sleeping. The clock stands still: no token comes back."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("jobs.upstream.rate_limit.asyncio.sleep", sleep)
    monkeypatch.setattr("jobs.upstream.rate_limit.time.monotonic", lambda: 1000.0)
    return slept


async def test_a_burst_goes_at_once_and_then_the_rate_holds(pace: Any, naps: list[float]) -> None:
    pace(2.0, 3)
    for _ in range(6):
        await rate_limit.acquire()
    assert [round(nap, 1) for nap in naps] == [0.5, 1.0, 1.5]


async def test_the_answer_to_a_challenge_is_counted_and_does_not_wait(
    pace: Any, naps: list[float]
) -> None:
    pace(2.0, 1)
    await rate_limit.acquire()
    await rate_limit.acquire(at_once=True)
    assert naps == []
    await rate_limit.acquire()
    assert [round(nap, 1) for nap in naps] == [1.0], "it took a turn of those who wait"


async def test_without_a_limit_nobody_waits(pace: Any, naps: list[float]) -> None:
    pace(0, 1)
    for _ in range(100):
        await rate_limit.acquire()
    assert naps == []
    assert rate_limit.tokens_left() == math.inf


async def test_a_process_knows_how_many_tokens_are_left(
    pace: Any, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    pace(2.0, 3)
    left = [rate_limit.tokens_left()]
    for _ in range(5):
        await rate_limit.acquire()
        left.append(rate_limit.tokens_left())
    assert left == [3.0, 2.0, 1.0, 0.0, -1.0, -2.0]
    for later, more in ((1001.0, 0.0), (1002.0, 2.0), (1100.0, 3.0)):
        monkeypatch.setattr("jobs.upstream.rate_limit.time.monotonic", lambda at=later: at)
        assert rate_limit.tokens_left() == more


async def test_a_turn_given_up_goes_back(pace: Any) -> None:
    pace(1.0, 1)
    await rate_limit.acquire()
    waiting = asyncio.create_task(rate_limit.acquire())
    await asyncio.sleep(0.05)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await asyncio.sleep(0.05)
    bucket = rate_limit._local_buckets[1.0, 1]
    assert bucket.take() < 1.0  # else the one before would still be counted


async def test_the_gate_is_shut_while_tiktok_refuses(pace: Any) -> None:
    breaker.open_for(RateLimited(retry_after_s=100))
    for rate in (0, 1000.0):
        pace(rate, 10)
        for at_once in (False, True):
            with pytest.raises(RateLimited) as refused:
                await rate_limit.acquire(at_once=at_once)
            assert refused.value.retry_after_s == pytest.approx(100, abs=2)
    breaker._local.ends_at = 0.0
    await rate_limit.acquire()
