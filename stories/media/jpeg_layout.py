"""What a JPEG is made of: its segments, the scans it promises, and the layout of the usual kind.

A decoder that is not strict makes a picture without the tables that its data was coded with, or
with others. So whoever asks it whether the data is whole looks here first whether all that the data
needs is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stories.media.decoders import MAX_PIXELS
from stories.media.jpeg_holes import HOLE

# A marker with something behind it; within a scan a stuffed zero and restarts are no such thing.
_MARKER = re.compile(rb"\xff([\x02-\xcf\xd8-\xfe])", re.DOTALL)
_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2
_HUFFMAN_TABLES, _QUANTISATION_TABLES, _RESTARTS = 0xC4, 0xDB, 0xDD
SCAN, _END = 0xDA, 0xD9
_NAMES_COLOURS = 0xEE
_JUDGED = frozenset({_BASELINE, _EXTENDED, _PROGRESSIVE})
_IGNORED = frozenset({*range(0xE0, 0xF0), 0xFE}) - {_NAMES_COLOURS}
_USUAL = frozenset(
    {_BASELINE, _HUFFMAN_TABLES, _QUANTISATION_TABLES, _RESTARTS, SCAN, _END, _NAMES_COLOURS}
)
_LONGEST_SCAN_HEADER = 1024
# Each takes memory many times its own size; real pictures have some twenty.
_MAX_SEGMENTS = 4096

COMPONENTS = 3
_COEFFICIENTS = 64
_MOST_TABLES = 4
_LONGEST_CODE = 16
_LARGEST_DC = 15
# Data at the end of a scan has some fifty different bytes among sixty-four; less may be filling.
_END_BYTES, _MIN_VARIETY = 64, 16
_MAX_SIDE = 65_535

Segment = tuple[int, int, int]
"""(Kind, start, end) in the file: a marker's second byte, and where the segment is; a scan with its
data."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A JPEG's picture alone, without notes and thumbnails, and without what stands behind its end.

    segments: of the whole file, one behind the other. complete: whether all its scans are there.
    """

    data: bytes
    segments: list[Segment]
    complete: bool

    def joined(self, change: tuple[int, bytes] | None = None) -> bytes:
        """The picture as a file. change: offset in the whole file, and what stands there instead.

        Copied once, for it may have megabytes.
        """
        view, parts = memoryview(self.data), [memoryview(self.data)[:2]]
        for _, start, stop in self.segments:
            if change is not None and start <= change[0] < stop:
                at, instead = change
                parts += view[start:at], memoryview(instead), view[at + len(instead) : stop]
            else:
                parts.append(view[start:stop])
        return b"".join(parts)


def plain_jpeg(data: bytes) -> Plain | None:
    """The picture in a JPEG; None for a kind we cannot judge."""
    kept, scans = list[Segment](), _Scans()
    for kind, start, stop in segments(data):
        if 0xC0 <= kind <= 0xCF and kind not in {_HUFFMAN_TABLES, 0xC8, 0xCC}:
            if kind not in _JUDGED or data[start + 4 : start + 5] != b"\x08":
                return None
            scans.progressive = kind == _PROGRESSIVE
        if kind == SCAN:
            scans.read(data[start + 4 : min(stop, start + _LONGEST_SCAN_HEADER)])
        if kind not in _IGNORED:
            kept.append((kind, start, stop))
            if len(kept) > _MAX_SEGMENTS:
                return None
        if kind == _END:
            return Plain(data, kept, scans.complete)
    return None


def segments(data: bytes) -> Iterator[Segment]:
    """The segments behind the first marker."""
    at = 2
    while marker := _MARKER.search(data, at):
        kind, start = marker[1][0], marker.start()
        if kind == _END:
            yield kind, start, start + 2
            return
        stop = start + 2 + max(int.from_bytes(data[start + 2 : start + 4]), 2)
        if kind == SCAN:
            following = _MARKER.search(data, stop)
            stop = following.start() if following else len(data)
        yield kind, start, stop
        at = stop


class _Scans:
    """The scans of a progressive JPEG: which bits of which coefficients they brought.

    missing: (component, coefficient) -> number of low bits still to come.
    """

    def __init__(self) -> None:
        self.progressive = False
        self._missing: dict[tuple[int, int], int] = {}

    def read(self, header: bytes) -> None:
        """Read a scan's header."""
        if not self.progressive or not header or len(header) < 4 + 2 * header[0]:
            return
        count = header[0]
        first, last, bits = header[1 + 2 * count : 4 + 2 * count]
        for number in range(count):
            for coefficient in range(first, min(last, 63) + 1):
                self._missing[header[1 + 2 * number], coefficient] = bits & 15

    @property
    def complete(self) -> bool:
        """Whether every coefficient of which some bits came has the rest of them."""
        return not any(self._missing.values())


# --- the usual kind -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Grid:
    """The groups of blocks a JPEG is coded in.

    height_at: offset of the height in the file. group_height: of each group, in pixels. is_ycbcr:
    whether its components are luminance, blue and red, rather than colours themselves.
    """

    width: int
    height: int
    columns: int
    rows: int
    height_at: int
    group_height: int
    is_ycbcr: bool


def usual_grid(plain: Plain) -> Grid | None:
    """The groups of blocks of the usual kind of JPEG; None for others, and where headers are amiss.

    Usual is baseline with two chroma components of one block a group, in one scan without a run of
    zeros, and without an end that repeats itself, which may be filling; with every table it needs.
    """
    data, tables = plain.data, _Tables()
    frame, scan = None, None
    for kind, start, stop in plain.segments:
        content = data[start + 4 : start + 2 + int.from_bytes(data[start + 2 : start + 4])]
        if kind not in _USUAL or (scan is not None and kind != _END):
            return None
        if kind == SCAN:
            scan = content, stop
            data_from = start + 4 + len(content)
            if data.find(HOLE, data_from, stop) >= 0:
                return None
        elif kind == _BASELINE:
            if frame is not None:
                return None
            frame = content, start + 5
        elif not tables.read(kind, content):
            return None
    if frame is None or scan is None or not tables.serve(frame[0], scan[0]):
        return None
    if len(set(data[scan[1] - _END_BYTES : scan[1]])) < _MIN_VARIETY:
        return None
    return _grid(*frame, is_ycbcr=not tables.names_rgb and frame[0][6::3] != b"RGB")


def _grid(frame: bytes, height_at: int, *, is_ycbcr: bool) -> Grid | None:
    height, width = int.from_bytes(frame[1:3]), int.from_bytes(frame[3:5])
    factors = frame[7::3]
    across, down = 8 * (factors[0] >> 4), 8 * (factors[0] & 15)
    if factors[1:] != b"\x11\x11" or not (height and width and across and down):
        return None
    columns, rows = -(-width // across), -(-height // down)
    tall = (rows + 1) * down
    if tall > _MAX_SIDE or columns * across * tall > MAX_PIXELS:
        return None
    return Grid(width, height, columns, rows, height_at, down, is_ycbcr)


class _Tables:
    """The tables read so far, and whether a marker of Adobe's says that its colours are RGB."""

    def __init__(self) -> None:
        self.names_rgb = False
        self._quantisation: set[int] = set()
        self._huffman: set[int] = set()

    def read(self, kind: int, content: bytes) -> bool:
        """Read a segment; whether it is as it should be."""
        if kind == _QUANTISATION_TABLES:
            return self._read_quantisation(content)
        if kind == _HUFFMAN_TABLES:
            return self._read_huffman(content)
        if kind == _RESTARTS:
            return len(content) == 2
        if kind == _NAMES_COLOURS and content.startswith(b"Adobe"):
            self.names_rgb |= content[11:12] == b"\0"
        return True

    def _read_quantisation(self, content: bytes) -> bool:
        at = 0
        while at < len(content):
            precision, number = content[at] >> 4, content[at] & 15
            values = content[at + 1 : at + 1 + _COEFFICIENTS]
            if precision or number >= _MOST_TABLES or len(values) < _COEFFICIENTS or 0 in values:
                return False
            self._quantisation.add(number)
            at += 1 + _COEFFICIENTS
        return at > 0

    def _read_huffman(self, content: bytes) -> bool:
        at = 0
        while at < len(content):
            identity, counts = content[at], content[at + 1 : at + 1 + _LONGEST_CODE]
            at += 1 + _LONGEST_CODE
            symbols = content[at : at + sum(counts)]
            at += len(symbols)
            if (
                identity & 15 >= _MOST_TABLES
                or identity >> 4 > 1
                or len(counts) < _LONGEST_CODE
                or len(symbols) < sum(counts)
                or not symbols
                or (identity >> 4 == 0 and max(symbols) > _LARGEST_DC)
                or not _codes_fit(counts)
            ):
                return False
            self._huffman.add(identity)
        return at > 0

    def serve(self, frame: bytes, scan: bytes) -> bool:
        """Whether a frame and its one scan are of three components, of which all tables are here.

        frame, scan: the contents of their headers.
        """
        if len(frame) != 6 + 3 * COMPONENTS or frame[5] != COMPONENTS:
            return False
        if len(scan) != 4 + 2 * COMPONENTS or scan[0] != COMPONENTS:
            return False
        if len(set(frame[6::3])) != COMPONENTS:
            return False
        coded_by = scan[2 : 1 + 2 * COMPONENTS : 2]
        return (
            scan[1 : 1 + 2 * COMPONENTS : 2] == frame[6::3]
            and scan[-3:] == bytes((0, _COEFFICIENTS - 1, 0))
            and self._quantisation.issuperset(frame[8::3])
            and self._huffman.issuperset(tables >> 4 for tables in coded_by)
            and self._huffman.issuperset(0x10 | tables & 15 for tables in coded_by)
        )


def _codes_fit(counts: bytes) -> bool:
    """Whether there are as many codes as a Huffman table has of each length, from one bit on.

    A code of all ones there is not: other decoders refuse the table.
    """
    code = 0
    for length, count in enumerate(counts, 1):
        code += count
        if code >= 1 << length:
            return False
        code <<= 1
    return True
