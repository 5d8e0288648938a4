"""The difference of the clocks while Redis is away.

What it does with Redis is in tests/integration/test_upstream.py.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from jobs.ephemeral.connection import RedisUnavailable
from jobs.upstream import site_clock
from tests.memory import redis_stays_away

pytestmark = pytest.mark.anyio


async def test_without_redis_a_difference_is_learnt_and_not_told() -> None:
    redis_stays_away()
    clock = site_clock.reporting_clock()
    clock.learn(datetime.now(UTC) - timedelta(days=2))
    assert clock.ahead_s == pytest.approx(2 * 86_400, abs=5)
    with pytest.raises(RedisUnavailable):
        site_clock.ahead_s()


async def test_the_loop_does_not_wait_until_a_difference_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told, loop = asyncio.Event(), asyncio.get_running_loop()
    differences: list[float] = []

    def record(ahead_s: float) -> None:
        differences.append(ahead_s)
        loop.call_soon_threadsafe(told.set)

    monkeypatch.setattr(site_clock, "record", record)
    site_clock.reporting_clock().learn(datetime.now(UTC) - timedelta(days=2))
    await asyncio.wait_for(told.wait(), 5)
    assert differences == [pytest.approx(2 * 86_400, abs=5)]
