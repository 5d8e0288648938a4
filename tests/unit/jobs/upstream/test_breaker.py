"""The breaker as one process keeps it while Redis is away.

What it does with Redis is in tests/integration/test_upstream.py.
"""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.ephemeral import steady
from jobs.upstream import breaker
from stories.errors import Challenged, RateLimited, Refused
from tests.memory import forget_tiktok, redis_stays_away


@pytest.fixture(autouse=True)
def _away() -> None:
    redis_stays_away()


def test_refusals_in_a_row_are_waited_for_longer() -> None:
    waits = []
    for _ in range(len(breaker.PAUSES_S) + 1):
        until = breaker.open_for(Refused())
        waits.append(round((until - timezone.now()).total_seconds()))
        breaker._local.ends_at = 0.0  # the pause is over
    assert waits == [*breaker.PAUSES_S, breaker.PAUSES_S[-1]]


def test_many_items_refused_at_once_count_as_one() -> None:
    first = breaker.open_for(Refused())
    assert {breaker.open_for(Challenged()) for _ in range(8)} == {first}


def test_no_pause_is_endless() -> None:
    until = breaker.open_for(RateLimited(retry_after_s=10**9))
    assert until <= timezone.now() + timedelta(seconds=breaker.MAX_PAUSE_S)


def test_rate_limits_wait_a_minute_or_as_long_as_tiktok_says() -> None:
    assert breaker.open_for(RateLimited()) >= timezone.now() + timedelta(seconds=59)
    forget_tiktok()
    assert breaker.open_for(RateLimited(retry_after_s=500)) >= timezone.now() + timedelta(
        seconds=499
    )


def test_what_the_banner_says() -> None:
    assert breaker.open_state() is None
    until = breaker.open_for(Challenged())
    assert breaker.open_state() == breaker.BreakerState(until, "challenged")
    assert breaker.probe() == breaker.open_state()
    assert not breaker.record_answer()  # asked for before the refusal
    assert breaker.probe() is not None
    breaker._local.ends_at = 0.0
    assert breaker.open_state() is None
    assert breaker.probe() is None
    assert breaker.record_answer()
    assert not breaker.record_answer()
    assert breaker._local.refusals == 0


def test_the_longest_pause_is_not_taken_for_one_of_a_wrong_clock() -> None:
    until = breaker.open_for(RateLimited(retry_after_s=breaker.MAX_PAUSE_S))
    assert breaker.open_state() == breaker.BreakerState(until, "rate_limited")


@pytest.mark.parametrize("days", [-1, 1])
def test_a_pause_is_a_length_whatever_the_clock_does(
    monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    steady_s, system_s = [5_000.0], [1_800_000_000.0]
    monkeypatch.setattr(steady, "now", lambda: steady_s[0])
    monkeypatch.setattr(time, "time", lambda: system_s[0])
    breaker.open_for(RateLimited(retry_after_s=3_600))
    system_s[0] += days * 86_400
    steady_s[0] += 3_599
    state = breaker.open_state()
    assert state
    assert state.until.timestamp() == system_s[0] + 1
    with pytest.raises(RateLimited) as pause:
        breaker.raise_if_open_here()
    assert pause.value.retry_after_s == 1
    steady_s[0] += 1
    assert breaker.open_state() is None
    breaker.raise_if_open_here()
    assert breaker.probe() is None  # one line tries
