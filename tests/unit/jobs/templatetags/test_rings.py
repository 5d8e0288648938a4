"""The ring: how much of it is left, in which colour, and when it must be drawn anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.template import Context, Template

from jobs.templatetags import rings

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("left", "state", "arc"),
    [
        (timedelta(hours=30), "fresh", 100),
        (timedelta(hours=12), "fresh", 50),
        (timedelta(hours=6), "fresh", 25),
        (timedelta(hours=6) - timedelta(seconds=1), "soon", 25),
        (timedelta(hours=1), "soon", 5),
        (timedelta(minutes=59), "last", 5),
        (timedelta(seconds=1), "last", 1),
        (timedelta(0), "gone", 0),
        (timedelta(hours=-9), "gone", 0),
    ],
)
def test_what_is_left_of_the_day(
    monkeypatch: pytest.MonkeyPatch, left: timedelta, state: str, arc: int
) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    svg = rings.ring(NOW + left)
    assert f'class="ring {state}"' in svg
    assert f'stroke-dasharray="{arc} 100"' in svg
    assert f'data-ring-until="{(NOW + left).isoformat(timespec="seconds")}"' in svg
    assert rings.ring_state(NOW + left, NOW) == state


@pytest.mark.parametrize("hours", [0, 1, 6, 23])
def test_within_a_bucket_it_keeps_its_colour(hours: int) -> None:
    """What is kept as HTML is drawn anew with each hour: right at its beginning and its end."""
    first = NOW + timedelta(hours=hours + 1) - timedelta(seconds=1)
    last = NOW + timedelta(hours=hours)
    assert rings.ring_bucket(first, NOW) == rings.ring_bucket(last, NOW) == (hours + 1)
    assert rings.ring_bucket(first, NOW + timedelta(hours=30)) == 0
    if hours:
        assert rings.ring_state(first, NOW) == rings.ring_state(last, NOW)


def test_progress_takes_the_place_of_the_clock() -> None:
    svg = rings.ring(NOW, percent=140)
    assert 'class="ring busy"' in svg
    assert 'stroke-dasharray="100 100"' in svg
    assert "data-ring-until" not in svg


def test_a_post_that_stays_has_an_empty_ring() -> None:
    assert 'class="ring gone"' in rings.ring()
    assert rings.ring_bucket(None, NOW) == -1
    assert rings.ring_state(None, NOW) == ""


def test_from_a_template() -> None:
    html = Template("{% load rings %}{% ring percent=40 %}").render(Context())
    assert html.startswith("<svg")
    assert 'stroke-dasharray="40 100"' in html
