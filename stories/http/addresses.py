"""Addresses that may be requested: the allow-list, and where a redirect leads."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urljoin, urlsplit

from stories.errors import UnknownMediaHost, UpstreamChanged
from stories.hosts import is_allowed_host, is_tiktok_page_host, on_page_host, plain_host_name
from stories.http.error_mapping import REDIRECT_STATUSES

MAX_REDIRECTS: Final = 5
MAX_URL: Final = 8192


def allowed_host(url: str, *, page: bool) -> str:
    """The host of a URL that may be requested. Raises UpstreamChanged for any other URL.

    https on its own port, no user:password@, and a host of the allow-list: checked before every
    request, so that no page, list or redirect decides whom we talk to. page: True for the hosts of
    pages and lists alone, False for those of media too.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UpstreamChanged("an address that cannot be read") from error
    host = parts.hostname or ""
    listed = is_tiktok_page_host(host) if page else is_allowed_host(host)
    plain = (
        parts.scheme == "https"
        and parts.username is None
        and parts.password is None
        and port in {None, 443}
        and len(url) <= MAX_URL
        and url.isascii()
        and not re.search(r"[\x00-\x20\x7f\\]", url)
    )
    if plain and not listed and not page and (name := plain_host_name(host)):
        raise UnknownMediaHost(f"sent to https://{name}, which is not TikTok", hosts=(name,))
    if not listed or not plain:
        raise UpstreamChanged(f"sent to {parts.scheme[:12]}://{host[:80]}, which is not TikTok")
    return host


def is_login_page(url: str) -> bool:
    """True for TikTok's sign-in page."""
    path = urlsplit(url).path.lower()
    return path == "/login" or path.startswith("/login/")


def without_query(url: str) -> str:
    """Host and path of a URL, fit for an error: never its query, which may be signed."""
    parts = urlsplit(url)
    return f"{parts.hostname}{parts.path[:80]}"


def followed(url: str, location: str) -> str:
    """The address to ask for when `url` redirects to `location`.

    A region's own host is not asked. Raises UpstreamChanged where it alone has the page.
    """
    target = on_page_host(location)
    if target == url != location:
        host = urlsplit(location).netloc
        raise UpstreamChanged(f"{without_query(url)}: only on {host[:80]}")
    return target


def redirect_target(url: str, status: int, location: str) -> str | None:
    """The absolute target of a redirect, not yet checked; None when the response is no redirect.

    location: of the response's header, "" without one. Raises UpstreamChanged for a target that is
    missing or malformed.
    """
    if status not in REDIRECT_STATUSES:
        return None
    if not location or len(location) > MAX_URL:
        raise UpstreamChanged(f"{without_query(url)}: a redirect to nowhere")
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise UpstreamChanged(f"{without_query(url)}: a redirect that cannot be read") from error
