"""Holes in a JPEG: stretches of zeros that no encoder writes.

libjpeg makes something of any bytes at all and only warns, so a part of the file that never arrived
passes for a picture with a smear. Zeros are not wrong as such: an evenly coloured area may be coded
by nothing else. What zero bits say depends on the file's own code tables, so those are asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# What goes missing does so by network packets and disk blocks. In honest data with tables that give
# zeros a meaning, runs stay far below: this many bits would fill more than a row of the picture.
HOLE = bytes(512)
# Fewer coefficients than this may all be the same throughout a gradient.
NARROWEST_BAND = 5

_END_OF_BLOCK = 0x00
_SIXTEEN_ZEROS = 0xF0
_SEQUENTIAL, _PROGRESSIVE = {0xC0, 0xC1}, 0xC2
# Coded otherwise: arithmetic, lossless, hierarchical.
_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_TABLES, _SCAN, _END = 0xC4, 0xDA, 0xD9
# A marker with something behind it; within a scan a stuffed zero and restarts are no such thing.
_MARKER = re.compile(rb"\xff([\x02-\xcf\xd8-\xfe])", re.DOTALL)
_NOT_ZERO = re.compile(rb"[^\0]")


def hole(data: bytes) -> int | None:
    """Where a stretch of zeros stands for picture data that is missing; None: nowhere."""
    if HOLE not in data:
        return None
    try:
        return _in_a_scan(data)
    except IndexError:  # cut or broken headers: for the decoder to say
        return None


@dataclass(slots=True)
class _Coding:
    """What has been told so far. zeros: (class, number) of a code table -> what zero bits mean."""

    progressive: bool = False
    zeros: dict[tuple[int, int], int] = field(default_factory=dict)

    def learn(self, segment: bytes) -> None:
        """Take in a segment of code tables. The shortest code's first is the one of zeros."""
        at = 0
        while at < len(segment):
            count = sum(segment[at + 1 : at + 17])
            self.zeros[segment[at] >> 4, segment[at] & 15] = segment[at + 17]
            at += 17 + count

    def zeros_may_go_on(self, header: bytes) -> bool:
        """Whether zero bits can honestly fill a scan with this header."""
        count = header[0]
        tables = [header[2 + 2 * number] for number in range(count)]
        start, end, refined = header[1 + 2 * count], header[2 + 2 * count], header[3 + 2 * count]
        # No table told: none of what is known here applies.
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


def _in_a_scan(data: bytes) -> int | None:
    coding, at = _Coding(), 2
    while marker := _MARKER.search(data, at):
        kind, at = marker[1][0], marker.end()
        if kind == _END or kind in _OTHER_FRAMES:
            return None
        length = int.from_bytes(data[at : at + 2])
        segment, at = data[at + 2 : at + length], at + max(length, 2)
        if kind in _SEQUENTIAL or kind == _PROGRESSIVE:
            coding.progressive = kind == _PROGRESSIVE
        elif kind == _TABLES:
            coding.learn(segment)
        elif kind == _SCAN:
            following = _MARKER.search(data, at)
            end = following.start() if following else len(data)
            place = data.find(HOLE, at, end)
            # Zeros up to the very end are padding.
            inside = place >= 0 and _NOT_ZERO.search(data, place, end) is not None
            if inside and not coding.zeros_may_go_on(segment):
                return place
            at = end
    return None
