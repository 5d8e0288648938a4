"""Template tags and filters for the words of `jobs.wording` and `jobs.errors`, and for clocks."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from jobs import errors, wording
from jobs.text import isolated
from jobs.wording import absolute, age, iso, percent, size, span, time_of_day, zone_word

_NAMES: Final = re.compile(r"@\S+")
_BACKTICKS: Final = re.compile(r"`([^`]+)`")

register = template.Library()
for _filter in (size, span, percent, age, iso, absolute, isolated):
    register.filter(_filter.__name__, _filter)


@register.simple_tag
def icon(name: str) -> SafeString:
    """A decorative picture from icons.svg; the words beside it carry the meaning."""
    return _icon(name, settings.STATIC_URL)


@lru_cache(maxsize=256)
def _icon(name: str, static_url: str) -> SafeString:
    """The picture's HTML. static_url: on which `static` depends."""
    return format_html(
        '<svg aria-hidden="true"><use href="{}#{}"></use></svg>', static("icons.svg"), name
    )


@register.simple_tag
def when(
    moment: datetime | None, style: str = "day-time", since: datetime | None = None
) -> SafeString:
    """A <time> that a script rewrites in the reader's zone: its style is one of those below.

    day-time: with the year where it is another one. near: the time alone when it is today; else
    which day, as short as that can be said. weekday: as near, but the name of a day within the
    week. initial: the first letter of the day's name. time, day: no more than that. since: a moment
    that was said just before; on the day of that the time alone is said.
    """
    if moment is None:
        return SafeString("")
    if since is not None and timezone.localdate(since) == timezone.localdate(moment):
        text = _time(moment, near=False)
    elif style == "initial":
        text = formats.date_format(timezone.localtime(moment), "D")[:1].upper()
    elif style == "day":
        text = formats.date_format(timezone.localtime(moment), pgettext("date format", "j F Y"))
    elif style == "weekday" and _is_within_week(moment):
        text = formats.date_format(timezone.localtime(moment), "l")
    elif style in {"time", "near", "weekday"}:
        text = _time(moment, near=style != "time")
    else:
        text = _day_time(moment)
    return format_html(
        '<time datetime="{}" data-when="{}"{}>{}</time>',
        iso(moment),
        style,
        format_html(' data-since="{}"', iso(since)) if since else "",
        text,
    )


@register.simple_tag
def spoken_time(moment: datetime) -> SafeString:
    """Attributes of what holds names for the ear with this time (`wording.time_of_day`)."""
    return format_html('data-spoken="{}" data-spoken-at="{}"', time_of_day(moment), iso(moment))


def _is_within_week(moment: datetime) -> bool:
    """Whether the name of its day says which it is, and neither "today" nor "tomorrow" does."""
    return 1 < (timezone.localdate(moment) - timezone.localdate()).days < 7


def _day_time(moment: datetime) -> str:
    return absolute(moment, year=timezone.localtime(moment).year != timezone.localtime().year)


def _time(moment: datetime, *, near: bool) -> str:
    """The time of day. near: with "yesterday" or "tomorrow", or the date where it is neither."""
    around = {0: "", -1: _("yesterday"), 1: _("tomorrow")}
    days = (timezone.localdate(moment) - timezone.localdate()).days if near else 0
    if days not in around:
        return _day_time(moment)
    text = f"{time_of_day(moment)} {zone_word(moment)}"
    return f"{around[days]} {text}".strip()


@register.simple_tag
def clock(moment: datetime | None, *, ahead: str, past: str, at: str, kind: str = "") -> SafeString:
    """A clock that a script lets tick.

    ahead: words with {} for the time left; past: once it is over; at: words with {} for the
    absolute time, shown without a script. kind: `tiktok` turns amber and red as the ring does.
    """
    if moment is None:
        return SafeString("")
    if moment <= timezone.now():
        return format_html('<time datetime="{}">{}</time>', iso(moment), past)
    return format_html(
        '<time datetime="{}" data-clock{} data-ahead="{}" data-past="{}">{}</time>',
        iso(moment),
        format_html('="{}"', kind) if kind else "",
        ahead,
        past,
        at.replace("{}", absolute(moment)),
    )


@register.simple_tag
def size_units() -> str:
    """The units of sizes for a script, smallest first, separated by spaces."""
    return " ".join(wording.size_units())


@register.simple_tag
def verdict(code: str) -> dict[str, str]:
    """{message, hint} of an error code, in the reader's language."""
    message, hint = errors.message_and_hint(code)
    return {"message": message, "hint": hint}


@register.filter
def breakable(text: str) -> SafeString:
    """The text as HTML where a link may break after a slash and an account's name before a dot or
    a low line, and neither first within a word. One of several names breaks only where a whole
    line is too short for it."""
    html = conditional_escape(text).replace("/", "/<wbr>")
    if text.startswith("@"):
        html = html.replace(".", "<wbr>.").replace("_", "<wbr>_")
        if " " in text:
            html = _NAMES.sub(r'<span class="whole">\g<0></span>', html)
    return SafeString(html)  # nosec B703  # escaped above


@register.filter
def coded(text: str) -> SafeString:
    """The text as HTML, with what stands between backticks as code."""
    return SafeString(_BACKTICKS.sub(r"<code>\1</code>", conditional_escape(text)))  # nosec B703  # escaped above


@register.filter
def label_words(label: str) -> str:
    """A file's label in words for a reader."""
    known: dict[str, Any] = {
        "hevc": _("HEVC: may not play everywhere"),
        "odd_format": _("Unusual format: few players open it"),
        "no_sound": _("No sound"),
        "sound_missing": _("Its sound did not arrive"),
        "watermarked": _("With watermark"),
        "joined": _("Picture and sound joined"),
        "retagged": _("Made readable for phones"),
    }
    return str(known.get(label, label))
