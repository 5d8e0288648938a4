"""The bar chart of the overview: heights, the scale, and pauses."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.admin import chart
from jobs.ops.dashboard import HourlyOutcomes
from jobs.upstream.pauses import Pause


def test_the_chart_fits() -> None:
    now = timezone.now()
    drawn = chart.bars(
        [
            HourlyOutcomes(at=now, succeeded=0, failed=0),
            HourlyOutcomes(at=now, succeeded=1999, failed=1),
        ]
    )
    empty, full = drawn
    assert (empty.succeeded_height, empty.failed_height) == (0, 0)
    assert full.failed_height == 2  # one in a thousand is seen
    assert full.succeeded_y == 0
    assert full.succeeded_height + full.failed_height == chart.HEIGHT


@pytest.mark.parametrize(("most", "top"), [(0, 5), (1, 5), (6, 6), (63, 63), (201, 201)])
def test_the_scale_is_the_fullest_hours(most: int, top: int) -> None:
    now = timezone.now()
    hours = [
        HourlyOutcomes(at=now, succeeded=most, failed=0),
        HourlyOutcomes(at=now, succeeded=0, failed=0),
    ]
    assert chart.axis_maximum(hours) == top
    assert chart.bars(hours)[0].succeeded_height == round(most / top * chart.HEIGHT)


def test_pauses_lie_within_the_chart_and_are_seen() -> None:
    begin = timezone.now().replace(minute=0, second=0, microsecond=0)
    hours = [HourlyOutcomes(at=begin + timedelta(hours=n), succeeded=0, failed=0) for n in range(4)]

    def band(since_h: float, until_h: float) -> tuple[int, int]:
        pause = Pause(
            since=begin + timedelta(hours=since_h), until=begin + timedelta(hours=until_h),
            code="refused", waited=0,
        )  # fmt: skip
        (drawn,) = chart.bands([pause], hours)
        return drawn.x, drawn.x + drawn.width

    hour, whole = chart.HOUR_WIDTH, 4 * chart.HOUR_WIDTH
    assert band(1, 2.5) == (hour, round(2.5 * hour))
    assert band(-1, 1) == (0, hour)
    assert band(3, 9) == (3 * hour, whole)
    for since_h, until_h in ((1, 1.001), (3.999, 4), (-2, -1)):
        begins, ends = band(since_h, until_h)
        assert 0 <= begins < ends <= whole


@pytest.mark.parametrize(
    ("busy", "paused", "drawn"),
    [
        ((), (), False),
        ((23,), (), False),
        ((22, 23), (), False),
        ((21, 23), (), True),
        ((3,), (), True),
        ((23,), (23,), False),
        ((), (22,), False),
        ((23,), (4,), True),
    ],
)
def test_bars_at_the_edge_alone_are_not_drawn(
    busy: tuple[int, ...], paused: tuple[int, ...], *, drawn: bool
) -> None:
    begin = timezone.now().replace(minute=0, second=0, microsecond=0)
    at = [begin + timedelta(hours=number) for number in range(24)]
    hours = [
        HourlyOutcomes(at=at[number], succeeded=0, failed=int(number in busy))
        for number in range(24)
    ]
    pauses = [
        Pause(since=at[number], until=at[number], code="refused", waited=0) for number in paused
    ]
    assert chart.is_worth_drawing(hours, pauses) is drawn
    assert chart.quiet_until(hours) == (at[busy[0]] if busy else None)
