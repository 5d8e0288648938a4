"""The rate limit of a run: waiting, and no request after a refusal."""

from __future__ import annotations

import asyncio

import pytest

from jobs.standalone.client import RunRateLimit
from stories.errors import RateLimited


@pytest.mark.anyio
async def test_turns_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    rate_limit = RunRateLimit(0.5, 2)
    for _ in range(4):
        await rate_limit.acquire()
    assert [round(seconds) for seconds in slept] == [0, 0, 2, 4]
    await rate_limit.acquire(at_once=True)
    await rate_limit.acquire()
    assert [round(seconds) for seconds in slept[4:]] == [0, 8], "counted, and not waited for"


@pytest.mark.anyio
async def test_nobody_asks_after_a_refusal() -> None:
    rate_limit = RunRateLimit(0, 1)
    await rate_limit.acquire()
    rate_limit.refuse_all(RateLimited(retry_after_s=30))
    with pytest.raises(RateLimited) as caught:
        await rate_limit.acquire()
    assert caught.value.retry_after_s == 30
