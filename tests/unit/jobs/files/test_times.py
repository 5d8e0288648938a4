"""The time of a file, and the clock its name shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from jobs.files import names, story_names, times
from jobs.files.story_names import NameFacts
from jobs.models import Job

POSTED = datetime(2026, 11, 20, 23, 30, 31, 5, tzinfo=UTC)
SAVED = POSTED + timedelta(hours=1)


def _name(posted_at: datetime, zone: tzinfo) -> str:
    facts = NameFacts(author="ann", posted_at=posted_at, zone=zone)
    return story_names.media_name(facts, 1, ".jpg")


def test_a_file_is_as_old_as_its_posting() -> None:
    assert times.file_time(POSTED, SAVED) == datetime(2026, 11, 20, 23, 30, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("posted", "bounded"),
    [
        (datetime(1, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)),
        (datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)),
        (datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), SAVED.replace(microsecond=0)),
        (SAVED + timedelta(days=2), SAVED.replace(microsecond=0)),
    ],
)
def test_a_hostile_posting_time_is_brought_within_bounds(
    posted: datetime, bounded: datetime
) -> None:
    assert times.file_time(posted, SAVED) == bounded


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("UTC", "ann_2026-11-20_2330_01.jpg"),
        ("Europe/Berlin", "ann_2026-11-21_0030_01.jpg"),
        ("America/Los_Angeles", "ann_2026-11-20_1530_01.jpg"),
        ("Asia/Kathmandu", "ann_2026-11-21_0515_01.jpg"),
    ],
)
def test_a_name_shows_the_clock_of_its_owner(zone: str, shown: str) -> None:
    job = Job(time_zone=zone)
    assert _name(POSTED, times.zone_of(job)) == shown


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../../etc/passwd", "Europe", "\0", "a" * 64])
def test_a_zone_nobody_knows_any_more_is_the_instances(zone: str) -> None:
    assert times.zone_of(Job(time_zone=zone)) == timezone.get_default_timezone()


def test_the_hour_that_comes_twice_in_autumn_still_makes_two_names() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    summer = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    first, second = (_name(at, berlin) for at in (summer, summer + timedelta(hours=1)))
    assert first == second == "ann_2026-10-25_0230_01.jpg"
    assert names.unique_name(second, {names.collision_key(first)}) == "ann_2026-10-25_0230_01_2.jpg"


@pytest.mark.parametrize("year", [1, 9999])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_a_name_at_the_end_of_the_calendar(year: int, zone: str) -> None:
    at = datetime(year, 12, 31, 23, 59, tzinfo=UTC) if year > 1 else datetime(1, 1, 1, tzinfo=UTC)
    name = _name(at, ZoneInfo(zone))
    assert name.startswith(("ann_0001-01-01", "ann_9999-12-31"))


@pytest.mark.parametrize(
    ("zone", "noted"),
    [("Europe/Berlin", "Europe/Berlin"), ("Etc/GMT+5", "Etc/GMT+5"), ("UTC", ""), (None, "")],
)
def test_the_zone_of_the_reader_is_noted_unless_it_is_the_instances(
    zone: str | None, noted: str
) -> None:
    with timezone.override(ZoneInfo(zone) if zone else None):
        assert times.reader_zone_name() == noted


def test_a_zone_without_a_name_is_not_noted() -> None:
    with timezone.override(timezone.get_fixed_timezone(330)):
        assert times.reader_zone_name() == ""
