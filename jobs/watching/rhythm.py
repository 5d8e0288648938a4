"""When a watched account is looked at again. Pure: nothing here asks the clock or the database.

The moments of one account are the same for everyone who watches it, whatever their rhythm: those of
a slow one are among those of a fast one, so that one look serves them all. Which moments they are
comes from a hash of the account's id, and moves a little each time, so that looks are spread and
nobody can tell by the minute when one comes.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final

HOUR: Final = timedelta(hours=1)
RHYTHMS: Final = (3 * HOUR, 6 * HOUR, 12 * HOUR)
"""What one may choose from, beside the shortest rhythm that an instance allows."""
DEFAULT: Final = 6 * HOUR
STORY_LIFE: Final = 24 * HOUR
LONGEST: Final = 20 * HOUR
"""The rule that beats all others: the next look is so long after the last whole list at most, with
four hours of a story's day left for what goes wrong."""
RETRY: Final = timedelta(minutes=30)
"""Between two looks of an account whose time is up and that still brings no whole list; doubled
with each failure after `FAILURES_BEFORE_RESTING`, up to its interval."""
NEAR: Final = timedelta(minutes=30)
"""A moment so soon after a look is left out."""
FAILURES_BEFORE_DOUBLING: Final = 2
FAILURES_BEFORE_RESTING: Final = 6
JITTER: Final = 0.05
"""A look comes so much of its interval earlier or later."""

_CYCLE: Final = 12 * HOUR
_JITTERED: Final = 3 * HOUR
_EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)


def choices(shortest: timedelta) -> tuple[timedelta, ...]:
    """The rhythms one may choose from, fastest first. shortest: that the instance allows."""
    allowed = {rhythm for rhythm in RHYTHMS if rhythm >= shortest}
    return tuple(sorted(allowed | {shortest}))


def default(shortest: timedelta) -> timedelta:
    """The rhythm of who chooses none."""
    return max(DEFAULT, shortest)


def next_moment(account: str, every: timedelta, after: datetime) -> datetime:
    """The account's next moment in a rhythm after a look, but for one that is nearly there.

    So a look that somebody asked for, or that came late, moves none of those after it. account: its
    id, or its name while that is not known.
    """
    soonest = after + min(every / 2, NEAR)
    phase = timedelta(seconds=_number(account) % int(_CYCLE.total_seconds()))
    first = _EPOCH + phase
    place = (after - first) // every
    while True:
        moment = first + place * every
        moment += _jitter(account, moment, every)
        if moment > soonest:
            return moment
        place += 1


def next_look(
    account: str,
    every: timedelta,
    *,
    after: datetime,
    failures: int,
    deadline: datetime | None,
) -> datetime:
    """When the next look at an account is due.

    after: when the last one ended. failures: looks in a row that brought no whole list. deadline:
    `LONGEST` after the last that did, or after the watch began.
    """
    interval = every * 2 if failures >= FAILURES_BEFORE_DOUBLING else every
    moment = next_moment(account, interval, after)
    if deadline is None:
        return moment
    rest = RETRY
    if deadline <= after:  # there is a hole, or nearly
        rest *= 2 ** min(max(0, failures - FAILURES_BEFORE_RESTING), 5)
    return min(moment, max(deadline, after + rest))


def _jitter(account: str, moment: datetime, every: timedelta) -> timedelta:
    share = _number(f"{account} {int(moment.timestamp())}") / 2**64  # 0 to 1
    return (2 * share - 1) * JITTER * min(every, _JITTERED)


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
