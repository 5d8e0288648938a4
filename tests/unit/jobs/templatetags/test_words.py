"""Template tags that write times as HTML."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.utils import timezone

from jobs import wording
from jobs.pages import tiles
from jobs.templatetags import words


def test_clocks() -> None:
    past = words.clock(timezone.now() - timedelta(1), ahead="in {}", past="over", at="at {}")
    assert "data-clock" not in past
    assert ">over<" in past
    ahead = words.clock(datetime(2999, 1, 2, 3, 4, tzinfo=UTC), ahead="in {}", past="o", at="at {}")
    assert ">at 2 Jan, 03:04 UTC<" in ahead
    assert 'datetime="2999-01-02T03:04:00+00:00"' in ahead
    assert words.clock(None, ahead="", past="", at="") == ""
    assert words.when(None) == ""


def test_near_times_tell_the_day_unless_it_is_today() -> None:
    now = timezone.now().astimezone(UTC)
    day = timedelta(days=1)
    assert f">{now:%H:%M} UTC<" in words.when(now, "near")
    assert f">yesterday {now:%H:%M} UTC<" in words.when(now - day, "near")
    assert f">tomorrow {now:%H:%M} UTC<" in words.when(now + day, "near")
    assert f">{wording.absolute(now - 2 * day)}<" in words.when(now - 2 * day, "near")


def test_a_day_within_the_week_is_told_by_its_name() -> None:
    now = timezone.now().astimezone(UTC)
    day = timedelta(days=1)
    for days in (2, 6):
        assert f">{now + days * day:%A}<" in words.when(now + days * day, "weekday")
    for days in (-2, -1, 0, 1, 7):
        moment = now + days * day
        near = words.when(moment, "near").replace('"near"', '"weekday"')
        assert words.when(moment, "weekday") == near


def test_a_time_of_another_year_names_it() -> None:
    now = timezone.now()
    long_ago = now.replace(year=now.year - 2, month=3, day=4, hour=12, minute=0)
    for style in ("day-time", "near"):
        assert f">4 Mar {now.year - 2}, 12:00 UTC<" in words.when(long_ago, style)
    assert words.when(now) == words.when(now, "day-time")
    assert f">{wording.absolute(now)}<" in words.when(now)


def test_what_ends_on_the_day_it_began_names_it_once() -> None:
    noon = timezone.now().astimezone(UTC).replace(hour=12, minute=0)
    evening, next_day = noon + timedelta(hours=8), noon + timedelta(hours=13)
    assert ">20:00 UTC<" in words.when(evening, since=noon)
    assert f'data-since="{wording.iso(noon)}"' in words.when(evening, since=noon)
    assert f">{wording.absolute(next_day)}<" in words.when(next_day, since=noon)


def test_a_day_has_an_initial() -> None:
    assert ">W<" in words.when(datetime(2026, 12, 2, 12, tzinfo=UTC), "initial")


def test_names_for_the_ear_say_which_time_is_in_them() -> None:
    moment = datetime(2026, 11, 28, 16, 28, 9, tzinfo=UTC)
    assert words.spoken_time(moment) == (
        'data-spoken="16:28" data-spoken-at="2026-11-28T16:28:09+00:00"'
    )


def test_a_link_may_break_after_a_slash_and_stays_text() -> None:
    assert words.breakable("vm.tiktok.com/ZMx/") == "vm.tiktok.com/<wbr>ZMx/<wbr>"
    assert words.breakable("a/<b>&") == "a/<wbr>&lt;b&gt;&amp;"
    assert words.breakable("@nora") == "@nora"
    assert words.breakable("@harbour.watch_2") == "@harbour<wbr>.watch<wbr>_2"
    assert words.breakable("@a.b, @c and 2 more") == (
        '<span class="whole">@a<wbr>.b,</span> <span class="whole">@c</span> and 2 more'
    )


def test_what_stands_between_backticks_is_code_and_stays_text() -> None:
    assert words.coded("Run `up`, <b> or `a & b`.") == (
        "Run <code>up</code>, &lt;b&gt; or <code>a &amp; b</code>."
    )
    assert words.coded("a ` b") == "a ` b"


def test_every_label_of_a_saved_file_has_words() -> None:
    for label in (*tiles.WARNINGS, *tiles.NOTES):
        assert words.label_words(label) != label
