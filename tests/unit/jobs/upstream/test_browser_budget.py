"""The browser's budget while Redis is away. With it: tests/integration/test_ways.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from jobs.ephemeral.connection import RedisUnavailable
from jobs.upstream import browser_budget
from jobs.upstream.browser_budget import BrowserBudget
from tests.memory import redis_stays_away


@pytest.fixture(autouse=True)
def _three_an_hour(settings: Any) -> None:
    settings.STORYKEEP = SimpleNamespace(browser_per_hour=3)
    redis_stays_away()


@pytest.mark.anyio
async def test_an_hour_has_so_many_and_slides() -> None:
    clock = [100.0]
    budget = BrowserBudget(lambda: clock[0])
    assert [await budget.take() for _ in range(2)] == [True, True]
    clock[0] += 1_800
    assert [await budget.take() for _ in range(2)] == [True, False]
    clock[0] += 1_799
    assert not await budget.take()
    clock[0] += 1
    assert [await budget.take() for _ in range(3)] == [True, True, False]


@pytest.mark.anyio
async def test_none_is_no_limit(settings: Any) -> None:
    settings.STORYKEEP = SimpleNamespace(browser_per_hour=0)
    budget = BrowserBudget()
    assert all([await budget.take() for _ in range(50)])
    assert browser_budget.left() is None


@pytest.mark.anyio
async def test_a_redis_that_goes_away_does_not_begin_the_hour_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def plenty(_command: Any) -> int:
        return 3

    budget = BrowserBudget()
    with monkeypatch.context() as patch:
        patch.setattr(browser_budget, "execute_in_thread", plenty)
        assert [await budget.take() for _ in range(3)] == [True] * 3
    assert not await budget.take()


def test_how_many_are_left_is_not_known_then() -> None:
    with pytest.raises(RedisUnavailable):
        browser_budget.left()
