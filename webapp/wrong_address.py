"""A page opened at an address this instance does not take for its own: words that name the setting.

A reverse proxy that speaks https, rewrites Host or hides Origin makes every form fail; so does an
instance that is opened by another name than its public one. Without words for it people look for
the fault in their cookies.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.middleware import csrf
from django.utils.translation import gettext as _

logger = logging.getLogger(__name__)

_NETLOC = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?"
)
_ORIGIN_REASONS: Final = ("Origin checking failed", "Referer checking failed")
_MAX_LOGGED: Final = 20
_logged: set[tuple[str, str]] = set()
"""(origin as the browser names it, own origin) of what was logged: a line each, and no flood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongAddress:
    """A form or a page refused for the address it was opened at.

    title, message, hint: for the person in front of it. setting: `NAME=value` for whoever runs the
    instance, "" when no setting helps. own_url: where to open it instead, "" when not known.
    """

    title: str
    message: str
    hint: str
    setting: str = ""
    own_url: str = ""


def of_form(request: HttpRequest, reason: str) -> WrongAddress | None:
    """Why a form was refused, by the address it came from; None when that is not the cause.

    reason: as Django's CSRF check gives it. What is told to the person is logged as well.
    """
    without_cookie = reason == csrf.REASON_NO_CSRF_COOKIE
    if not without_cookie and not reason.startswith(_ORIGIN_REASONS):
        return None
    referer = "" if without_cookie else request.headers.get("Referer", "")
    opened = _origin(request.headers.get("Origin") or referer)
    own = _own_origin(request)
    # Our cookies go to the public address alone. Opened there, they are missing for another cause.
    if without_cookie and (not opened or _public_origin() in {"", opened}):
        return None
    _log(opened, own)
    if not opened:
        return _hidden()
    site = request.headers.get("Sec-Fetch-Site", "")
    if site in {"cross-site", "same-site"}:
        return WrongAddress(
            title=_("The form came from another site"),
            message=_("Another site, %(origin)s, sent this form here.") % {"origin": opened},
            hint=_("Nothing was done."),
        )
    if without_cookie:
        hint = _(
            "Nothing was done: your browser sends its cookies to %(own)s alone. Open that address,"
            " or ask whoever runs this instance to set:"
        ) % {"own": settings.STORYKEEP.public_url}
    elif site == "same-origin" or _host(opened) == _host(own):
        hint = _("Nothing was done, and trying again will not help.")
        hint += " " + _("Whoever runs this instance can set:")
    else:  # it may be another site's page
        hint = _("Nothing was done, and trying again will not help.")
        ask = _("If %(opened)s is an address of this instance, whoever runs it can set:")
        hint += " " + ask % {"opened": opened}
    return _mismatch(opened, own, hint)


def of_host(request: HttpRequest) -> WrongAddress:
    """Why a request was refused by its Host header."""
    host = request.META.get("HTTP_HOST", "")
    name = host if _NETLOC.fullmatch(host.lower()) else ""
    message = (
        _("This instance is not set up for the name %(host)s.") % {"host": name}
        if name
        else _("This instance is not set up for that name.")
    )
    return WrongAddress(
        title=_("The address does not match"),
        message=message,
        hint=_("Open it at its own address, or ask whoever runs it to check this setting:"),
        setting="STORYKEEP_PUBLIC_URL",
    )


def _mismatch(opened: str, own: str, hint: str) -> WrongAddress:
    """The page's origin is not our own."""
    public = settings.STORYKEEP.public_url
    message = _("This page was opened at %(opened)s, but Storykeep’s address is set to %(own)s.")
    return WrongAddress(
        title=_("The address does not match"),
        message=message % {"opened": opened, "own": public or own},
        hint=hint,
        setting=f"STORYKEEP_PUBLIC_URL={opened}{settings.FORCE_SCRIPT_NAME or ''}",
        own_url=public or "",
    )


def _hidden() -> WrongAddress:
    """The browser names no origin: `null`, or neither Origin nor Referer."""
    hint = _(
        "Nothing was done. A privacy setting of the browser may hide it, or the proxy in front: it"
        " must pass Origin and Host on as they are, and not send “Referrer-Policy: no-referrer”."
    )
    ask = _("Whoever runs this instance can check that, and this setting:")
    # Not the Host that arrived here, which a proxy may have rewritten: it would be copied.
    address = settings.STORYKEEP.public_url or _("https://… (as in the address bar)")
    return WrongAddress(
        title=_("The address is hidden"),
        message=_("The browser does not say at which address this page was opened."),
        hint=f"{hint} {ask}",
        setting=f"STORYKEEP_PUBLIC_URL={address}",
    )


def _origin(url: str) -> str:
    """`scheme://host:port` of a URL a browser sent; "" for none and for anything unusual."""
    try:
        parts = urlsplit(url.strip().lower())
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not _NETLOC.fullmatch(parts.netloc):
        return ""
    return f"{parts.scheme}://{parts.netloc}"


def _host(origin: str) -> str:
    return urlsplit(origin).hostname or ""


def _own_origin(request: HttpRequest) -> str:
    scheme = "https" if request.is_secure() else "http"
    return _public_origin() or f"{scheme}://{request.get_host()}"


def _public_origin() -> str:
    return settings.STORYKEEP.absolute_url("") or ""


def _log(opened: str, own: str) -> None:
    if (opened, own) in _logged or len(_logged) >= _MAX_LOGGED:
        return
    _logged.add((opened, own))
    logger.warning(
        "a form from %s was refused, as this instance takes its address for %s;"
        " see STORYKEEP_PUBLIC_URL",
        opened or "an address the browser does not name",
        own,
    )
