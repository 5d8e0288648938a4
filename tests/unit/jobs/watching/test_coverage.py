"""Tests for `jobs.watching.coverage`."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.models import WatchGap, WatchState
from jobs.watching import coverage
from jobs.watching.coverage import Gap, note_end, note_whole_list, open_gap, strip
from tests.unit.jobs.watching.making import watching

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def test_the_first_whole_list_covers_from_then_on() -> None:
    watch, now = watching(), timezone.now()
    assert note_whole_list(watch, now) is None
    assert (watch.covered_until, watch.deadline_at) == (now, now + 20 * HOUR)
    assert not WatchGap.objects.exists()


@pytest.mark.parametrize("hours", [0, 1, 20, 24])
def test_two_whole_lists_within_a_day_leave_no_hole(hours: int) -> None:
    now = timezone.now()
    watch = watching(covered_until=now - hours * HOUR)
    assert note_whole_list(watch, now) is None
    assert watch.covered_until == now


def test_a_hole_is_what_may_have_come_and_gone_unseen() -> None:
    now = timezone.now()
    watch = watching(covered_until=now - 30 * HOUR)
    gap = note_whole_list(watch, now)
    assert gap is not None
    # What was posted in the six hours after the first list had left TikTok before the second.
    assert (gap.begins_at, gap.ends_at) == (now - 30 * HOUR, now - 24 * HOUR)
    assert list(watch.gaps.all()) == [gap]


def test_a_clock_that_was_set_back_leaves_no_hole() -> None:
    now = timezone.now()
    watch = watching(covered_until=now + 48 * HOUR)
    assert note_whole_list(watch, now) is None
    assert watch.covered_until == now


def test_a_hole_is_open_once_a_story_may_be_gone() -> None:
    now = timezone.now()
    watch = watching(covered_until=now - 23 * HOUR)
    assert open_gap(watch, now) is None
    assert open_gap(watch, now + 2 * HOUR) == Gap(now - 23 * HOUR, None)
    watch.state = WatchState.PAUSED
    assert open_gap(watch, now + 2 * HOUR) is not None
    watch.state = WatchState.ENDED
    assert open_gap(watch, now + 2 * HOUR) is None


def test_before_the_first_whole_list_nothing_is_covered_since_the_watch_began() -> None:
    """Every look failed, for days."""
    now = timezone.now()
    watch = watching(created_at=now - 3 * DAY)
    assert open_gap(watch, now) == Gap(now - 3 * DAY, None)
    assert [day.covered for day in strip(watch, [], now)] == [None] * 4 + [False] * 3
    gap = note_whole_list(watch, now)
    assert gap is not None
    assert (gap.begins_at, gap.ends_at) == (now - 3 * DAY, now - DAY)
    assert [day.covered for day in strip(watch, [gap], now)] == [None] * 4 + [False] * 2 + [True]
    new = watching("omar", created_at=now - HOUR)
    assert open_gap(new, now) is None
    assert note_whole_list(new, now) is None


def test_the_strip_tells_the_last_seven_days() -> None:
    now = timezone.now()
    watch = watching(created_at=now - 5 * DAY + HOUR, covered_until=now - HOUR)
    gap = WatchGap(watch=watch, begins_at=now - 2 * DAY - HOUR, ends_at=now - 2 * DAY + HOUR)
    days = strip(watch, [gap], now)
    assert [day.covered for day in days] == [None, None, True, True, False, False, True]
    assert days[0].begins_at == now - 7 * DAY
    assert [day.covered for day in strip(watching("omar"), [], now)] == [None] * 7


def test_the_strip_shows_a_hole_that_goes_on() -> None:
    now = timezone.now()
    watch = watching(created_at=now - 9 * DAY, covered_until=now - 30 * HOUR)
    assert [day.covered for day in strip(watch, [], now)] == [True] * 5 + [False] * 2
    assert len(strip(watch, [], now)) == coverage.STRIP_DAYS


@pytest.mark.parametrize(("looked", "ends"), [(True, DAY), (False, timedelta())])
def test_the_hole_that_is_open_stays_when_a_watch_ends(looked: bool, ends: timedelta) -> None:
    now = timezone.now()
    watch = watching(created_at=now - 9 * DAY, covered_until=now - 3 * DAY, renew_by=now)
    gap = note_end(watch, now, looked=looked)
    assert gap is not None
    assert (gap.begins_at, gap.ends_at) == (now - 3 * DAY, now - ends)
    assert note_end(watch, now, looked=looked) == gap
    watch.state, watch.error_code, watch.looked_at = WatchState.ENDED, "x" * looked, now
    later = strip(watch, [gap], now + 2 * DAY)
    assert [day.covered for day in later[:2]] == [True, True]
    assert [day.covered for day in later[-2:]] == [None, None], "after its end nothing is said"


def test_without_a_hole_none_stays_and_one_that_never_began_has_none() -> None:
    now = timezone.now()
    assert note_end(watching(covered_until=now - HOUR), now, looked=True) is None
    never = watching("omar", name="", created_at=now - 3 * DAY, state=WatchState.CHECKING)
    assert note_end(never, now, looked=True) is None
