"""Context of every template: the instance's note, the theme, mail, the identity provider."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest

from accounts import mail
from accounts.oidc import configured
from jobs.watching import permission

THEME_COOKIE = "theme"
THEMES = ("light", "dark")


def theme(request: HttpRequest) -> str:
    """The theme chosen on this device, `light` or `dark`; "" follows the system."""
    name = request.COOKIES.get(THEME_COOKIE, "")
    return name if name in THEMES else ""


def instance(request: HttpRequest) -> dict[str, str | bool | Callable[[], bool]]:
    """The context processor.

    instance_note: the line shown on every page, or "". theme: `light`, `dark` or "" (the system's).
    may_watch: whether the reader may watch accounts, asked only where a template does.
    sends_mail: whether this instance can send mail. provider: name of the identity provider, ""
    without one. provider_only: people sign in by it alone.
    """
    return {
        "instance_note": settings.STORYKEEP.instance_note,
        "theme": theme(request),
        "may_watch": lambda: permission.may_watch(request.user),
        "sends_mail": mail.is_configured(),
        "provider": configured.name(),
        "provider_only": configured.is_only(),
    }
