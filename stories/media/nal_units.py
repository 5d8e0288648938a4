"""The NAL units of a video packet: whether they are whole, told from their bytes alone.

Finds what neither FFmpeg's demuxer nor a decoded first frame sees: a part that never arrived, or
another file's bytes, anywhere in the file. Damage that changes neither a length nor the look of the
bytes is for the decoder, at both ends of the file (verify.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from stories.errors import MediaCorrupt

# A run of zeros this long is a hole in the file, whatever kind of unit it is in.
HOLE = bytes(64)
# Emulation prevention keeps these out of a unit. They are in a hole, in an index, and in front of
# every short unit, so that coded pictures from elsewhere in the file show, too. Zeros at the end
# are the padding of the odd writer.
_NEVER_INSIDE = re.compile(rb"\0\0[\0-\2]")
# Coded pictures hardly differ from noise: that every 32nd byte of so many is printable happens by
# chance, that all bytes between are does not. Text stands in units that are no pictures, as well.
_STRIDE = 32
_SAMPLES = b"t" * 16
_TEXT_BYTES = _STRIDE * (len(_SAMPLES) - 1)
_LEAST_LETTERS = 12
_PRINTABLE = bytes(ord("t") if 32 <= n < 127 or n in {9, 10, 13} else 0 for n in range(256))


def nal_units(data: bytes, prefix: int, number: int) -> Iterator[tuple[int, int]]:
    """(start, end) of each unit of a packet, each behind its length; they fill it exactly.

    prefix: bytes of a length. number: of the packet, for the error. Raises MediaCorrupt where a
    length leads out of the packet, or to what is no unit.
    """
    at, end = 0, len(data)
    while at < end:
        length = int.from_bytes(data[at : at + prefix])
        at += prefix
        if length == 0 or at + length > end or data[at] & 0x80:
            raise MediaCorrupt(f"broken data in video packet {number}")
        yield at, at + length
        at += length


def refuse_hole(data: bytes, number: int) -> None:
    """Raise MediaCorrupt where a packet has a hole of zeros."""
    if HOLE in data:
        raise MediaCorrupt(f"a hole of zeros in video packet {number}")


def refuse_foreign_bytes(data: bytes, start: int, end: int, number: int) -> None:
    """Raise MediaCorrupt where a unit of picture data holds what no encoder writes.

    start, end: of the unit. That is what emulation prevention takes out, or a stretch of text.
    """
    never = _NEVER_INSIDE.search(data, start, end)
    if never is not None and data[never.start() : end].strip(b"\0"):
        zeros = never[0] == bytes(3)
        raise MediaCorrupt(
            f"{'a hole of zeros' if zeros else 'foreign bytes'} in video packet {number}"
        )
    if end - start > _TEXT_BYTES and _has_text(data, start, end):
        raise MediaCorrupt(f"text in video packet {number}")


def _has_text(data: bytes, start: int, end: int) -> bool:
    samples, at = data[start:end:_STRIDE].translate(_PRINTABLE), 0
    while (at := samples.find(_SAMPLES, at)) >= 0:
        first = start + at * _STRIDE
        stretch = data[first : first + _TEXT_BYTES]
        if 0 not in stretch.translate(_PRINTABLE) and len(set(stretch)) >= _LEAST_LETTERS:
            return True
        at += 1
    return False
