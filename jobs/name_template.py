"""The template of file names: its small grammar, and what may be wrong with one.

    {author}_{date}_{time}_{number}
    {caption:40} {id}

A text with placeholders in braces; those of free text take the most characters of it after a
colon. Nothing in a template is ever evaluated, and no attribute of anything can be named by one.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

DEFAULT: Final = "{author}_{date}_{time}_{number}"
TEMPLATE_LENGTH: Final = 120
"""The most characters of a template."""
FREE_TEXT: Final = ("author", "nickname", "caption")
"""Placeholders whose length can be limited."""
PLACEHOLDERS: Final = (*FREE_TEXT, "date", "time", "number", "kind", "id")
LONGEST_LIMIT: Final = 150
FORBIDDEN: Final = '<>:"/\\|?*%'
"""Characters that no file name holds on every system."""

_PIECE = re.compile(r"\{([^{}]*)\}|([^{}]+)|([{}])")
_LIMIT = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)

Fault = Literal["empty", "too_long", "brace", "unknown", "limit", "character", "invisible"]


class TemplateRefused(ValueError):
    """A template that cannot be used.

    fault: `empty`, `too_long`, `brace` (one without the other), `unknown` (no such placeholder),
    `limit` (not a number of characters, or not for this one), `character` (none for a file name),
    `invisible` (a control character or the like). piece: the part of the template it is about, safe
    to show.
    """

    def __init__(self, fault: Fault, piece: str = "") -> None:
        super().__init__(f"{_WORDS[fault]}{f': {piece}' if piece else ''}")
        self.fault = fault
        self.piece = piece


_WORDS: Final[dict[Fault, str]] = {
    "empty": "there is nothing in it",
    "too_long": f"it is longer than {TEMPLATE_LENGTH} characters",
    "brace": "a brace stands alone",
    "unknown": f"only {', '.join(f'{{{name}}}' for name in PLACEHOLDERS)} can be filled in, not",
    "limit": f"a length is 1 to {LONGEST_LIMIT}, for {', '.join(FREE_TEXT)} alone",
    "character": "that cannot be in a file name",
    "invisible": "it holds a character that cannot be seen",
}


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A place that is filled in. limit: the most characters; None: as many as there is room for."""

    name: str
    limit: int | None = None


Part = str | Placeholder


@functools.lru_cache(maxsize=256)  # of each file its name is asked for
def parse(template: str) -> tuple[Part, ...]:
    """The parts of a template: text as it is written, and placeholders. Raises TemplateRefused."""
    if not template.strip():
        raise TemplateRefused("empty")
    if len(template) > TEMPLATE_LENGTH:
        raise TemplateRefused("too_long")
    return tuple(_parts(template))


def _parts(template: str) -> Iterator[Part]:
    for match in _PIECE.finditer(template):
        inside, text, brace = match.groups()
        if brace:
            raise TemplateRefused("brace", brace)
        if text is not None:
            _require_usable(text)
            yield text
        else:
            yield _placeholder(inside)


def _placeholder(inside: str) -> Placeholder:
    name, colon, limit = inside.partition(":")
    shown = "{" + "".join(c for c in inside if c.isprintable())[:40] + "}"
    if name not in PLACEHOLDERS:
        raise TemplateRefused("unknown", shown)
    if not colon:
        return Placeholder(name)
    if name not in FREE_TEXT or not _LIMIT.fullmatch(limit) or int(limit) > LONGEST_LIMIT:
        raise TemplateRefused("limit", shown)
    return Placeholder(name, int(limit))


def _require_usable(text: str) -> None:
    for character in text:
        if unicodedata.category(character)[0] == "C" or character in "\u2028\u2029":
            raise TemplateRefused("invisible", f"U+{ord(character):04X}")
        # A look-alike becomes what it looks like on some systems: a full-width slash.
        if set(unicodedata.normalize("NFKC", character)) & set(FORBIDDEN):
            raise TemplateRefused("character", character)
