"""What every template may use."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest

from accounts import mail

THEME_COOKIE = "theme"
THEMES = ("light", "dark")


def theme(request: HttpRequest) -> str:
    """The look chosen on this device; "" follows the system."""
    chosen = request.COOKIES.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else ""


def instance(request: HttpRequest) -> dict[str, str | bool]:
    """What any page may need.

    instance_note: the line whoever runs this instance wants on every page, or "". theme: see above.
    sends_mail: can this instance send any?
    """
    return {
        "instance_note": settings.STORYKEEP.instance_note,
        "theme": theme(request),
        "sends_mail": mail.configured(),
    }
