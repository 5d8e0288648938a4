"""Holes in a JPEG: stretches of zeros, ones or text that no encoder writes.

libjpeg makes something of any bytes at all and only warns, so a part of the file that never arrived
passes for a picture with a smear. Zeros are not wrong as such: an evenly coloured area may be coded
by nothing else. What zero bits mean depends on the file's own Huffman tables, so those are read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# What goes missing does so by network packets and disk blocks. In honest data with tables that give
# zeros a meaning, runs stay far below: this many bits would fill more than a row of the picture.
HOLE = bytes(512)
# Fewer coefficients than this may all be the same throughout a gradient.
NARROWEST_BAND = 5

# Each of these in picture data is followed by a zero, or begins a marker.
ONES = b"\xff" * 64
# An answer in words where a part of the file should be.
_TEXT = b"t" * 256
LEAST_LETTERS = 12
_PRINTABLE = bytes(ord("t") if 32 <= n < 127 or n in {9, 10, 13} else 0 for n in range(256))

_END_OF_BLOCK = 0x00
_SIXTEEN_ZEROS = 0xF0
_SEQUENTIAL, _PROGRESSIVE = {0xC0, 0xC1}, 0xC2
# Coded otherwise: arithmetic, lossless, hierarchical.
_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_TABLES, _SCAN, _END = 0xC4, 0xDA, 0xD9
# A marker with something behind it; within a scan a stuffed zero and restarts are no such thing.
_MARKER = re.compile(rb"\xff([\x02-\xcf\xd8-\xfe])", re.DOTALL)
_NOT_ZERO = re.compile(rb"[^\0]")


def find_hole(data: bytes) -> int | None:
    """Offset of a stretch of zeros, ones or text in place of picture data; None without any."""
    text = _text_runs(data)
    if HOLE not in data and ONES not in data and not text:
        return None
    try:
        return _find_hole_in_scans(data, text)
    except IndexError:  # cut or broken headers: for the decoder to say
        return None


@dataclass(slots=True)
class _CodingState:
    """Headers read so far. zeros: (class, number) of a Huffman table -> the symbol of zero bits."""

    progressive: bool = False
    zeros: dict[tuple[int, int], int] = field(default_factory=dict)

    def read_tables(self, segment: bytes) -> None:
        """Read a segment of Huffman tables; zero bits are the shortest code's first symbol."""
        at = 0
        while at < len(segment):
            count = sum(segment[at + 1 : at + 17])
            self.zeros[segment[at] >> 4, segment[at] & 15] = segment[at + 17]
            at += 17 + count

    def may_be_all_zeros(self, header: bytes) -> bool:
        """Whether zero bits can fill a scan with this header in an undamaged file."""
        count = header[0]
        tables = [header[2 + 2 * number] for number in range(count)]
        start, end, refined = header[1 + 2 * count], header[2 + 2 * count], header[3 + 2 * count]
        # A table that was not defined: nothing known here applies to it.
        dc = [self.zeros.get((0, table >> 4), 0) for table in tables]
        ac = [self.zeros.get((1, table & 15), _END_OF_BLOCK) for table in tables]
        if not self.progressive:
            # The same colour as before, and no detail.
            return not any(dc) and not any(ac)
        if refined >> 4:
            return True  # bits of numbers sent before
        if start == 0:
            return not any(dc)
        no_more_detail = ac[0] & 15 == 0 and ac[0] != _SIXTEEN_ZEROS
        return no_more_detail or end - start + 1 < NARROWEST_BAND


def _text_runs(data: bytes) -> list[int]:
    """Offsets of stretches of text: so many printable bytes, and enough different ones.

    Picture data repeats itself in evenly coloured areas, by a few bytes that may all be printable.
    """
    runs, marks, at = [], data.translate(_PRINTABLE), 0
    while (at := marks.find(_TEXT, at)) >= 0:
        if len(set(data[at : at + len(_TEXT)])) >= LEAST_LETTERS:
            runs.append(at)
        at += len(_TEXT)
    return runs


def _find_hole_in_scans(data: bytes, text: list[int]) -> int | None:
    """Offset of a hole; raises IndexError when headers are cut or broken.

    text: offsets of text anywhere in the file.
    """
    coding, at = _CodingState(), 2
    while marker := _MARKER.search(data, at):
        kind, at = marker[1][0], marker.end()
        if kind == _END or kind in _OTHER_FRAMES:
            return None
        length = int.from_bytes(data[at : at + 2])
        segment, at = data[at + 2 : at + length], at + max(length, 2)
        if kind in _SEQUENTIAL or kind == _PROGRESSIVE:
            coding.progressive = kind == _PROGRESSIVE
        elif kind == _TABLES:
            coding.read_tables(segment)
        elif kind == _SCAN:
            following = _MARKER.search(data, at)
            end = following.start() if following else len(data)
            place = data.find(HOLE, at, end)
            # Zeros up to the very end are padding.
            inside = place >= 0 and _NOT_ZERO.search(data, place, end) is not None
            if inside and not coding.may_be_all_zeros(segment):
                return place
            if (place := data.find(ONES, at, end)) >= 0:
                return place
            written = [place for place in text if at <= place and place + len(_TEXT) <= end]
            if written:
                return written[0]
            at = end
    return None
