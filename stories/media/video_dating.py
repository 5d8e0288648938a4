"""The creation time of an MP4 that has none, put where it belongs, in place.

It stands in the headers of the movie, of each track and of its media (`mvhd`, `tkhd`, `mdhd`), in
seconds since 1904. A time that is there stays. A file that is not built as it should be is left
alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO, Final

from stories.media.edits import Edit

MOST_BOXES: Final = 4096
"""Boxes of a file that are looked at."""
_EPOCH: Final = datetime(1904, 1, 1, tzinfo=UTC)
_FOLDERS: Final = frozenset({b"moov", b"trak", b"mdia"})
_WITH_TIMES: Final = frozenset({b"mvhd", b"tkhd", b"mdhd"})
_DEPTH: Final = 3


class _Malformed(Exception):
    """The boxes contradict each other."""


class _Budget:
    """Counts the boxes that are looked at. Raises _Malformed when there are too many."""

    def __init__(self) -> None:
        self.left = MOST_BOXES

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise _Malformed


def date_edits(file: BinaryIO, moment: datetime) -> list[Edit]:
    """What is to be changed in an MP4 so that it says when it was made; [] for nothing.

    file: at any place, and left at another one. moment: aware. The file keeps its length.
    """
    file.seek(4)
    if file.read(4) != b"ftyp":
        return []
    seconds = int((moment - _EPOCH).total_seconds())
    if seconds <= 0:
        return []
    end = file.seek(0, 2)
    try:
        return list(_edits(file, 0, end, seconds, _DEPTH, _Budget()))
    except _Malformed:
        return []


def _edits(
    file: BinaryIO, start: int, end: int, seconds: int, depth: int, budget: _Budget
) -> Iterator[Edit]:
    """The edits within the boxes of a stretch of the file."""
    for kind, body, stop in _boxes(file, start, end, budget):
        if kind in _WITH_TIMES and depth < _DEPTH:
            yield from _header_edits(file, body, stop, seconds)
        elif kind in _FOLDERS and depth:
            yield from _edits(file, body, stop, seconds, depth - 1, budget)


def _boxes(file: BinaryIO, at: int, end: int, budget: _Budget) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start of the body and end of each box."""
    while end - at >= 8:
        budget.spend()
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            raise _Malformed
        size, kind, body = int.from_bytes(head[:4]), head[4:8], at + 8
        if size == 1:
            size, body = int.from_bytes(head[8:16]), at + 16
        elif size == 0:  # to the end
            size = end - at
        if size < body - at or at + size > end:
            raise _Malformed
        yield kind, body, at + size
        at += size


def _header_edits(file: BinaryIO, body: int, stop: int, seconds: int) -> Iterator[Edit]:
    """The times of one header that are 0: when it was made, and when it was changed last."""
    file.seek(body)
    head = file.read(4 + 16)
    width = {0: 4, 1: 8}.get(head[0]) if head else None
    if width is None or seconds >= 1 << 8 * width:
        return
    if body + 4 + 2 * width > stop or len(head) < 4 + 2 * width:
        raise _Malformed
    created = head[4 : 4 + width]
    if any(created):
        return
    for place in (4, 4 + width):
        if not any(head[place : place + width]):
            yield Edit(body + place, width, seconds.to_bytes(width))
