"""An answer of TikTok's as gallery-dl writes it to a file: a head in text, then the body."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http.cookiejar import Cookie
from typing import Final

from stories.helper.cookies_file import site_cookie

MAX_HEAD: Final = 64 * 1024
_FILE: Final = re.compile(r"[0-9]{2,4}_https_www\.tiktok\.com_(.{0,250})", re.DOTALL)
_STATUS: Final = re.compile(r"^Status: ([0-9]{3})(?: |$)", re.MULTILINE | re.ASCII)
_BODY: Final = b"\nContent\n-------\n"
_HEADERS: Final = "\nResponse Headers\n----------------\n"
# Several headers of one name are joined by commas, of which a date holds one, too.
_BETWEEN_COOKIES: Final = re.compile(r",\s*(?=[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,200}=)")
_DOMAIN: Final = ".tiktok.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownAnswer:
    """An answer that TikTok gave the program. place: its path and query, with "_" for most of what
    is no letter or digit. cookies: that it set."""

    place: str
    status: int
    cookies: tuple[Cookie, ...] = field(default=(), repr=False)
    body: bytes = field(repr=False)

    @property
    def is_list(self) -> bool:
        """Whether it is a page of a story list."""
        return self.place.startswith("api_story_item_list")


def read_answer(file_name: str, content: bytes) -> ShownAnswer | None:
    """The answer in a file; None for a file that is none."""
    named = _FILE.fullmatch(file_name)
    head, found, body = content.partition(_BODY)
    status = _STATUS.search(head[:MAX_HEAD].decode("utf-8", "replace"))
    if named is None or not found or len(head) > MAX_HEAD or status is None:
        return None
    headers = head.decode("utf-8", "replace").rpartition(_HEADERS)[2]
    return ShownAnswer(place=named[1], status=int(status[1]), cookies=_cookies(headers), body=body)


def _cookies(headers: str) -> tuple[Cookie, ...]:
    found = []
    for line in headers.split("\n"):
        name, _, value = line.partition(": ")
        if name.lower() == "set-cookie":
            found += [_cookie(text) for text in _BETWEEN_COOKIES.split(value)[:100]]
    return tuple(cookie for cookie in found if cookie is not None)


def _cookie(text: str) -> Cookie | None:
    pair, *attributes = text.split(";")
    name, _, value = pair.strip().partition("=")
    told = {}
    for attribute in attributes:
        key, _, word = attribute.strip().partition("=")
        told[key.lower()] = word
    if told.get("max-age") == "0":
        return None
    domain = told.get("domain", "").lower() or _DOMAIN
    return site_cookie(
        domain if domain.startswith(".") else f".{domain}",
        told.get("path") or "/",
        name,
        value,
        secure="secure" in told,
    )
