"""Tests for `jobs.watching.rhythm`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jobs.watching import rhythm
from jobs.watching.rhythm import HOUR, LONGEST, RETRY, choices, default, next_look, next_moment

AT = datetime(2026, 11, 20, 14, 3, tzinfo=UTC)
IDS = [str(7_000_000_000_000_000_000 + 17 * number) for number in range(200)]


@pytest.mark.parametrize("every", rhythm.RHYTHMS)
def test_looks_are_an_interval_apart_but_for_five_percent(every: timedelta) -> None:
    for account in IDS[:20]:
        moment = next_moment(account, every, AT)
        for _ in range(20):
            following = next_moment(account, every, moment)
            assert abs((following - moment) / every - 1) <= 2 * rhythm.JITTER
            moment = following


def test_a_slow_rhythm_looks_when_a_fast_one_does() -> None:
    """One look serves all who watch an account."""
    for account in IDS[:20]:
        fast = AT
        moments = set()
        for _ in range(40):
            fast = next_moment(account, 3 * HOUR, fast)
            moments.add(fast)
        assert next_moment(account, 6 * HOUR, AT) in moments
        assert next_moment(account, 12 * HOUR, AT) in moments


def test_accounts_are_spread_over_the_interval() -> None:
    hours = {int((next_moment(account, 12 * HOUR, AT) - AT) / HOUR) for account in IDS}
    assert len(hours) >= 12


def test_an_account_keeps_its_moments() -> None:
    assert next_moment("7", 6 * HOUR, AT) == next_moment("7", 6 * HOUR, AT + HOUR / 60)


@pytest.mark.parametrize("every", rhythm.RHYTHMS)
def test_nobody_waits_longer_than_they_chose_for_a_look(every: timedelta) -> None:
    """Whenever the last one was, be it one that somebody asked for."""
    for account in IDS[:20]:
        for minutes in range(0, 720, 7):
            after = AT + timedelta(minutes=minutes)
            wait = next_moment(account, every, after) - after
            assert rhythm.NEAR < wait <= every * (1 + 2 * rhythm.JITTER) + rhythm.NEAR


def test_after_two_failures_the_interval_doubles() -> None:
    usual = next_look("7", 3 * HOUR, after=AT, failures=1, deadline=None)
    slower = next_look("7", 3 * HOUR, after=AT, failures=2, deadline=None)
    assert usual == next_moment("7", 3 * HOUR, AT)
    assert slower == next_moment("7", 6 * HOUR, AT)


@pytest.mark.parametrize("every", rhythm.RHYTHMS)
@pytest.mark.parametrize("failures", [0, 1, 2, 50])
def test_no_look_is_later_than_twenty_hours_after_the_last_whole_list(
    every: timedelta, failures: int
) -> None:
    for account in IDS:
        for since in range(20):  # hours since the last whole list, when a look failed
            deadline = AT - since * HOUR + LONGEST
            moment = next_look(account, every, after=AT, failures=failures, deadline=deadline)
            assert AT < moment <= max(deadline, AT + RETRY)


def test_a_time_that_is_up_is_tried_again_soon_and_not_at_once() -> None:
    deadline = AT - HOUR
    assert next_look("7", 12 * HOUR, after=AT, failures=6, deadline=deadline) == AT + RETRY


def test_one_that_fails_for_days_is_looked_at_as_often_as_it_was_to_be() -> None:
    """Not 48 times a day for ever."""
    at, looks = AT, 0
    while at < AT + timedelta(days=10):
        at = next_look("7", 6 * HOUR, after=at, failures=looks, deadline=AT + LONGEST)
        looks += 1
    assert looks < 40


def test_the_shortest_rhythm_is_the_admins() -> None:
    assert choices(3 * HOUR) == (3 * HOUR, 6 * HOUR, 12 * HOUR)
    assert choices(HOUR) == (HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR)
    assert choices(8 * HOUR) == (8 * HOUR, 12 * HOUR)
    assert choices(12 * HOUR) == (12 * HOUR,)
    assert default(3 * HOUR) == 6 * HOUR
    assert default(8 * HOUR) == 8 * HOUR
