"""What a browser got, as an httpx.Response with its cookies, or the error it stands for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import httpx

from stories.browser.cdp import Json
from stories.browser.traffic import Exchange
from stories.http.body import BodyTooLarge

MAX_COOKIES: Final = 200
_MAX_COOKIE: Final = 4096

# Of the wire, not of the body as it is handed on; cookies come from the browser's jar, which has
# those that scripts set as well.
_LEFT_OUT: Final = frozenset(
    {"content-encoding", "content-length", "transfer-encoding", "set-cookie", "set-cookie2"}
)
_ERRORS: Final[tuple[tuple[tuple[str, ...], type[httpx.TransportError]], ...]] = (
    (("TIMED_OUT",), httpx.ConnectTimeout),
    (("TUNNEL", "PROXY"), httpx.ConnectError),
    (
        ("NAME_", "CONNECTION_REFUSED", "CONNECTION_FAILED", "ADDRESS", "INTERNET"),
        httpx.ConnectError,
    ),
    (("CERT", "SSL"), httpx.ConnectError),
    (("TOO_MANY_REDIRECTS", "INVALID_REDIRECT"), httpx.RemoteProtocolError),
    (("CONTENT_DECODING",), httpx.RemoteProtocolError),
)


def network_error(error: str, request: httpx.Request) -> httpx.TransportError:
    """The httpx exception that a `net::ERR_…` of Chromium means."""
    name = error.removeprefix("net::")[:60]
    kind = next(
        (kind for marks, kind in _ERRORS if any(mark in name for mark in marks)), httpx.ReadError
    )
    return kind(name, request=request)


def response_of(
    exchange: Exchange, request: httpx.Request, cookies: Iterable[Json]
) -> httpx.Response:
    """The answer to a request. Raises httpx.TransportError, BodyTooLarge among them.

    cookies: of the browser, as the DevTools protocol has them.
    """
    if exchange.too_large:
        raise BodyTooLarge("larger than any page should be", request=request)
    if exchange.error and not (
        exchange.status >= httpx.codes.BAD_REQUEST and not exchange.received
    ):
        # Chromium calls an error's status without a body a failure.
        raise network_error(exchange.error, request)
    if not exchange.status or (exchange.body is None and exchange.received):
        raise httpx.ReadError("the body was lost", request=request)
    headers = [*_headers(exchange), *set_cookies(cookies)]
    return httpx.Response(
        exchange.status, headers=headers, content=exchange.body or b"", request=request
    )


def redirect_to(location: str, request: httpx.Request, cookies: Iterable[Json]) -> httpx.Response:
    """The answer that sends a request elsewhere, where the browser ended."""
    headers = [("location", location), *set_cookies(cookies)]
    return httpx.Response(httpx.codes.FOUND, headers=headers, request=request)


def _headers(exchange: Exchange) -> list[tuple[str, str]]:
    return [
        (name, line)
        for name, value in exchange.headers.items()
        if name not in _LEFT_OUT and name.isascii()
        for line in value.split("\n")
        if line.isascii() and line.isprintable()
    ]


def set_cookies(cookies: Iterable[Json]) -> list[tuple[str, str]]:
    """Set-Cookie headers for what a browser's jar holds; what no header can say is left out."""
    lines = []
    for cookie in list(cookies)[:MAX_COOKIES]:
        name, value, domain, path = (
            _plain(cookie.get(key)) for key in ("name", "value", "domain", "path")
        )
        if not name or "=" in name or value is None or not domain or len(value) > _MAX_COOKIE:
            continue
        # A host's own cookie is one of a domain without a dot.
        scope = f"; Domain={domain}" if domain.startswith(".") else ""
        secure = "; Secure" if cookie.get("secure") else ""
        lines.append(("set-cookie", f"{name}={value}{scope}; Path={path or '/'}{secure}"))
    return lines


def _plain(value: Any) -> str | None:
    if not isinstance(value, str) or ";" in value:
        return None
    return value if value.isascii() and value.isprintable() else None
