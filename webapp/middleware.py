"""Middleware: security headers, HEAD without a body, health probes by any name, no cached pages,
the reader's time zone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import Resolver404, resolve
from django.utils import timezone

PROBES: Final = "/health/"
"""The beginning of paths that are answered under any host name."""

ZONE_COOKIE: Final = "zone"
"""Cookie with the reader's time zone, as `Europe/Berlin`; set by clocks.js."""

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


def content_security_policy(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Add a Content-Security-Policy to every response: no other origins, nothing inline."""

    def respond(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), geolocation=(), microphone=()"
        )
        return response

    return respond


def head_without_body(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Answer HEAD with the headers of GET, Content-Length among them, and without the body.

    The server would drop the body anyway, with a line in the log for every monitor that asks.
    """

    def respond(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if request.method == "HEAD" and isinstance(response, HttpResponse):
            response.content = b""
        return response

    return respond


def health_probes(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Answer what is below /health/ whatever the Host header says.

    Probes come by address, by a container's name or without a Host. The views build no link and
    read no header, so there is nothing a wrong one could do; every other page goes on refusing it.
    """

    def respond(request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(PROBES):
            return get_response(request)
        try:
            match = resolve(request.path_info)
        except Resolver404:
            return get_response(request)
        response: HttpResponse = match.func(request, *match.args, **match.kwargs)
        # What CommonMiddleware sets, which would ask for the host.
        response.headers["Content-Length"] = str(len(response.content))
        return response

    return respond


def no_store_when_signed_in(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Forbid caching of a signed-in person's pages: going back after signing out shows none."""

    def respond(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        if is_page and "Cache-Control" not in response.headers:
            user = getattr(request, "user", None)
            if user is not None and user.is_authenticated:
                response.headers["Cache-Control"] = "private, no-store"
        return response

    return respond


def reader_time_zone(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Activate the time zone the reader's browser has named, so that days are the reader's."""

    def respond(request: HttpRequest) -> HttpResponseBase:
        # As clocks.js writes it: a slash would be allowed in a cookie, but not everything would.
        with timezone.override(_time_zone(unquote(request.COOKIES.get(ZONE_COOKIE, "")))):
            return get_response(request)

    return respond


def _time_zone(name: str) -> ZoneInfo | None:
    """The time zone of this name; None for an unknown or a hostile one."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder
        return None
