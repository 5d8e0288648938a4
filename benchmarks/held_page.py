"""What a browser's page of a job holds, as far as its next poll says so.

Lines and tiles may bear a tag. A poll names those the page has; the answer leaves an empty element
marked `data-same` in the place of each that has not changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

HEADER: Final = "Storykeep-Holds"
HELD_BYTES: Final = 6000
_ELEMENT: Final = re.compile(r"<(?:section|li) [^>]*\bdata-(?:tag|same)\b[^>]*>")
_ATTRIBUTE: Final = re.compile(r'([a-z-]+)(?:="([^"]*)")?')


def attributes(element: str) -> dict[str, str]:
    """The attributes of an element's opening tag; "" for one without a value."""
    pairs = _ATTRIBUTE.findall(element.strip("<>").partition(" ")[2])
    return {name: value.replace("&quot;", '"').replace("&amp;", "&") for name, value in pairs}


@dataclass(slots=True)
class _Line:
    tag: str
    is_open: bool
    tiles: dict[str, str] = field(default_factory=dict)


class HeldPage:
    """The tagged lines of a page, by id, each with its tagged tiles."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    def load(self, html: str) -> None:
        """Become what a page or an answer shows. Raises RuntimeError when it builds on something
        that this page does not hold."""
        lines: dict[str, _Line] = {}
        known_tiles = {
            tile: tag for line in self._lines.values() for tile, tag in line.tiles.items()
        }
        tiles: dict[str, str] = {}  # of the line that was read last
        for element in _ELEMENT.findall(html):
            read = attributes(element)
            name, same = read["id"], "data-same" in read
            if same and name not in (self._lines if element[1] == "s" else known_tiles):
                raise RuntimeError(f"the answer leaves out {name}, which the page does not hold")
            if element[1] == "s":
                lines[name] = self._lines[name] if same else _line(read)
                tiles = lines[name].tiles
            else:
                tiles[name] = known_tiles[name] if same else read["data-tag"]
        self._lines = lines

    def headers(self) -> dict[str, str]:
        """What the next poll says; {} when nothing bears a tag."""
        tags = [line.tag for line in self._lines.values()]
        # Of the tiles only those whose line is about to change: others come with their line.
        for line in self._lines.values():
            tags += line.tiles.values() if line.is_open else ()
        return {HEADER: " ".join(tags)[:HELD_BYTES]} if tags else {}


def _line(read: dict[str, str]) -> _Line:
    states = read.get("class", "").split()
    return _Line(read["data-tag"], not {"queued", "running"}.isdisjoint(states))
