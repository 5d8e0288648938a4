"""Cookies as a program leaves them: a file in Netscape's format, which may hold anything."""

from __future__ import annotations

import re
from http.cookiejar import Cookie
from typing import Final

MAX_COOKIES: Final = 100
_MAX_TEXT: Final = 4096
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,200}")
# The value of a cookie as a header can carry it.
_VALUE: Final = re.compile(r"[\x21-\x3a\x3c-\x7e]*")
_PATH: Final = re.compile(r"/[\x21-\x3a\x3c-\x7e]{0,200}")
_SITE: Final = re.compile(r"\.?(?:[a-z0-9-]{1,63}\.){0,4}tiktok\.com")


def read_cookies(text: bytes) -> list[Cookie]:
    """The cookies of TikTok's own site in a file; whatever else it holds is left out."""
    found = []
    for line in text.decode("utf-8", "replace").split("\n"):
        parts = line.rstrip("\r").removeprefix("#HttpOnly_").split("\t")
        if len(parts) != 7 or parts[0].startswith("#"):
            continue
        domain, _, path, secure, _, name, value = parts
        cookie = site_cookie(domain.lower(), path, name, value, secure=secure.upper() == "TRUE")
        if cookie is not None:
            found.append(cookie)
        if len(found) == MAX_COOKIES:
            break
    return found


def site_cookie(domain: str, path: str, name: str, value: str, *, secure: bool) -> Cookie | None:
    """A cookie of TikTok's own site, for one look-up; None for any other, and for what no header
    can carry."""
    if not (
        len(value) <= _MAX_TEXT
        and _SITE.fullmatch(domain)
        and _NAME.fullmatch(name)
        and _VALUE.fullmatch(value)
        and _PATH.fullmatch(path)
    ):
        return None
    return Cookie(
        version=0,
        name=name,
        value=value,
        port=None,
        port_specified=False,
        domain=domain,
        domain_specified=domain.startswith("."),
        domain_initial_dot=domain.startswith("."),
        path=path,
        path_specified=True,
        secure=secure,
        expires=None,
        discard=True,
        comment=None,
        comment_url=None,
        rest={},
    )
