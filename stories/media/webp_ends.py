"""Damage inside a WebP: its data does not end where the picture does.

WebP has no checksum, and a decoder makes a picture of nearly any bytes. But once some are wrong,
the rest means something else, and the last pixel is reached far before the end of the data or not
at all. libwebp refuses the latter. The former is seen by decoding once more without the last few
bytes, which a whole picture cannot do without. The codes of a lossless picture may fall into step
again behind the damage, so that its end proves nothing.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from stories.errors import MediaError
from stories.media.decoders import WEBP, open_picture

# More than an encoder may leave over, less than damage moves the end by.
TAIL_BYTES = 24
# So many zeros behind the end are padding; more is a hole.
MAX_PADDING = 64
MAX_FRAMES = 12


def find_surplus(data: bytes) -> bool | None:
    """Whether picture data is left over; None where that cannot be told.

    data: a WebP file that decodes. It can be told of lossy pictures of more than one block, and of
    animations of up to MAX_FRAMES of them; of lossless ones only when there is some left over.
    """
    frames = list(_frames(data))
    if not frames or len(frames) > MAX_FRAMES:
        return None
    surplus = any(
        _decodes(kind, without_tail)
        for kind, frame in frames
        for without_tail in (_without_tail if kind == b"VP8L" else _without_tails)(frame)
    )
    unsure = any(kind == b"VP8L" or _is_single_block(frame) for kind, frame in frames)
    return None if unsure and not surplus else surplus


def _chunks(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """(four letters, start and end of the content) of RIFF chunks, as far as they hold."""
    at = start
    while at + 8 <= stop:
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + size > stop:
            return
        yield data[at : at + 4], at + 8, at + 8 + size
        at += 8 + size + size % 2


def _frames(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(four letters, content) of each coded picture in a WebP file."""
    for kind, start, stop in _chunks(data, 12, len(data)):
        if kind in {b"VP8 ", b"VP8L"}:
            yield kind, data[start:stop]
        elif kind == b"ANMF":
            for inner, first, last in _chunks(data, start + 16, stop):
                if inner in {b"VP8 ", b"VP8L"}:
                    yield inner, data[first:last]


def _without_tail(frame: bytes) -> Iterator[bytes]:
    """The lossless picture without the end of its data; nothing for one too small for that."""
    cut = _surplus_bytes(frame)
    if len(frame) > 2 * cut:
        yield frame[: len(frame) - cut]


def _surplus_bytes(content: bytes) -> int:
    """The number of bytes to leave out: padding counts as none."""
    padding = len(content) - len(content.rstrip(b"\0"))
    return TAIL_BYTES + (padding if padding <= MAX_PADDING else 0)


def _is_single_block(frame: bytes) -> bool:
    """Whether a lossy picture has data worth a look, and is one block of 16 by 16 pixels.

    libwebp does not always miss the end of that.
    """
    width, height = (int.from_bytes(frame[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    return width <= 16 and height <= 16 and len(frame) > 2 * _surplus_bytes(frame)


def _without_tails(frame: bytes) -> Iterator[bytes]:
    """The lossy picture without the end of its data, once for each of its partitions."""
    if _is_single_block(frame):
        return
    modes_end = 10 + (int.from_bytes(frame[:3], "little") >> 5)
    count = _partitions(frame[10:modes_end])
    sizes_at, at = modes_end, modes_end + 3 * (count - 1)
    for number in range(count):
        listed = int.from_bytes(frame[sizes_at + 3 * number : sizes_at + 3 * number + 3], "little")
        stop = len(frame) if number == count - 1 else min(at + listed, len(frame))
        content = frame[at:stop]
        cut = _surplus_bytes(content)
        if len(content) > 2 * cut:
            shorter = frame[: stop - cut] + frame[stop:]
            if number < count - 1:
                place = sizes_at + 3 * number
                size = (len(content) - cut).to_bytes(3, "little")
                shorter = shorter[:place] + size + shorter[place + 3 :]
            yield shorter
        at = stop


def _partitions(modes: bytes) -> int:
    """The number of partitions that the header announces, read as far as that needs."""
    bits = _BoolReader(modes)
    bits.read(2)  # colour space, clamping
    if bits.read(1):  # segments
        update_map, update_data = bits.read(1), bits.read(1)
        if update_data:
            bits.read(1)
            for size in (7, 7, 7, 7, 6, 6, 6, 6):
                if bits.read(1):
                    bits.read(size + 1)
        if update_map:
            for _ in range(3):
                if bits.read(1):
                    bits.read(8)
    bits.read(10)  # the loop filter
    if bits.read(1) and bits.read(1):
        for _ in range(8):
            if bits.read(1):
                bits.read(7)
    return 1 << bits.read(2)


class _BoolReader:
    """VP8's arithmetic decoder, for bits that are as likely 0 as 1 (RFC 6386, section 7)."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 2
        self._value = int.from_bytes(data[:2].ljust(2, b"\0"))
        self._range, self._shifted = 255, 0

    def read(self, count: int) -> int:
        """A number of `count` bits."""
        number = 0
        for _ in range(count):
            number = number << 1 | self._bit()
        return number

    def _bit(self) -> int:
        split = 1 + ((self._range - 1) * 128 >> 8)
        bit = int(self._value >= split << 8)
        if bit:
            self._range -= split
            self._value -= split << 8
        else:
            self._range = split
        while self._range < 128:
            self._value <<= 1
            self._range <<= 1
            self._shifted += 1
            if self._shifted == 8:
                self._shifted = 0
                self._value |= self._data[self._at] if self._at < len(self._data) else 0
                self._at += 1
        return bit


def _decodes(kind: bytes, frame: bytes) -> bool:
    """Whether libwebp makes a picture of a frame."""
    chunk = kind + len(frame).to_bytes(4, "little") + frame + bytes(len(frame) % 2)
    file = b"RIFF" + (len(chunk) + 4).to_bytes(4, "little") + b"WEBP" + chunk
    try:
        with open_picture(io.BytesIO(file), WEBP) as image:
            image.load()
    except MediaError:
        return False
    return True
