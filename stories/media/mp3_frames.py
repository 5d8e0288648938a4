"""The frames of an MP3, one behind the other: FFmpeg passes over what lies between two of them."""

from __future__ import annotations

# Thousands of bits per second by the four bits of a layer 3 header: MPEG 1, then 2 and 2.5.
_KBPS = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
_HERTZ = (44100, 48000, 32000)
_HERTZ_DIVISOR = {3: 1, 2: 2, 0: 4}
_TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3")
# Less than two frames are left behind the last one by some writers.
_MAX_REST = 400


def find_gap(data: bytes, start: int) -> int | None:
    """Offset at which something else than a frame or a closing tag stands; None without any.

    start: offset of the first frame.
    """
    at, end = start, len(data)
    while at + 4 <= end:
        length = _frame_bytes(data, at)
        if not length:
            rest = data[at:]
            padding = len(rest) - len(rest.lstrip(b"\0")) == len(rest)
            if padding or rest.startswith(_TAGS) or len(rest) <= _MAX_REST:
                return None
            return at
        at += length
    return None


def _frame_bytes(data: bytes, at: int) -> int:
    """The length that a frame's header gives; 0 where there is none, or of another layer."""
    first, second, third = data[at : at + 3]
    version, layer = second >> 3 & 3, second >> 1 & 3
    speed, rate, padding = third >> 4, third >> 2 & 3, third >> 1 & 1
    if first != 0xFF or second & 0xE0 != 0xE0 or layer != 1 or version not in _HERTZ_DIVISOR:
        return 0
    if speed in {0, 15} or rate == 3:
        return 0
    newest = version == 3
    bits_per_s = _KBPS[not newest][speed] * 1000
    return (144 if newest else 72) * bits_per_s // (
        _HERTZ[rate] // _HERTZ_DIVISOR[version]
    ) + padding
