"""Days of 25 and of 23 hours: pages tell the reader's day, and lives last as long as ever."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs import wording
from jobs.files import lifetime
from jobs.models import Artifact, Job
from jobs.ops import dashboard
from jobs.queue import quotas
from jobs.states import ItemState
from jobs.templatetags import words
from tests.factories import make_artifact, make_item
from tests.unit.jobs.pages.pages import saved, shown

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")
# On 25 October 2026, 03:00 CEST is 02:00 CET; on 29 March, 02:00 CET is 03:00 CEST.
LONG_EVENING = datetime(2026, 10, 25, 22, 30, tzinfo=UTC)
SHORT_EVENING = datetime(2026, 3, 29, 21, 30, tzinfo=UTC)

SetClock = Callable[[datetime], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Let it be a moment of one's choice."""
    return lambda now: monkeypatch.setattr(timezone, "now", lambda: now)


@pytest.mark.parametrize(
    ("now", "ago", "said"),
    [
        (LONG_EVENING, timedelta(hours=24, minutes=20), "00:10 CEST"),
        (LONG_EVENING, timedelta(hours=24, minutes=40), "yesterday 23:50 CEST"),
        (SHORT_EVENING, timedelta(hours=22, minutes=20), "00:10 CET"),
        (SHORT_EVENING, timedelta(hours=22, minutes=40), "yesterday 23:50 CET"),
    ],
)
def test_yesterday_ends_at_midnight_however_long_the_day(
    set_clock: SetClock, now: datetime, ago: timedelta, said: str
) -> None:
    set_clock(now)
    with timezone.override(BERLIN):
        assert f">{said}<" in words.when(now - ago, "near")
    set_clock(now - ago)
    with timezone.override(BERLIN):
        coming = words.when(now, "near")
    assert ("tomorrow" in coming) == ("yesterday" in said)


def test_the_hour_that_comes_twice_is_told_apart() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    with timezone.override(BERLIN):
        assert [wording.absolute(first + n * HOUR) for n in range(3)] == [
            "25 Oct, 02:30 CEST",
            "25 Oct, 02:30 CET",
            "25 Oct, 03:30 CET",
        ]


@pytest.mark.parametrize(("now", "day_h"), [(LONG_EVENING, 25), (SHORT_EVENING, 23)])
def test_the_history_has_the_readers_days(
    client: Client, alice: User, set_clock: SetClock, now: datetime, day_h: int
) -> None:
    """Of three jobs the second was sent just after the day began, the third just before."""
    begin = now + HOUR / 2 - day_h * HOUR
    moments = (now, begin + HOUR / 6, begin - HOUR / 6)
    for moment in moments:
        Job.objects.filter(pk=saved(alice).pk).update(created_at=moment)
    set_clock(now)
    client.cookies["zone"] = "Europe/Berlin"
    _, *days = shown(client.get("/history/")).split('<section class="day">')
    assert [sum(wording.iso(moment) in day for moment in moments) for day in days] == [2, 1]


@pytest.mark.parametrize(
    ("zone", "now", "since_midnight"),
    [
        ("Europe/Berlin", LONG_EVENING, timedelta(hours=24.5)),
        ("Europe/Berlin", SHORT_EVENING, timedelta(hours=22.5)),
        # Where the first hour of a day comes twice, and where a day has none.
        ("America/Havana", datetime(2026, 11, 1, 5, 30, tzinfo=UTC), timedelta(hours=1.5)),
        ("Asia/Beirut", datetime(2026, 3, 28, 22, 30, tzinfo=UTC), timedelta(hours=0.5)),
    ],
)
def test_the_admins_day_begins_at_the_first_midnight(
    zone: str, now: datetime, since_midnight: timedelta
) -> None:
    midnight = now - since_midnight
    for moment in (midnight - HOUR / 6, midnight + HOUR / 6, now):
        make_item(state=ItemState.DONE, settled_at=moment)
    with timezone.override(ZoneInfo(zone)):
        assert dashboard.today(now).saved == 2


@pytest.mark.parametrize("saved_at", [LONG_EVENING - 22 * HOUR, SHORT_EVENING - 21 * HOUR])
def test_a_file_lives_as_long_as_on_any_day(saved_at: datetime) -> None:
    with timezone.override(BERLIN):
        file = make_artifact(created_at=saved_at, expires_at=saved_at + 2 * HOUR)
        file.refresh_from_db()
        later = lifetime.extended(file.expires_at, file.created_at, HOUR)
        assert later - saved_at == 3 * HOUR
        minute = timedelta(minutes=1)
        assert Artifact.objects.present(saved_at + 2 * HOUR - minute).exists()
        assert not Artifact.objects.expired(saved_at + 2 * HOUR - minute).exists()
        assert Artifact.objects.expired(saved_at + 2 * HOUR + minute).exists()


def test_the_day_of_a_quota_has_24_hours(alice: User, set_clock: SetClock) -> None:
    set_clock(LONG_EVENING)
    with timezone.override(BERLIN):
        usage = quotas.usage(alice)
    assert usage.day_ends_at == datetime(2026, 10, 26, tzinfo=UTC)
