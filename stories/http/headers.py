"""Request headers: of pages and lists, as an identity sends them, and of media."""

from __future__ import annotations

from enum import Enum

from stories.hosts import SITE
from stories.identity import Identity
from stories.protocol.current import current

_PAGE_TYPES = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;"
    "q=0.8,application/signed-exchange;v=b3;q=0.7"
)
_LIST_TYPES = "application/json, text/plain, */*"

Headers = list[tuple[str, str]]


class Purpose(Enum):
    """The purpose of a page request, as it looks to the server."""

    NAVIGATE = "navigate"  # a person opening a page
    LIST = "list"  # the page's own script asking for data
    PREVIEW = "preview"  # a messenger looking where a short link leads


def page_headers(
    purpose: Purpose, identity: Identity, *, referer: str | None, encodings: str
) -> Headers:
    """Headers of a page or list request, in a browser's order.

    referer: the page that leads here, None for none. encodings: the Accept-Encoding value, which
    only the transport knows.
    """
    if purpose is Purpose.PREVIEW:
        return [
            ("User-Agent", current().identities.preview_agent),
            ("Accept", "*/*"),
            ("Accept-Encoding", encodings),
        ]
    navigating = purpose is Purpose.NAVIGATE
    if referer is None and identity.always_referer:
        referer = SITE
    headers = [*identity.client_hints, ("User-Agent", identity.user_agent)]
    headers += _browser_headers(navigating, referer) if identity.browser else _plain(navigating)
    if referer is not None:
        headers.append(("Referer", referer))
    return [
        *headers,
        ("Accept-Encoding", encodings),
        ("Accept-Language", "en-US,en;q=0.9"),
    ]


def _browser_headers(navigating: bool, referer: str | None) -> Headers:
    site = "none" if navigating and referer is None else "same-origin"
    if navigating:
        return [
            ("Upgrade-Insecure-Requests", "1"),
            ("Accept", _PAGE_TYPES),
            ("Sec-Fetch-Site", site),
            ("Sec-Fetch-Mode", "navigate"),
            ("Sec-Fetch-User", "?1"),
            ("Sec-Fetch-Dest", "document"),
        ]
    return [
        ("Accept", _LIST_TYPES),
        ("Sec-Fetch-Site", site),
        ("Sec-Fetch-Mode", "cors"),
        ("Sec-Fetch-Dest", "empty"),
    ]


def _plain(navigating: bool) -> Headers:
    return [("Accept", "text/html,*/*;q=0.8" if navigating else _LIST_TYPES)]


def media_headers(
    user_agent: str, *, start: int, end: int | None, validator: str | None
) -> Headers:
    """Headers of a media request for the bytes start … end - 1; end None: to the end of the file.

    user_agent: of the session that listed the file. A whole file (start 0, end None) is asked for
    without Range. validator: the If-Range value.
    """
    headers = [
        ("User-Agent", user_agent),
        ("Accept", "*/*"),
        # The bytes are counted and put in place by range: no encoding may stand between.
        ("Accept-Encoding", "identity"),
        ("Referer", SITE),
    ]
    if start or end is not None:
        headers.append(("Range", f"bytes={start}-{'' if end is None else end - 1}"))
        if validator is not None:
            headers.append(("If-Range", validator))
    return headers
