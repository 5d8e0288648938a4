"""Middleware: security headers, HEAD as GET, health probes by any name, no cached pages, the
reader's time zone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import Resolver404, resolve
from django.utils import timezone

from jobs.files import times

PROBES: Final = "/health/"
"""The beginning of paths that are answered under any host name."""
METRICS: Final = "/metrics"
"""Answered so as well, where it is set up: its token stands for who asks."""

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
    """Add a Content-Security-Policy to every response: no other origins, nothing inline.

    Only a page whose form is answered with a redirect to the identity provider names one more
    origin, in its `form_action`: browsers block the redirect otherwise.
    """

    def respond(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        policy, origin = POLICY, getattr(response, "form_action", "")
        if origin:
            policy = POLICY.replace("form-action 'self'", f"form-action 'self' {origin}")
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), geolocation=(), microphone=()"
        )
        return response

    return respond


def head_as_get(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Answer HEAD wherever GET is answered: with its status and headers, Content-Length among them,
    and without the body.

    Below, the request is a GET, for views of libraries ask for that word alone; a view that can
    save itself work finds HEAD in `request.META`. The server would drop a body anyway, with a line
    in the log for every monitor that asks.
    """

    def respond(request: HttpRequest) -> HttpResponseBase:
        if request.method != "HEAD":
            return get_response(request)
        request.META.pop("HTTP_RANGE", None)  # a part is of a body, and there is none
        request.method = "GET"
        try:
            response = get_response(request)
        finally:
            request.method = "HEAD"
        if isinstance(response, HttpResponse):
            response.content = b""
            return response
        response.close()
        return HttpResponse(status=response.status_code, headers=response.headers)

    return respond


def health_probes(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Answer what is below /health/, and /metrics, whatever the Host header says.

    Probes come by address, by a container's name or without a Host. The views build no link and
    read no header, so there is nothing a wrong one could do; every other page goes on refusing it.
    """

    def respond(request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        is_metrics = path == METRICS and settings.STORYKEEP.metrics_token is not None
        if not (path.startswith(PROBES) or is_metrics):
            return get_response(request)
        try:
            match = request.resolver_match = resolve(path)
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
        with timezone.override(times.zone_named(unquote(request.COOKIES.get(ZONE_COOKIE, "")))):
            return get_response(request)

    return respond
