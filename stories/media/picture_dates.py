"""When a picture was taken: EXIF's dates, read from one file and written into another.

Nothing else of EXIF is kept. The orientation is applied to the pixels; a place, a camera and a name
are nobody's business beside a copy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Final

from stories.media.decoders import load_pillow

if TYPE_CHECKING:
    from PIL import Image

MODIFIED: Final = 0x0132
TAKEN: Final = 0x9003
DIGITIZED: Final = 0x9004
_TAKEN_ZONE, _DIGITIZED_ZONE = 0x9011, 0x9012
_EXIF = 0x8769
_DATE = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)", re.ASCII)
_ZONE = re.compile(r"[+-]\d\d:\d\d", re.ASCII)


def read_dates(image: Image.Image) -> Mapping[int, str] | None:
    """EXIF tag -> date, or zone, as it stands in the picture; None without a date that can be."""
    try:
        exif = image.getexif()
        fields = {**exif.get_ifd(_EXIF), MODIFIED: exif.get(MODIFIED)}
    except Exception:  # noqa: BLE001  # hostile bytes raise almost anything; a date is not worth it
        return None
    dates = {tag: text for tag in (TAKEN, DIGITIZED, MODIFIED) if (text := _date(fields.get(tag)))}
    if not dates:
        return None
    dates.setdefault(TAKEN, next(iter(dates.values())))
    zone = fields.get(_TAKEN_ZONE)
    if isinstance(zone, str) and _ZONE.fullmatch(zone.strip("\0 ")):
        dates[_TAKEN_ZONE] = zone.strip("\0 ")
    return dates


def of_moment(moment: datetime | None, zone: tzinfo = UTC) -> Mapping[int, str] | None:
    """The dates of a picture taken at a moment, on a zone's clock and with its offset from UTC.

    moment: aware, or None.
    """
    if moment is None:
        return None
    local = _on_clock(moment, zone)
    text = local.replace(tzinfo=None).isoformat(sep=" ", timespec="seconds").replace("-", ":")
    offset = f"{local:%z}"
    offset = f"{offset[:3]}:{offset[3:]}"
    return {TAKEN: text, DIGITIZED: text, _TAKEN_ZONE: offset, _DIGITIZED_ZONE: offset}


def _on_clock(moment: datetime, zone: tzinfo) -> datetime:
    """The moment on the zone's clock; on UTC's where that cannot be, or where EXIF cannot hold it.

    It has no year 0 or 10000, and EXIF no offset of hours, minutes and seconds.
    """
    try:
        local = moment.astimezone(zone)
    except (OverflowError, ValueError):
        return moment.astimezone(UTC)
    offset = local.utcoffset()
    return moment.astimezone(UTC) if offset is None or offset % timedelta(minutes=1) else local


def as_exif(dates: Mapping[int, str]) -> bytes:
    """An EXIF block with these dates and nothing else."""
    exif = load_pillow().Exif()
    exif[MODIFIED] = dates.get(MODIFIED) or dates[TAKEN]
    exif.get_ifd(_EXIF).update({tag: text for tag, text in dates.items() if tag != MODIFIED})
    block: bytes = exif.tobytes()
    return block


def completed(block: bytes, dates: Mapping[int, str]) -> bytes | None:
    """An EXIF block with everything it holds and these dates; None for one that says when the
    picture was taken, and for one that cannot be read."""
    try:
        exif = load_pillow().Exif()
        exif.load(block)
        fields = exif.get_ifd(_EXIF)
        if _date(fields.get(TAKEN)):
            return None
        fields.update({tag: text for tag, text in dates.items() if tag != MODIFIED})
        if not _date(exif.get(MODIFIED)):
            exif[MODIFIED] = dates[TAKEN]
        whole: bytes = exif.tobytes()
    except Exception:  # noqa: BLE001  # hostile bytes raise almost anything
        return None
    return whole


def _date(value: Any) -> str | None:
    """The value if it is an EXIF date that exists."""
    text = value.strip("\0 ") if isinstance(value, str) else ""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    try:
        datetime(*map(int, match.groups()))  # type: ignore[arg-type]  # noqa: DTZ001  # no zone in it
    except ValueError:
        return None
    return text
