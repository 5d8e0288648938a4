"""What is new in the version that runs, read from the project's own CHANGELOG.md.

Its markup is a small part of Markdown: headings, paragraphs, lists with `-`, and `code`. Nothing of
it becomes HTML here; the page escapes every word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from jobs import VERSION
from webapp.env import PROJECT_DIR

UNRELEASED: Final = "Unreleased"
_CODE: Final = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words of a line. code: set in a typewriter's letters."""

    text: str
    code: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the changelog. item: of a list; else a paragraph that leads to one."""

    pieces: tuple[Piece, ...]
    item: bool


@dataclass(frozen=True, slots=True)
class Release:
    """What is new in a version. title: its heading, as `0.2.0 (2026-12-01)`."""

    title: str
    entries: tuple[Entry, ...]


@cache
def this_release(path: Path = PROJECT_DIR / "CHANGELOG.md") -> Release | None:
    """What is new in the version that runs: under its number, or else not released yet.

    None where there is no such file, or nothing in it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    sections = dict(_sections(text))
    for title, body in sections.items():
        if title.removeprefix("v").split(" ")[0].strip("[]") == VERSION:
            return Release(title, tuple(_entries(body)))
    body = sections.get(UNRELEASED, "")
    return Release(UNRELEASED, tuple(_entries(body))) if body.strip() else None


def _sections(text: str) -> Iterator[tuple[str, str]]:
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, _newline, body = section.partition("\n")
        yield title.strip(), body


def _entries(body: str) -> Iterator[Entry]:
    """Paragraphs and items of lists; what is indented goes on with the one before."""
    lines: list[str] = []
    for line in [*body.splitlines(), ""]:
        goes_on = bool(lines) and bool(line.strip()) and not line.startswith("- ")
        if goes_on:
            lines.append(line.strip())
            continue
        if lines:
            yield _entry(" ".join(lines))
        lines = [line.strip()] if line.strip() else []


def _entry(text: str) -> Entry:
    item = text.startswith("- ")
    words = _CODE.split(text.removeprefix("- ").lstrip("#* "))
    pieces = (Piece(word, bool(place % 2)) for place, word in enumerate(words) if word)
    return Entry(tuple(pieces), item)
