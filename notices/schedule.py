"""When a message may go: at once, with others after a quarter of an hour, in the morning, or with
the day's digest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

GROUPED_FOR: Final = timedelta(minutes=15)
"""The time from one message to the next one: what comes meanwhile is put into that."""
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A member's hours, as in `notices.models.Preference`. told_at: of the last message."""

    zone: tzinfo
    digest_hour: int | None = None
    quiet_from: int | None = None
    quiet_until: int | None = None
    told_at: datetime | None = None

    def next_at(self, now: datetime, since: datetime) -> datetime:
        """When what waits since then may go; `now` for at once. Never more than 25 hours away.

        A digest goes at its hour, also within quiet hours: somebody chose it. A last message that
        lies in the future was sent by a clock that was wrong, and counts for nothing.
        """
        if self.digest_hour is not None:
            # From when it came: at the hour itself, and after an outage, it is due and not of
            # tomorrow. What comes from a clock that was ahead waits for the next hour from now.
            return max(now, self._next_hour(self.digest_hour, min(since, now)))
        at = now
        if self.told_at is not None and now - GROUPED_FOR < self.told_at <= now:
            at = self.told_at + GROUPED_FOR
        return self.outside_quiet(at)

    def outside_quiet(self, at: datetime) -> datetime:
        """This moment, or the end of the quiet hours it lies in."""
        start, end = self.quiet_from, self.quiet_until
        if self.digest_hour is not None or start is None or end is None or start == end:
            return at
        hour = at.astimezone(self.zone).hour
        within = start <= hour < end if start < end else hour >= start or hour < end
        return self._next_hour(end, at) if within else at

    def _next_hour(self, hour: int, after: datetime) -> datetime:
        """The next beginning of this hour of the member's clock, later than `after`.

        On a day that the clock leaves the hour out, it is the moment it is put forward.
        """
        local = after.astimezone(self.zone)
        for days in (0, 1, 2):
            wall = (local + timedelta(days=days)).replace(
                hour=hour, minute=0, second=0, microsecond=0, fold=0
            )
            at = wall.astimezone(UTC)
            if at > after:
                return at
        return after + 24 * _HOUR
