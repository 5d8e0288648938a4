"""TikTok's clock: what is believed, and what is judged by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stories.site_clock import SiteClock, believed_time

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("date", "stated", "believed"),
    [
        (None, None, None),
        (NOW, NOW, NOW),
        (-2 * DAY, -2 * DAY + MINUTE, -2 * DAY + MINUTE),
        (2 * DAY, 2 * DAY, 2 * DAY),
        (-400 * DAY, -400 * DAY, -400 * DAY),
        (None, -23 * HOUR, -23 * HOUR),
        (23 * HOUR, None, 23 * HOUR),
        (None, -25 * HOUR, None),
        (25 * HOUR, None, None),
        (-2 * DAY, -HOUR, -HOUR),
        (-HOUR, -2 * DAY, -HOUR),
        (-HOUR, HOUR, HOUR),
        (NOW, 8 * HOUR, NOW),
        (NOW, 23 * HOUR, NOW),
        (8 * HOUR, NOW, NOW),
        (-20 * HOUR, -HOUR, -HOUR),
        (-2 * DAY, 2 * DAY, None),
    ],
    ids=str,
)
def test_two_tellings_that_agree_are_believed_however_far_off_our_clock_is(
    date: datetime | timedelta | None,
    stated: datetime | timedelta | None,
    believed: datetime | timedelta | None,
) -> None:
    def moment(value: datetime | timedelta | None) -> datetime | None:
        return NOW + value if isinstance(value, timedelta) else value

    assert believed_time(NOW, date=moment(date), stated=moment(stated)) == moment(believed)


class Clocks:
    """Our clock and the monotonic one, both moved by hand."""

    def __init__(self) -> None:
        self.wall, self.elapsed, self.learnt = NOW, 0.0, list[float]()
        self.site = SiteClock(
            on_learnt=self.learnt.append,
            wall=lambda: self.wall,
            monotonic=lambda: self.elapsed,
        )

    def wait(self, span: timedelta) -> None:
        self.wall += span
        self.elapsed += span.total_seconds()


def test_before_the_first_answer_our_own_clock_is_all_there_is() -> None:
    clocks = Clocks()
    assert clocks.site.now() == NOW
    assert clocks.site.now(NOW + DAY) == NOW + DAY
    assert (clocks.site.last_told(), clocks.site.ahead_s) == (None, None)


def test_what_was_learnt_goes_on_with_time_and_not_with_our_clock() -> None:
    clocks = Clocks()
    clocks.site.learn(NOW - 2 * DAY)
    clocks.wait(HOUR)
    assert clocks.site.now() == NOW - 2 * DAY + HOUR
    clocks.wall -= 2 * DAY  # somebody sets it right while a look-up runs
    assert clocks.site.now() == NOW - 2 * DAY + HOUR
    assert clocks.site.ahead_s == 0


def test_a_single_date_two_days_off_makes_nothing_over_by_itself() -> None:
    clocks = Clocks()
    clocks.site.note_date(NOW - 2 * DAY)
    assert clocks.site.now() == NOW - 2 * DAY, "ours may be ahead"
    clocks = Clocks()
    clocks.site.note_date(NOW + 2 * DAY)
    assert clocks.site.now() == NOW, "theirs may be no clock"
    assert clocks.site.ahead_s == -2 * DAY.total_seconds()


def test_what_tiktok_shows_is_over_when_it_is_beyond_doubt() -> None:
    clocks = Clocks()
    assert clocks.site.at_least() == NOW - 7 * DAY
    assert clocks.site.at_least(NOW + DAY) == NOW - 6 * DAY
    clocks.site.note_date(NOW - 2 * DAY)
    assert clocks.site.at_least() == NOW - 9 * DAY, "not believed"
    clocks.site.learn(NOW + HOUR)
    assert (clocks.site.at_least(), clocks.site.doubt) == (NOW + HOUR, timedelta(0))


def test_a_single_date_is_believed_when_it_agrees_with_what_was_learnt() -> None:
    clocks = Clocks()
    clocks.site.learn(NOW + 2 * DAY)
    clocks.wait(HOUR)
    clocks.site.note_date(NOW + 2 * DAY + HOUR + MINUTE)
    assert clocks.site.now() == NOW + 2 * DAY + HOUR + MINUTE


def test_a_wild_date_does_not_undo_what_was_learnt() -> None:
    clocks = Clocks()
    clocks.site.learn(NOW - 2 * DAY)
    clocks.site.note_date(NOW - 400 * DAY)
    assert clocks.site.now() == NOW - 2 * DAY


def test_a_clock_set_right_is_noticed_with_the_next_answer() -> None:
    clocks = Clocks()
    clocks.site.learn(NOW - 2 * DAY)
    clocks.wall -= 2 * DAY
    clocks.site.note_date(NOW - 2 * DAY)
    assert clocks.learnt == [2 * DAY.total_seconds(), 0.0]


def test_a_difference_is_told_when_it_changes_and_now_and_then() -> None:
    clocks = Clocks()
    for _ in range(50):
        clocks.site.note_date(clocks.wall - MINUTE)
        clocks.wait(timedelta(seconds=30))
    assert clocks.learnt == [60.0] * 3, "25 minutes"
