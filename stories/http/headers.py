"""Request headers: the browser that pages and lists claim to come from, and those for media."""

from __future__ import annotations

from enum import Enum

from stories.hosts import SITE

# Of the browser that transports.BROWSER imitates; a test compares it with what curl itself sends.
USER_AGENT = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/150.0.0.0 Safari/537.36"
)
CLIENT_HINTS = (
    ("sec-ch-ua", '"Not;A=Brand";v="8", "Chromium";v="150", "Google Chrome";v="150"'),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", '"macOS"'),
)
# The agent that short links answer with a plain redirect instead of an app page.
LINK_PREVIEW_AGENT = "facebookexternalhit/1.1"

_PAGE_TYPES = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;"
    "q=0.8,application/signed-exchange;v=b3;q=0.7"
)

Headers = list[tuple[str, str]]


class Purpose(Enum):
    """The purpose of a page request, as it looks to the server."""

    NAVIGATE = "navigate"  # a person opening a page
    LIST = "list"  # the page's own script asking for data
    PREVIEW = "preview"  # a messenger looking where a short link leads


def page_headers(purpose: Purpose, *, referer: str | None, encodings: str) -> Headers:
    """Headers of a page or list request, in a browser's order.

    encodings: the Accept-Encoding value, which only the transport knows.
    """
    if purpose is Purpose.PREVIEW:
        return [
            ("User-Agent", LINK_PREVIEW_AGENT),
            ("Accept", "*/*"),
            ("Accept-Encoding", encodings),
        ]
    navigating = purpose is Purpose.NAVIGATE
    site = "none" if navigating and referer is None else "same-origin"
    headers = [*CLIENT_HINTS, ("User-Agent", USER_AGENT)]
    if navigating:
        headers += [
            ("Upgrade-Insecure-Requests", "1"),
            ("Accept", _PAGE_TYPES),
            ("Sec-Fetch-Site", site),
            ("Sec-Fetch-Mode", "navigate"),
            ("Sec-Fetch-User", "?1"),
            ("Sec-Fetch-Dest", "document"),
        ]
    else:
        headers += [
            ("Accept", "application/json, text/plain, */*"),
            ("Sec-Fetch-Site", site),
            ("Sec-Fetch-Mode", "cors"),
            ("Sec-Fetch-Dest", "empty"),
        ]
    if referer is not None:
        headers.append(("Referer", referer))
    return [
        *headers,
        ("Accept-Encoding", encodings),
        ("Accept-Language", "en-US,en;q=0.9"),
    ]


def media_headers(*, start: int, end: int | None, validator: str | None) -> Headers:
    """Headers of a media request for the bytes start … end - 1; end None: to the end of the file.

    A whole file (start 0, end None) is asked for without Range. validator: the If-Range value.
    """
    headers = [
        ("User-Agent", USER_AGENT),
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
