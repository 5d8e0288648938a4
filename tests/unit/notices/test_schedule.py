"""When a message may go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from notices.schedule import GROUPED_FOR, Schedule

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def at(text: str) -> datetime:
    """A moment in Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def test_the_first_one_goes_at_once() -> None:
    assert Schedule(zone=UTC).next_at(NOON, NOON) == NOON


def test_what_comes_within_a_quarter_of_an_hour_goes_together() -> None:
    schedule = Schedule(zone=UTC, told_at=NOON - timedelta(minutes=4))
    assert schedule.next_at(NOON, NOON) == NOON + timedelta(minutes=11)
    schedule = Schedule(zone=UTC, told_at=NOON - GROUPED_FOR)
    assert schedule.next_at(NOON, NOON) == NOON


def test_a_last_message_from_the_future_holds_nothing_up() -> None:
    schedule = Schedule(zone=UTC, told_at=NOON + timedelta(days=300))
    assert schedule.next_at(NOON, NOON) == NOON


@pytest.mark.parametrize(
    ("now", "goes"),
    [
        ("2026-11-30 22:00", "2026-12-01 07:00"),
        ("2026-12-01 06:59", "2026-12-01 07:00"),
        ("2026-12-01 07:00", "2026-12-01 07:00"),
        ("2026-11-30 21:59", "2026-11-30 21:59"),
    ],
)
def test_in_quiet_hours_it_waits_for_their_end(now: str, goes: str) -> None:
    schedule = Schedule(zone=BERLIN, quiet_from=22, quiet_until=7)
    assert schedule.next_at(at(now), at(now)) == at(goes)


def test_quiet_hours_within_a_day() -> None:
    schedule = Schedule(zone=BERLIN, quiet_from=9, quiet_until=17)
    assert schedule.next_at(at("2026-11-30 16:59"), NOON) == at("2026-11-30 17:00")
    assert schedule.next_at(at("2026-11-30 08:59"), NOON) == at("2026-11-30 08:59")


def test_hours_that_are_one_hour_are_none() -> None:
    schedule = Schedule(zone=BERLIN, quiet_from=7, quiet_until=7)
    assert schedule.next_at(NOON, NOON) == NOON


def test_a_digest_waits_for_its_hour_and_goes_then() -> None:
    schedule = Schedule(zone=BERLIN, digest_hour=8)
    came = at("2026-11-30 09:30")
    assert schedule.next_at(came, came) == at("2026-12-01 08:00")
    assert schedule.next_at(at("2026-12-01 08:00"), came) == at("2026-12-01 08:00")
    late = at("2026-12-01 19:12")
    assert schedule.next_at(late, came) == late  # the server was off in the morning


def test_a_digest_goes_at_its_hour_although_it_is_quiet() -> None:
    schedule = Schedule(zone=BERLIN, digest_hour=6, quiet_from=22, quiet_until=7)
    assert schedule.next_at(at("2026-11-30 23:00"), at("2026-11-30 23:00")) == at(
        "2026-12-01 06:00"
    )


def test_what_came_by_a_clock_that_was_ahead_goes_with_the_next_digest() -> None:
    schedule = Schedule(zone=BERLIN, digest_hour=8)
    now = at("2026-11-30 09:30")
    assert schedule.next_at(now, now + timedelta(days=300)) == at("2026-12-01 08:00")


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25", "2026-03-28", "2026-10-24"])
@pytest.mark.parametrize("hour", range(24))
def test_where_the_clock_is_changed_a_digest_goes_within_a_day_and_an_hour(
    day: str, hour: int
) -> None:
    schedule = Schedule(zone=BERLIN, digest_hour=hour)
    for minutes in range(0, 24 * 60, 45):
        now = at(f"{day} 00:00") + timedelta(minutes=minutes)
        wait = schedule.next_at(now, now) - now
        assert timedelta() < wait <= timedelta(hours=25)
