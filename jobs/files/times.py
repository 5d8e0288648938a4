"""Times of saved files: as old as the posting of their story, on the clock their owner sees.

A photo library sorts by these times, so none of them is the moment of a copy. TikTok says when a
story was posted; what no header and no file system can hold is brought within bounds here.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils import timezone

from jobs.models import Job

_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ZONE_LENGTH: Final = 64


def file_time(posted_at: datetime, saved_at: datetime) -> datetime:
    """The time of a saved file: when its story was posted, in whole seconds of UTC.

    Never later than saved_at, for a time in the future would keep the file on top of every list,
    and never before 1970.
    """
    bounded = max(_EARLIEST, min(posted_at, saved_at))
    return bounded.astimezone(UTC).replace(microsecond=0)


def local(at: datetime, zone: tzinfo) -> datetime:
    """The same moment on a zone's clock; in UTC at the ends of the calendar, years 1 and 9999."""
    try:
        return at.astimezone(zone)
    except OverflowError:
        return at.astimezone(UTC)


def zone_of(job: Job) -> tzinfo:
    """The zone a job's owner saw times in when they sent it; the instance's when none is known."""
    return zone_named(job.time_zone) or timezone.get_default_timezone()


def zone_named(name: str) -> tzinfo | None:
    """The zone with this IANA name; None for "", an unknown or a hostile one."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder
        return None


def reader_zone_name() -> str:
    """The IANA name of the zone this request's reader sees times in; "" for the instance's own."""
    zone = timezone.get_current_timezone()
    name = "" if zone == timezone.get_default_timezone() else getattr(zone, "key", "")
    return name if len(name) <= _ZONE_LENGTH else ""
