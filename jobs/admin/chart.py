"""The chart of the overview: hours and pauses in, whole-number coordinates of an SVG out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from jobs.ops.dashboard import HourlyOutcomes
from jobs.upstream.pauses import Pause

HOUR_WIDTH: Final = 60
BAR_WIDTH: Final = 50
HEIGHT: Final = 64
"""Width of an hour and of its column, and height of the chart, in the drawing's units."""
_MIN_BAR_HEIGHT: Final = 2
_MIN_BAND_WIDTH: Final = 6
LEAST_TOP: Final = 5
"""The number the full height stands for, at least: one failure in a quiet night is no mountain."""
LEAST_COURSE: Final = timedelta(hours=2)
"""From the first full hour with something in it to the current one, for a chart to be drawn."""
LABEL_EVERY: Final = 6
"""Hours from one time below the chart to the next."""


@dataclass(frozen=True, slots=True)
class Bar:
    """The column of an hour, in the drawing's units, y from the top."""

    hour: HourlyOutcomes
    x: int
    succeeded_y: int
    succeeded_height: int
    failed_y: int
    failed_height: int


@dataclass(frozen=True, slots=True)
class Band:
    """A pause behind the columns, in the drawing's units."""

    pause: Pause
    x: int
    width: int


def axis_maximum(hours: Sequence[HourlyOutcomes]) -> int:
    """The number of lines that the full height stands for: the fullest hour's, or LEAST_TOP."""
    return max(LEAST_TOP, *(hour.succeeded + hour.failed for hour in hours))


def is_worth_drawing(hours: Sequence[HourlyOutcomes], pauses: Sequence[Pause]) -> bool:
    """Whether there is a course to see: bars at the edge alone tell less than words do."""
    began = quiet_until(hours)
    long_enough = began is not None and began <= hours[-1].at - LEAST_COURSE
    return long_enough or any(pause.since <= hours[-1].at - LEAST_COURSE for pause in pauses)


def quiet_until(hours: Sequence[HourlyOutcomes]) -> datetime | None:
    """The full hour in which the first line was settled; None when none was."""
    return next((hour.at for hour in hours if hour.succeeded or hour.failed), None)


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
                x=number * HOUR_WIDTH + (HOUR_WIDTH - BAR_WIDTH) // 2,
                succeeded_y=HEIGHT - failed - succeeded,
                succeeded_height=succeeded,
                failed_y=HEIGHT - failed,
                failed_height=failed,
            )
        )
    return columns


def bands(pauses: Sequence[Pause], hours: Sequence[HourlyOutcomes]) -> list[Band]:
    """The pauses within the hours, each wide enough to be seen."""
    begin, whole = hours[0].at, len(hours) * HOUR_WIDTH

    def place(seconds: float) -> int:
        return min(whole, max(0, round(seconds / 3600 * HOUR_WIDTH)))

    found = []
    for pause in pauses:
        x = min(place((pause.since - begin).total_seconds()), whole - _MIN_BAND_WIDTH)
        end = place((pause.until - begin).total_seconds())
        found.append(Band(pause, x, max(_MIN_BAND_WIDTH, end - x)))
    return found


def percent(part: int, whole: int) -> int:
    """A share from 0 to 100; at least 1 when there is any."""
    return min(100, max(1, round(part / whole * 100))) if part and whole else 0
