"""Pace, breaker and identities as one process keeps them while Redis is away.

What they do with Redis is in tests/integration/test_upstream.py.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.ephemeral.progress import RedisAway
from jobs.upstream import breaker
from stories.errors import Challenged, RateLimited, Refused
from stories.structures import Author

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _away(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(question: object) -> None:
        raise RedisAway

    monkeypatch.setattr(breaker, "ask", ask)


@pytest.fixture
def pace(set_env: Any) -> Any:
    """`pace(rate, burst)` sets it."""

    def change(rate: float, burst: int) -> None:
        set_env(list_rate=rate, list_burst=burst)

    return change


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the gate slept, without sleeping."""
    taken: list[float] = []

    async def sleep(seconds: float) -> None:
        taken.append(seconds)

    monkeypatch.setattr("jobs.upstream.breaker.asyncio.sleep", sleep)
    return taken


async def test_a_burst_goes_at_once_and_then_the_rate_holds(pace: Any, naps: list[float]) -> None:
    pace(2.0, 3)
    for _ in range(6):
        await breaker.gate()
    assert [round(nap, 1) for nap in naps] == [0.5, 1.0, 1.5]


async def test_the_answer_to_a_challenge_is_counted_and_does_not_wait(
    pace: Any, naps: list[float]
) -> None:
    pace(2.0, 1)
    await breaker.gate()
    await breaker.gate(at_once=True)
    assert naps == []
    await breaker.gate()
    assert [round(nap, 1) for nap in naps] == [1.0], "it took a turn of those who wait"


async def test_without_a_limit_nobody_waits(pace: Any, naps: list[float]) -> None:
    pace(0, 1)
    for _ in range(100):
        await breaker.gate()
    assert naps == []


async def test_a_turn_given_up_goes_back(pace: Any) -> None:
    pace(1.0, 1)
    await breaker.gate()
    waiting = asyncio.create_task(breaker.gate())
    await asyncio.sleep(0.05)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await asyncio.sleep(0.05)
    bucket = breaker._buckets[1.0, 1]
    assert bucket.reserve() < 1.0  # else the one before would still be counted


async def test_the_gate_is_shut_while_tiktok_refuses(pace: Any) -> None:
    breaker.trip(RateLimited(retry_after_s=100))
    for rate in (0, 1000.0):
        pace(rate, 10)
        for at_once in (False, True):
            with pytest.raises(RateLimited) as refused:
                await breaker.gate(at_once=at_once)
            assert refused.value.retry_after_s == pytest.approx(100, abs=2)
    breaker._local.until = 1.0
    await breaker.gate()


def test_refusals_in_a_row_are_waited_for_longer() -> None:
    waits = []
    for _ in range(len(breaker.PAUSES_S) + 1):
        until = breaker.trip(Refused())
        waits.append(round((until - timezone.now()).total_seconds()))
        breaker._local.until = 1.0  # the pause is over
    assert waits == [*breaker.PAUSES_S, breaker.PAUSES_S[-1]]


def test_many_items_refused_at_once_count_as_one() -> None:
    first = breaker.trip(Refused())
    assert {breaker.trip(Challenged()) for _ in range(8)} == {first}


def test_no_pause_is_endless() -> None:
    until = breaker.trip(RateLimited(retry_after_s=10**9))
    assert until <= timezone.now() + timedelta(seconds=breaker.LONGEST_PAUSE_S)


def test_what_the_banner_says() -> None:
    assert breaker.breaker_status() is None
    until = breaker.trip(Challenged())
    assert breaker.breaker_status() == breaker.Breaker(until, "challenged")
    assert breaker.may_ask() == breaker.breaker_status()
    assert not breaker.answered()  # asked for before the refusal
    assert breaker.may_ask() is not None
    breaker._local.until = 1.0
    assert breaker.breaker_status() is None
    assert breaker.may_ask() is None
    assert breaker.answered()
    assert not breaker.answered()
    assert breaker._local.refusals == 0


async def test_without_redis_nobody_is_remembered() -> None:
    cache = breaker.identities()
    await cache.put(Author(id="1", name="one"))
    assert await cache.get("one") is None
    await cache.forget("one")
