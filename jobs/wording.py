"""Sizes, times and durations in words, and numbers for spreadsheets, in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.utils import formats, timezone
from django.utils.translation import get_language, ngettext, npgettext, pgettext
from django.utils.translation import gettext as _

_UNITS: Final = ("B", "kB", "MB", "GB", "TB")
_OCTETS: Final = ("o", "ko", "Mo", "Go", "To")
_OCTET_LANGUAGES: Final = frozenset({"fr"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a CSV is written. separator: between cells; decimal: within numbers."""

    separator: str
    decimal: str


COMMA: Final = Dialect(separator=",", decimal=".")
SEMICOLON: Final = Dialect(separator=";", decimal=",")
_SEMICOLON_LANGUAGES: Final = frozenset({"de", "es", "fr"})
"""Languages of this site whose spreadsheets take a comma for the decimal point."""


def dialect_for(language: str) -> Dialect:
    """The dialect a person of this language opens with two taps. language: `de`, `de-at`, `en`."""
    return SEMICOLON if _base(language) in _SEMICOLON_LANGUAGES else COMMA


def _base(language: str | None) -> str:
    """`fr` of `fr-CA`; "" of None."""
    return (language or "").partition("-")[0].lower()


def size_units() -> tuple[str, ...]:
    """The units of sizes in the reader's language, each 1000 of the one before it."""
    return _OCTETS if _base(get_language()) in _OCTET_LANGUAGES else _UNITS


def size(size_bytes: int | float | None) -> str:
    """`8.4 MB`, in French `8,4 Mo`: in steps of 1000 as phones count; "" for None.

    The share sheet says the same, by `size` of webapp/static/share-plan.js.
    """
    if size_bytes is None:
        return ""
    units = size_units()
    value = float(size_bytes)
    step = 0
    while value >= 999.5 and step < len(units) - 1:
        value /= 1000
        step += 1
    places = 1 if step > 1 and value < 100 else 0
    return f"{formats.number_format(round(value, places), places)}\u00a0{units[step]}"


def percent(hundredths: int) -> str:
    """`43%`, in German `43 %`."""
    return _("%(n)d%%") % {"n": hundredths}


def span(duration: timedelta) -> str:
    """A setting's duration in words, which stay together: `2 hours`, `30 days`, `90 minutes`."""
    seconds = round(duration.total_seconds())
    days, hours, minutes = seconds // 86400, seconds // 3600, seconds // 60
    if days > 1 and not seconds % 86400:
        words = ngettext("%(n)d day", "%(n)d days", days) % {"n": days}
    elif hours and not seconds % 3600:
        words = ngettext("%(n)d hour", "%(n)d hours", hours) % {"n": hours}
    elif minutes and not seconds % 60:
        words = ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}
    else:
        words = ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}
    return words.replace(" ", "\u00a0")


def age(since: datetime | None) -> str:
    """`3 min`, `5 h`, `2 d`: enough to see what is stuck."""
    if since is None:
        return "–"
    past = timezone.now() - since
    if past < timedelta(minutes=1):
        return f"{max(0, round(past.total_seconds()))}\u00a0s"
    if past < timedelta(hours=1):
        return f"{round(past.total_seconds() / 60)}\u00a0min"
    if past < timedelta(days=2):
        return f"{round(past.total_seconds() / 3600)}\u00a0h"
    return f"{past.days}\u00a0{pgettext('days, one letter', 'd')}"


def lines_in(state: str, count: int) -> str:
    """`28 failed`: how many lines are in a state. Languages bend the word to the number."""
    said = {
        "queued": npgettext("lines", "%(n)d queued", "%(n)d queued", count),
        "running": npgettext("lines", "%(n)d running", "%(n)d running", count),
        "done": npgettext("lines", "%(n)d done", "%(n)d done", count),
        "partial": npgettext("lines", "%(n)d partly done", "%(n)d partly done", count),
        "empty": npgettext(
            "lines", "%(n)d without a public story", "%(n)d without a public story", count
        ),
        "failed": npgettext("lines", "%(n)d failed", "%(n)d failed", count),
        "cancelled": npgettext("lines", "%(n)d cancelled", "%(n)d cancelled", count),
    }
    return said[state] % {"n": count}


def iso(moment: datetime | None) -> str:
    """RFC 3339 in UTC, for `datetime=` attributes."""
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else ""


def absolute(moment: datetime | None, *, year: bool = False) -> str:
    """`20 Nov, 15:03 CET`: complete without a script, on the clock of the reader's zone where their
    browser named it before, else of the instance's. year: `20 Nov 2026, 15:03 CET`."""
    if moment is None:
        return ""
    short, long = pgettext("date format", "j M, H:i"), pgettext("date format", "j M Y, H:i")
    pattern = long if year else short
    return f"{formats.date_format(timezone.localtime(moment), pattern)} {zone_word(moment)}"


def time_of_day(moment: datetime) -> str:
    """`15:03`, on the clock of the reader's zone.

    In names for the ear a script says it anew, in the reader's own way: what holds such names has
    the tag `spoken_time` of templatetags/words.py.
    """
    return formats.date_format(timezone.localtime(moment), "H:i")


def zone_word(moment: datetime) -> str:
    """`CET`, `UTC` or `UTC+05:45`: what stands behind a time of the reader's zone."""
    name = timezone.localtime(moment).tzname() or ""
    if not name.startswith(("+", "-")):
        return name
    # A zone without letters of its own is named by hours, or by hours and minutes.
    return ":".join(filter(None, (f"UTC{name[:3]}", name[3:])))
