"""The bar chart of the operations page: counts in, whole-number coordinates of an SVG out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jobs.ops.dashboard import HourlyOutcomes

BAR_WIDTH: Final = 10
HEIGHT: Final = 64
"""Width of a column and height of the chart, in the drawing's units."""
_MIN_BAR_HEIGHT: Final = 2


@dataclass(frozen=True, slots=True)
class Bar:
    """The column of an hour, in the drawing's units, y from the top."""

    hour: HourlyOutcomes
    x: int
    succeeded_y: int
    succeeded_height: int
    failed_y: int
    failed_height: int


def axis_maximum(hours: Sequence[HourlyOutcomes]) -> int:
    """The number of lines that the full height stands for: 5, 10, 20, 50, 100, …

    The smallest of these that holds the fullest hour, and at least 5, for one failure in a quiet
    night is no mountain.
    """
    most = max((hour.succeeded + hour.failed for hour in hours), default=0)
    power = 1
    while 10 * power < most:
        power *= 10
    return next(top for top in (5, 10, 2 * power, 5 * power, 10 * power) if top >= most)


def bars(hours: Sequence[HourlyOutcomes]) -> list[Bar]:
    """The chart's columns: failures at the bottom, successes on top of them."""
    maximum = axis_maximum(hours)

    def height(count: int) -> int:
        # One line in a thousand is still to be seen.
        return max(_MIN_BAR_HEIGHT, round(count / maximum * HEIGHT)) if count else 0

    columns = []
    for number, hour in enumerate(hours):
        failed = height(hour.failed)
        succeeded = min(height(hour.succeeded), HEIGHT - failed)
        columns.append(
            Bar(
                hour=hour,
                x=number * BAR_WIDTH,
                succeeded_y=HEIGHT - failed - succeeded,
                succeeded_height=succeeded,
                failed_y=HEIGHT - failed,
                failed_height=failed,
            )
        )
    return columns


def percent(part: int, whole: int) -> int:
    """A share from 0 to 100; at least 1 when there is any."""
    return min(100, max(1, round(part / whole * 100))) if part and whole else 0
