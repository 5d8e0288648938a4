"""Sizes, times and durations in words. German is in tests/unit/test_language.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone as clock
from django.utils import timezone as django_timezone
from django.utils import translation

from jobs import wording
from jobs.states import ItemState

NOW = datetime(2026, 11, 20, 14, 3, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [(0, "0 B"), (999, "999 B"), (999.6, "1 kB"), (1000, "1 kB"), (999_600, "1.0 MB"),
     (8_440_000, "8.4 MB"), (123_456_789, "123 MB"), (5_100_000_000, "5.1 GB"),
     (2 * 10**15, "2000 TB"), (None, "")],
)  # fmt: skip
def test_sizes_in_steps_of_a_thousand(size_bytes: float | None, words: str) -> None:
    assert wording.size(size_bytes).replace("\N{NO-BREAK SPACE}", " ") == words


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (timedelta(hours=2), "2 hours"),
        (timedelta(hours=24), "24 hours"),
        (timedelta(days=2), "2 days"),
        (timedelta(days=30), "30 days"),
        (timedelta(hours=49), "49 hours"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(seconds=61), "61 seconds"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(), "0 seconds"),
    ],
)
def test_a_span_is_told_in_its_largest_whole_unit(duration: timedelta, words: str) -> None:
    assert wording.span(duration) == words.replace(" ", "\N{NO-BREAK SPACE}")


@pytest.mark.parametrize(
    ("past", "words"),
    [
        (timedelta(seconds=-5), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(minutes=1), "1 min"),
        (timedelta(minutes=59), "59 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=47), "47 h"),
        (timedelta(hours=71), "2 d"),
    ],
)
def test_an_age_has_one_number(
    past: timedelta, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    assert wording.age(NOW - past).replace("\N{NO-BREAK SPACE}", " ") == words


def test_times_are_told_in_utc() -> None:
    tokyo = NOW.astimezone(timezone(timedelta(hours=9)))
    assert wording.iso(tokyo) == "2026-11-20T14:03:59+00:00"
    assert wording.absolute(tokyo) == "20 Nov, 14:03 UTC"
    assert wording.absolute(tokyo, year=True) == "20 Nov 2026, 14:03 UTC"
    assert wording.time_of_day(tokyo) == "14:03"


def test_no_time_has_no_words() -> None:
    assert wording.age(None) == "–"
    assert (wording.iso(None), wording.absolute(None)) == ("", "")


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("Europe/Berlin", "20 Nov, 15:03 CET"),
        ("America/Los_Angeles", "20 Nov, 06:03 PST"),
        ("Asia/Kathmandu", "20 Nov, 19:48 UTC+05:45"),
        ("America/Sao_Paulo", "20 Nov, 11:03 UTC-03"),
    ],
)
def test_times_are_told_on_the_clock_of_a_reader_whose_zone_is_known(zone: str, words: str) -> None:
    with django_timezone.override(ZoneInfo(zone)):
        assert wording.absolute(NOW) == words


@pytest.mark.parametrize(
    ("language", "separator"),
    [
        ("en", ","),
        ("en-gb", ","),
        ("de", ";"),
        ("de-AT", ";"),
        ("es-MX", ";"),
        ("fr", ";"),
        ("fr-CA", ";"),
        ("", ","),
        ("den", ","),
        ("free", ","),
    ],
)
def test_the_separator_is_the_one_of_the_language(language: str, separator: str) -> None:
    assert wording.dialect_for(language).separator == separator


@pytest.mark.parametrize("state", ItemState)
def test_lines_in_a_state_are_counted_in_its_words(state: ItemState) -> None:
    assert wording.lines_in(state, 3) == {ItemState.EMPTY: "3 without a public story"}.get(
        state, f"3 {state.label}"
    )


def test_a_word_bends_to_its_number() -> None:
    with translation.override("fr"):
        assert wording.lines_in("done", 1) == "1 terminée"
        assert wording.lines_in("done", 8) == "8 terminées"
    with translation.override("es"):
        assert wording.lines_in("cancelled", 1) == "1 cancelada"
        assert wording.lines_in("cancelled", 8) == "8 canceladas"
