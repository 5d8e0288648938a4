"""Dates put into a picture that has none, without touching its pixels.

A JPEG gets an EXIF segment, a PNG and a WebP a chunk. A picture that says when it was taken stays
as it is; of one whose EXIF says something else, everything stays and the dates are added. What
cannot be understood is left alone: a date is not worth a picture.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final

from stories.media import picture_dates
from stories.media.edits import Edit

PREFIX: Final = b"Exif\0\0"
"""What an EXIF block begins with in a JPEG, and nowhere else."""
MOST_PARTS: Final = 4096
"""Segments or chunks of a picture that are looked at."""
MOST_BLOCK_BYTES: Final = 65_533
"""The longest EXIF block a segment of a JPEG holds."""

_PNG = b"\x89PNG\r\n\x1a\n"
_HEAD_BYTES: Final = 32
_IHDR_END: Final = 33
_EXIF_FLAG: Final = 0x08
_ALPHA_FLAG: Final = 0x10


def date_edits(file: BinaryIO, dates: Mapping[int, str]) -> list[Edit]:
    """What is to be changed in a picture so that it says when it was taken; [] for nothing.

    file: at any place, and left at another one. dates: as `picture_dates.of_moment` has them.
    """
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    if head.startswith(b"\xff\xd8\xff"):
        return _jpeg(file, dates)
    if head.startswith(_PNG):
        return _png(file, dates)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _webp(file, head, dates)
    return []


# --- JPEG -----------------------------------------------------------------------------------------


def _jpeg(file: BinaryIO, dates: Mapping[int, str]) -> list[Edit]:
    at = insert_at = 2
    for _ in range(MOST_PARTS):
        file.seek(at)
        head = file.read(4 + len(PREFIX))
        if len(head) < 4 or head[0] != 0xFF:
            return []
        marker = head[1]
        if marker == 0xFF:  # a byte that fills up
            at += 1
            continue
        if marker in {0xDA, 0xD9}:
            return [_segment(insert_at, 0, picture_dates.as_exif(dates))]
        if marker in {0x00, 0x01} or 0xD0 <= marker <= 0xD8:
            return []
        length = int.from_bytes(head[2:4])
        if length < 2:
            return []
        end = at + 2 + length
        if marker == 0xE1 and head[4:] == PREFIX:
            file.seek(at + 4)
            block = picture_dates.completed(file.read(length - 2), dates)
            return [_segment(at, 2 + length, block)] if _fits(block) else []
        if marker == 0xE0 and insert_at == at:  # JFIF wants to be the first, and EXIF too
            insert_at = end
        at = end
    return []


def _fits(block: bytes | None) -> bool:
    return block is not None and len(block) <= MOST_BLOCK_BYTES


def _segment(at: int, drop: int, block: bytes | None) -> Edit:
    block = block or b""
    return Edit(at, drop, b"\xff\xe1" + (len(block) + 2).to_bytes(2) + block)


# --- PNG ------------------------------------------------------------------------------------------


def _png(file: BinaryIO, dates: Mapping[int, str]) -> list[Edit]:
    for kind, at, length in _png_chunks(file):
        if kind == b"eXIf":
            if length > MOST_BLOCK_BYTES:
                return []
            file.seek(at + 8)
            block = picture_dates.completed(PREFIX + file.read(length), dates)
            return [] if block is None else [Edit(at, 12 + length, _png_chunk(block))]
        if kind == b"IEND":
            return [Edit(_IHDR_END, 0, _png_chunk(picture_dates.as_exif(dates)))]
    return []


def _png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Kind, offset and length of the data of each chunk, the first of which is the header."""
    at = len(_PNG)
    for number in range(MOST_PARTS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        length, kind = int.from_bytes(head[:4]), head[4:]
        if number == 0 and (kind, length) != (b"IHDR", 13):
            return
        yield kind, at, length
        at += 12 + length


def _png_chunk(block: bytes) -> bytes:
    body = b"eXIf" + block.removeprefix(PREFIX)
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


# --- WebP -----------------------------------------------------------------------------------------


def _webp(file: BinaryIO, head: bytes, dates: Mapping[int, str]) -> list[Edit]:
    size = int.from_bytes(head[4:8], "little")
    end = 8 + size
    if size % 2 or file.seek(0, 2) < end:
        return []
    found = _webp_exif(file, end)
    if found is None:
        return []
    at, length = found
    block: bytes | None = picture_dates.as_exif(dates)
    if length:
        if length > MOST_BLOCK_BYTES:
            return []
        file.seek(at + 8)
        old = file.read(length)
        block = picture_dates.completed(PREFIX + old.removeprefix(PREFIX), dates)
        if block is None:
            return []
    chunk = _riff_chunk(b"EXIF", block.removeprefix(PREFIX) if block else b"")
    edits = [Edit(at, 8 + length + length % 2 if length else 0, chunk)]
    if head[12:16] == b"VP8X":
        edits.append(Edit(20, 1, bytes([head[20] | _EXIF_FLAG])))
    else:
        extended = _extended_header(head)
        if extended is None:
            return []
        edits.append(Edit(12, 0, extended))
    grown = size + sum(len(edit.insert) - edit.drop for edit in edits)
    if grown >= 1 << 32:
        return []
    return [Edit(4, 4, grown.to_bytes(4, "little")), *edits]


def _webp_exif(file: BinaryIO, end: int) -> tuple[int, int] | None:
    """Offset and length of the EXIF chunk; (end, 0) for none; None for a file that is not whole."""
    at = 12
    for _ in range(MOST_PARTS):
        if at == end:
            return end, 0
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little")
        following = at + 8 + length + length % 2
        if len(head) < 8 or following > end:
            return None
        if head[:4] == b"EXIF" and length:
            return at, length
        at = following
    return None


def _extended_header(head: bytes) -> bytes | None:
    """The chunk that has to stand before a plain picture for it to carry EXIF."""
    flags = _EXIF_FLAG
    if head[12:16] == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width = int.from_bytes(head[26:28], "little") & 0x3FFF
        height = int.from_bytes(head[28:30], "little") & 0x3FFF
    elif head[12:16] == b"VP8L" and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        flags |= _ALPHA_FLAG if bits >> 28 & 1 else 0
    else:
        return None
    if not width or not height:
        return None
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return _riff_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + sizes)


def _riff_chunk(kind: bytes, data: bytes) -> bytes:
    return kind + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) % 2)
