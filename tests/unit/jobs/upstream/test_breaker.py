"""The breaker as one process keeps it while Redis is away.

What it does with Redis is in tests/integration/test_upstream.py.
"""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

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
        breaker._local.until = 1.0  # the pause is over
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
    breaker._local.until = 1.0
    assert breaker.open_state() is None
    assert breaker.probe() is None
    assert breaker.record_answer()
    assert not breaker.record_answer()
    assert breaker._local.refusals == 0


def test_a_pause_reckoned_by_a_clock_that_was_days_ahead_ends_when_it_is_set_right() -> None:
    breaker.open_for(Refused())
    breaker._local.until += 2 * 86_400
    assert breaker.open_state() is None
    breaker.raise_if_open()
    breaker.raise_if_open_here()
    assert breaker.probe() is None
    breaker._local.until += 2 * 86_400
    until = breaker.open_for(Refused())
    assert until <= timezone.now() + timedelta(seconds=breaker.PAUSES_S[1])


def test_the_longest_pause_is_not_taken_for_one_of_a_wrong_clock() -> None:
    until = breaker.open_for(RateLimited(retry_after_s=breaker.MAX_PAUSE_S))
    assert breaker.open_state() == breaker.BreakerState(until, "rate_limited")


def test_a_clock_set_back_does_not_make_a_pause_last_for_days() -> None:
    breaker.open_for(RateLimited(retry_after_s=10**9))
    assert breaker.open_state()
    breaker.end_pause()
    assert breaker.open_state() is None
    assert breaker.probe() is None  # one line tries


def test_a_shared_pause_longer_than_any_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end was written before the clock was set back."""
    ends = time.time() + 2 * 24 * 60 * 60
    monkeypatch.setattr(breaker, "execute", lambda _command: [str(ends), "refused", None])
    state = breaker.shared_state()
    assert state
    assert state.until <= timezone.now()


def test_since_when_tiktok_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a breaker that was opened by an older worker, which did not note it."""
    now = time.time()
    told: list[str | None] = [str(now + 60), "refused", str(now - 3600)]
    monkeypatch.setattr(breaker, "execute", lambda _command: told)
    state = breaker.shared_state()
    assert state
    assert state.since
    assert round(state.since.timestamp()) == round(now - 3600)
    told[2] = None
    state = breaker.shared_state()
    assert state
    assert state.since is None
