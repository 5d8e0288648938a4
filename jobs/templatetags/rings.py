"""The ring: an SVG circle that empties over the 24 hours until a story leaves TikTok, or fills with
progress. The words are the caller's: a screen reader does not see it."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Final

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from jobs.wording import iso

register = template.Library()

LIFE: Final = timedelta(hours=24)
"""From the post to the moment a story leaves TikTok: the whole ring."""
SOON: Final = timedelta(hours=6)
LAST: Final = timedelta(hours=1)
_TRACK: Final = mark_safe('<circle cx="18" cy="18" r="16"/>')  # nosec B308  # a text of ours
# From 12 o'clock counter-clockwise, so that what is left ends at 12 and its beginning moves on
# clockwise; progress grows from 12 clockwise.
_EMPTYING: Final = "matrix(0 -1 -1 0 36 36)"
_FILLING: Final = "rotate(-90 18 18)"


def ring_state(leaves_at: datetime | None, now: datetime) -> str:
    """`fresh`, `soon` (less than 6 h), `last` (less than 1 h) or `gone`; "" without a moment."""
    if leaves_at is None:
        return ""
    left = leaves_at - now
    if left <= timedelta(0):
        return "gone"
    return "last" if left < LAST else "soon" if left < SOON else "fresh"


def ring_bucket(leaves_at: datetime | None, now: datetime) -> int:
    """Hours left, begun ones counted; 0 once it is gone, -1 without a moment.

    What is drawn for one bucket is right to the hour for all of it, and in its colour.
    """
    if leaves_at is None:
        return -1
    return max(0, math.floor((leaves_at - now) / timedelta(hours=1)) + 1)


@register.simple_tag
def ring(leaves_at: datetime | None = None, percent: int | None = None) -> SafeString:
    """The ring of a story that leaves TikTok then, which a script lets move.

    percent: 0 to 100; with it the ring shows progress instead. With neither it is a plain circle.
    """
    if percent is not None:
        return _svg("busy", max(0, min(100, percent)), _FILLING)
    if leaves_at is None:
        return _svg("gone", 0, _EMPTYING)
    now = timezone.now()
    left = max(0, min(100, math.ceil((leaves_at - now) / LIFE * 100)))
    return _svg(ring_state(leaves_at, now), left, _EMPTYING, until=iso(leaves_at))


def _svg(state: str, arc: int, transform: str, until: str = "") -> SafeString:
    """arc: in hundredths of the circle."""
    moving = format_html(' data-ring-until="{}"', until) if until else ""
    return format_html(
        '<svg class="ring {}" viewBox="0 0 36 36" aria-hidden="true"{}>{}<circle cx="18" cy="18"'
        ' r="16" pathLength="100" stroke-dasharray="{} 100" transform="{}"/></svg>',
        state,
        moving,
        _TRACK,
        arc,
        transform,
    )
