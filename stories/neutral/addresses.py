"""Addresses in a sample: scheme, host and the marks we read stay; the rest says nothing."""

from __future__ import annotations

import re
from typing import Final

from stories.hosts import is_browser_host, is_link_host, is_media_host, plain_host_name
from stories.links import is_name
from stories.neutral.substitutes import Substitutes, is_digits

MAX_URL: Final = 4096
MAX_PARTS: Final = 60

_ADDRESS = re.compile(
    r"((?:https?:)?//)?([A-Za-z0-9.-]+)(?::443|:80)?(/[!$-\[\]-~]*)?", re.ASCII | re.IGNORECASE
)
_HOST_OF_ANY = re.compile(
    r"(?:https?:)?//([^/?#\\\s:@]{1,254})(?::\d{1,5})?(?:[/?#]|$)", re.IGNORECASE
)
_ESCAPES = {"\\/": "/", "\\u002f": "/", "\\u0026": "&", "&amp;": "&"}
_ESCAPE = re.compile(r"\\/|\\u002f|\\u0026|&amp;", re.IGNORECASE)

_WORDS: Final = frozenset(
    {
        *("video", "photo", "story", "embed", "v1", "v2", "api", "item_list", "oembed", "user"),
        *("aweme", "play", "tos", "obj", "music", "login", "t", "share", "detail", "robots.txt"),
        *("notfound", "404", "captcha", "verify", "explore", "foryou"),
    }
)
"""Parts of a path that stay."""
_TRACK = re.compile(r"media-(?:video|audio)-[a-z0-9]{1,8}")
_HEX_32 = re.compile(r"[0-9a-f]{32}")
_HEX_8 = re.compile(r"[0-9a-f]{8}")
_PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,23}")
_EXPIRIES: Final = frozenset({"x-expires", "expire"})
_VALUES: Final = frozenset({"tt_chain_token", "video_mp4", "audio_mpeg", "audio_mp4"})


def neutral_address(text: str, subs: Substitutes, *, any_host: bool) -> str | None:
    """An address without what it leads to; None for a text that is none, or on an unknown host.

    any_host: keep the names of unknown hosts, too; else they may be somebody's own site.
    """
    if len(text) > MAX_URL:
        return None
    text = _ESCAPE.sub(lambda found: _ESCAPES[found[0].lower()], text.strip())
    match = _ADDRESS.fullmatch(text)
    if match is not None and (match[1] or match[3]):
        host = match[2].lower()
        is_known = is_browser_host(host) or is_link_host(host)
        if is_known or (any_host and match[1] and plain_host_name(host)):
            return f"{match[1] or ''}{host}{neutral_path(match[3] or '', subs)}"
        return None
    # With a port, a user, or what stands in no address: the host can be told all the same.
    other = _HOST_OF_ANY.match(text)
    name = plain_host_name(other[1]) if other and any_host else None
    return None if name is None or is_media_host(name) else f"//{name}/{subs.token(text)}"


def neutral_path(path: str, subs: Substitutes) -> str:
    """A path, with its query: words we know, times and the form of names and ids stay."""
    path, mark, query = path.partition("?")
    parts = path.split("/")[:MAX_PARTS]
    kept = "/".join(_part(part, place, parts, subs) for place, part in enumerate(parts))
    if not mark:
        return kept
    return f"{kept}?{'&'.join(_parameter(text, subs) for text in query.split('&')[:MAX_PARTS])}"


def _part(part: str, place: int, parts: list[str], subs: Substitutes) -> str:
    """One part of a path. parts: all of them, the first of them empty."""
    if not part or part in _WORDS or _TRACK.fullmatch(part):
        return part
    if _HEX_32.fullmatch(part):
        return subs.hex_32(part)
    if place == 2 and _HEX_8.fullmatch(part) and _HEX_32.fullmatch(parts[1]):
        # Until when the signature before it counts.
        return f"{subs.number(int(part, 16)):08x}"[-8:]
    if part.startswith("@") and is_name(part[1:]):
        return f"@{subs.name(part[1:])}"
    if is_digits(part):
        return str(subs.number(int(part), is_id=True))
    return subs.known_name(part) or subs.token(part)


def _parameter(text: str, subs: Substitutes) -> str:
    name, mark, value = text.partition("=")
    if not _PARAMETER.fullmatch(name):
        name = subs.token(name) if name else ""
    if name in _EXPIRIES and is_digits(value):
        value = str(subs.number(int(value)))
    elif value and value not in _VALUES and not (value.isascii() and value in {"0", "1", "1988"}):
        value = subs.token(value)
    return f"{name}{mark}{value}"
