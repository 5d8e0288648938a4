"""The bar chart of the operations page: heights, and a round scale."""

from __future__ import annotations

import pytest
from django.utils import timezone

from jobs.admin import chart
from jobs.ops.dashboard import HourlyOutcomes


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


@pytest.mark.parametrize(
    ("most", "top"), [(0, 5), (1, 5), (6, 10), (11, 20), (66, 100), (100, 100), (201, 500)]
)
def test_the_chart_has_a_round_scale(most: int, top: int) -> None:
    now = timezone.now()
    hours = [
        HourlyOutcomes(at=now, succeeded=most, failed=0),
        HourlyOutcomes(at=now, succeeded=0, failed=0),
    ]
    assert chart.axis_maximum(hours) == top
    assert chart.bars(hours)[0].succeeded_height == round(most / top * chart.HEIGHT)
