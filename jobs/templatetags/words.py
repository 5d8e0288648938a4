"""How numbers, times and codes read on a page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from jobs import errors

register = template.Library()

_UNITS = ("B", "kB", "MB", "GB", "TB")


@register.simple_tag
def icon(name: str) -> SafeString:
    """A decorative picture from icons.svg; the words beside it carry the meaning."""
    return format_html(
        '<svg aria-hidden="true"><use href="{}#{}"></use></svg>', static("icons.svg"), name
    )


@register.filter
def size(size_bytes: int | float | None) -> str:
    """`8.4 MB`, in steps of 1000 as phones count; "" for None."""
    if size_bytes is None:
        return ""
    value = float(size_bytes)
    step = 0
    while value >= 999.5 and step < len(_UNITS) - 1:
        value /= 1000
        step += 1
    places = 1 if step > 1 and value < 100 else 0
    return f"{formats.number_format(round(value, places), places)}\u00a0{_UNITS[step]}"


@register.filter
def span(duration: timedelta) -> str:
    """A setting's duration in words: `2 hours`, `30 days`, `90 minutes`."""
    seconds = round(duration.total_seconds())
    days, hours, minutes = seconds // 86400, seconds // 3600, seconds // 60
    if days > 1 and not seconds % 86400:
        return ngettext("%(n)d day", "%(n)d days", days) % {"n": days}
    if hours and not seconds % 3600:
        return ngettext("%(n)d hour", "%(n)d hours", hours) % {"n": hours}
    if minutes and not seconds % 60:
        return ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}
    return ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}


@register.filter
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
    return f"{past.days}\u00a0d"


@register.filter
def iso(moment: datetime | None) -> str:
    """RFC 3339 in UTC, for `datetime=` attributes."""
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else ""


@register.filter
def absolute(moment: datetime | None) -> str:
    """`20 Nov, 14:03 UTC`: complete without a script, which shows the reader's own time instead."""
    if moment is None:
        return ""
    pattern = pgettext("date format", "j M, H:i")
    return f"{formats.date_format(moment.astimezone(UTC), pattern)} UTC"


@register.filter
def is_past(moment: datetime | None) -> bool:
    """True once `moment` has come."""
    return moment is not None and moment <= timezone.now()


@register.simple_tag
def when(moment: datetime | None, style: str = "day-time") -> SafeString:
    """A <time> that a script rewrites in the reader's zone: day-time, time, day, near.

    near: the time alone when it is today; else which day, as short as that can be said.
    """
    if moment is None:
        return SafeString("")
    text = absolute(moment)
    if style == "day":
        text = formats.date_format(timezone.localtime(moment), "j F Y")
    if style in {"time", "near"}:
        text = f"{formats.date_format(moment.astimezone(UTC), 'H:i')} UTC"
    if style == "near":
        days = (moment.astimezone(UTC).date() - timezone.now().astimezone(UTC).date()).days
        around = {0: "", -1: _("yesterday"), 1: _("tomorrow")}
        text = f"{around[days]} {text}".strip() if days in around else absolute(moment)
    return format_html('<time datetime="{}" data-when="{}">{}</time>', iso(moment), style, text)


@register.simple_tag
def clock(moment: datetime | None, *, ahead: str, past: str, at: str) -> SafeString:
    """A clock that a script lets tick.

    ahead: words with {} for the time left; past: once it is over; at: words with {} for the
    absolute time, shown without a script.
    """
    if moment is None:
        return SafeString("")
    if moment <= timezone.now():
        return format_html('<time datetime="{}">{}</time>', iso(moment), past)
    return format_html(
        '<time datetime="{}" data-clock data-ahead="{}" data-past="{}">{}</time>',
        iso(moment),
        ahead,
        past,
        at.replace("{}", absolute(moment)),
    )


@register.simple_tag
def verdict(code: str) -> dict[str, str]:
    """{message, hint} of an error code, in the reader's language."""
    message, hint = errors.words(code)
    return {"message": message, "hint": hint}


@register.filter
def label_words(label: str) -> str:
    """What a file's label means to a reader."""
    known: dict[str, Any] = {
        "hevc": _("HEVC: may not play everywhere"),
        "watermarked": _("with watermark"),
        "converted": _("converted to JPEG"),
        "audio_track": _("sound"),
        "attached_song": _("attached song"),
        "poster": _("preview"),
    }
    return str(known.get(label, label))
