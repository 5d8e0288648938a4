"""Text that every database stores and no log or terminal stumbles over."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MULTILINE: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_BIDI_OVERRIDES: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL"})
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"
_QUERY: Final = re.compile(r"\?\S*")
_NAME: Final = re.compile(r"@[\w.-]+")
_LONG: Final = re.compile(
    r"(?<![\w%+/=~])(?!STORYKEEP_[A-Z_]+(?![\w%+/=~]))[\w%+/=~]{20,}|\d{12,}|MS4wLjAB\S*", re.ASCII
)
"""Ids and tokens; not the names of this instance's settings, which tell what to do."""
_CREDENTIALS: Final = re.compile(r"//[^/\s@]+@")


def clean_text(text: str, limit: int, *, multiline: bool = False) -> str:
    """Untrusted text fit to be stored, logged and shown, cut to `limit` characters.

    Control characters become spaces, lone surrogates question marks, and bidirectional overrides
    are dropped: they would reorder what stands around the text on a page. multiline: line feeds
    stay.
    """
    whole = text[: limit * 4].replace("\r\n", "\n").encode("utf-8", "replace").decode()
    whole = _BIDI_OVERRIDES.sub("", whole)
    plain = (_MULTILINE if multiline else _CONTROLS).sub(" ", whole)
    return plain.strip()[:limit].strip()


def isolated(text: str) -> str:
    """A name for a sentence without markup, where no `<bdi>` can be: titles, labels, mail.

    One with right-to-left letters is set apart by U+2068 and U+2069, or the numbers and words
    beside it would change places; any other stays as it is. What was cut short is closed.
    """
    if not any(unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for char in text):
        return text
    open_ones = text.count(_FIRST_STRONG_ISOLATE) - text.count(_POP_ISOLATE)
    return f"{_FIRST_STRONG_ISOLATE}{text}{_POP_ISOLATE * (1 + max(0, open_ones))}"


def scrub(text: str, limit: int, name: str = "") -> str:
    """A message without names but `name`, queries, credentials, ids and tokens.

    name: in lower case, without @. Cut to `limit` characters.
    """
    text = _CREDENTIALS.sub("//…@", text)
    text = _QUERY.sub("?…", text)
    text = _NAME.sub(lambda match: match[0] if match[0][1:].lower() == name else "@…", text)
    text = _LONG.sub("…", text)
    return text[:limit]
