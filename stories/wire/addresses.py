"""The addresses of media files in an answer: every spelling of them, kept to TikTok's hosts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stories.hosts import is_media_host, plain_host_name
from stories.wire.values import as_instant

MAX_MIRRORS = 10
MAX_URL = 4096
MAX_UNKNOWN_HOSTS = 5


@dataclass(frozen=True, slots=True)
class Addresses:
    """The mirrors of one file.

    urls: https addresses on TikTok's media hosts, each once, as listed. unknown_hosts: names of the
    other hosts listed, each once; plain DNS names.
    """

    urls: tuple[str, ...] = ()
    unknown_hosts: tuple[str, ...] = ()

    @property
    def expires_at(self) -> datetime | None:
        """The time the earliest signature ends; None where no address tells."""
        ends = [end for end in map(_expiry, self.urls) if end is not None]
        return min(ends, default=None)


def read_addresses(value: Any) -> Addresses:
    """The addresses of a field of any of TikTok's shapes.

    A text; a list of texts or of objects with `src`; an object that holds such a list under
    `UrlList`, or `MainUrl`, `BackupUrl` and `FallbackUrl`; these words also in other spellings.
    """
    urls: dict[str, None] = {}
    unknown: dict[str, None] = {}
    for text in _texts(value):
        url, host = _read(text)
        if url is not None:
            urls[url] = None
        elif host is not None:
            unknown[host] = None
    return Addresses(tuple(urls)[:MAX_MIRRORS], tuple(unknown)[:MAX_UNKNOWN_HOSTS])


_LISTS = ("UrlList", "urlList", "url_list")
_SINGLE = (
    *("MainUrl", "BackupUrl", "FallbackUrl"),
    *("mainUrl", "backupUrl", "fallbackUrl"),
    *("main_url", "backup_url", "fallback_url"),
    "src",
)


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth < 3:  # an object, in a list, in an object
        if isinstance(value, list):
            for entry in value[:MAX_MIRRORS]:
                yield from _texts(entry, depth + 1)
        elif isinstance(value, dict):
            for name in (*_LISTS, *_SINGLE):
                if name in value:
                    yield from _texts(value[name], depth + 1)


# Plain printable ASCII, no user part, no odd port, no fragment. The scheme may be missing.
_ADDRESS = re.compile(
    r"(?:(?:https?:)?//)?([A-Za-z0-9.-]+)(?::443|:80)?(/[!$-\[\]-~]*)", re.ASCII | re.IGNORECASE
)
_HOST_OF_ANY = re.compile(
    r"(?:https?:)?//([^/?#\\\s:@]{1,254})(?::\d{1,5})?(?:[/?#]|$)", re.IGNORECASE
)
# What is left of JSON within JSON, and of HTML.
_ESCAPES = {"\\/": "/", "\\u002f": "/", "\\u0026": "&", "&amp;": "&"}
_ESCAPE = re.compile(r"\\/|\\u002f|\\u0026|&amp;", re.IGNORECASE)


def _read(text: str) -> tuple[str | None, str | None]:
    """(The address as https, None) on a media host; else (None, the unknown host's name or None).

    Media hosts serve https alone, so an address without a scheme or with http is asked for so.
    """
    if len(text) > MAX_URL:
        return None, None
    text = _ESCAPE.sub(lambda match: _ESCAPES[match[0].lower()], text.strip())
    match = _ADDRESS.fullmatch(text)
    if match and is_media_host(match[1]):
        return f"https://{match[1].lower()}{match[2]}", None
    other = _HOST_OF_ANY.match(text)
    name = plain_host_name(other[1]) if other else None
    return None, None if name is None or is_media_host(name) else name


_QUERY_EXPIRY = re.compile(r"[?&](?:x-expires|expire)=(\d{9,11})(?:&|$)", re.ASCII)
_HEX_EXPIRY = re.compile(r"^/[0-9a-f]{32}/([0-9a-f]{8})(?=/)")
_URL_PATH = re.compile(r"https://[^/?]*([^?]*)")


def _expiry(url: str) -> datetime | None:
    """The time the signature ends: a query parameter, or the second part of the path in hex."""
    asked = _QUERY_EXPIRY.search(url)
    if asked:
        return as_instant(asked[1])
    path = _URL_PATH.match(url)
    hexed = _HEX_EXPIRY.match(path[1]) if path else None
    return as_instant(int(hexed[1], 16)) if hexed else None


def stored_path(url: str) -> str:
    """The part of an address that every mirror of the file shares: no host, no signature.

    The play endpoint has one path for every file, so there the whole address counts.
    """
    path = url.partition("?")[0].partition("://")[2].partition("/")[2]
    path = _HEX_EXPIRY.sub("", f"/{path}")
    return url if path.startswith("/aweme/") else path
