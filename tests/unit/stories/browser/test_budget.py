"""So many look-ups within any hour."""

from __future__ import annotations

import pytest

from stories.browser.budget import HourlyBudget

pytestmark = pytest.mark.anyio


async def test_the_hour_slides() -> None:
    now = [0.0]
    budget = HourlyBudget(2, clock=lambda: now[0])
    assert await budget.take()
    now[0] = 600
    assert await budget.take()
    assert not await budget.take()
    assert budget.wait_s() == 3000
    now[0] = 3600
    assert budget.wait_s() == 0
    assert await budget.take()
    assert not await budget.take(), "the second one counts until 4200"


async def test_a_refused_one_does_not_count() -> None:
    now = [0.0]
    budget = HourlyBudget(1, clock=lambda: now[0])
    assert await budget.take()
    for now[0] in (100, 200, 300):
        assert not await budget.take()
    now[0] = 3601
    assert await budget.take()


async def test_zero_is_no_limit() -> None:
    budget = HourlyBudget(0)
    assert all([await budget.take() for _ in range(100)])
    assert budget.wait_s() == 0
