"""What every template may use."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest

THEME_COOKIE = "theme"
THEMES = ("light", "dark")


def theme(request: HttpRequest) -> str:
    """The look chosen on this device; "" follows the system."""
    chosen = request.COOKIES.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else ""


def instance(request: HttpRequest) -> dict[str, str]:
    """What the frame of every page needs.

    instance_note: the line whoever runs this instance wants on every page, or "". theme: see above.
    """
    return {"instance_note": settings.STORYKEEP.instance_note, "theme": theme(request)}
