"""Damage inside a JPEG or an AVIF, found by a second decoder that refuses what does not add up.

libjpeg and Pillow's AVIF decoder make a picture of any bytes at all. FFmpeg, told to be strict,
says where the codes of a JPEG have no meaning or their data ends early, and whether the data of an
AVIF ends where its pixels do, which it does not once a byte inside is wrong. That the data of a
JPEG ends too late it does not say: so it is asked whether it gets to the end at all.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from stories.errors import StoriesError
from stories.media.decoders import AVIF, MAX_PIXELS, FileFormat, open_container
from stories.media.jpeg_holes import HOLE

if TYPE_CHECKING:
    import av
    import av.video.plane

# A marker with something behind it; within a scan a stuffed zero and restarts are no such thing.
_MARKER = re.compile(rb"\xff([\x02-\xcf\xd8-\xfe])", re.DOTALL)
_END, _SCAN = 0xD9, 0xDA
_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2
_JUDGED = frozenset({_BASELINE, _EXTENDED, _PROGRESSIVE})
_NAMES_COLOURS = 0xEE
_IGNORED = frozenset({*range(0xE0, 0xF0), 0xFE}) - {_NAMES_COLOURS}
# No code is all ones. A few bytes too many are an encoder's; a hole leaves many more behind.
_NO_CODE = b"\xff\x00" * 32
_MAX_BLANK_SCANS = 4
_COMPONENTS = 3
# Different bytes at the end of a scan; compressed data has some fifty among sixty-four.
_MIN_VARIETY = 16
_MAX_SIDE = 65_535
MAX_STREAMS = 16
"""Streams of an AVIF, of which an animation with transparency has four; tiles are one each."""
MAX_STREAM_PIXELS = 120_000_000
"""Pixels of all frames of an animation; of a longer one it cannot be told."""


def find_damage(data: bytes, file_format: FileFormat) -> bool | None:
    """Whether a picture that decodes is damaged inside; None where that cannot be told.

    data: a JPEG or AVIF file. It cannot be told of kinds that FFmpeg does not decode at all:
    arithmetic coding, twelve bits, tiles.
    """
    if file_format is AVIF:
        return _judge(partial(_decode_avif, data))
    plain = _plain_jpeg(data)
    if plain is None:
        return None
    body, complete = plain
    if not complete:
        return True
    if _ends_where_its_pixels_do(body):
        return False
    damaged = _judge(partial(_decode_jpeg, body))
    return _find_surplus(body) if damaged is False else damaged


def _judge(decode: Callable[[bool], bool]) -> bool | None:
    if decode(True):
        return False
    return True if decode(False) else None


def _decode_avif(data: bytes, strict: bool) -> bool:
    """Whether everything in an AVIF decodes: picture, transparency, each frame of an animation."""
    try:
        with open_container(io.BytesIO(data), AVIF) as container:
            count = len(container.streams.video)
        if not 0 < count <= MAX_STREAMS:
            return False
        return all(_decode_stream(data, number, strict) for number in range(count))
    except (StoriesError, ValueError):
        return False


def _decode_stream(data: bytes, number: int, strict: bool) -> bool:
    """Whether every frame of a stream decodes; False above MAX_STREAM_PIXELS, too."""
    frames = 0
    with open_container(io.BytesIO(data), AVIF) as container:
        stream = container.streams.video[number]
        context = stream.codec_context
        context.thread_type, context.thread_count = "NONE", 1
        context.options = {"max_pixels": str(MAX_PIXELS)} | ({"strict": "1"} if strict else {})
        for frame in container.decode(stream):
            frames += 1
            if frame.is_corrupt or frames * frame.width * frame.height > MAX_STREAM_PIXELS:
                return False
    return frames > 0


def _decode_jpeg(data: bytes, strict: bool) -> bool:
    frame = _jpeg_frame(data, strict=strict)
    return frame is not None and not (strict and frame.is_corrupt)


def _jpeg_frame(data: bytes, *, strict: bool) -> av.VideoFrame | None:
    """A JPEG decoded at an eighth of its size, in which a block is a pixel; None: it is refused.

    All data is read all the same, and a sixty-fourth of the memory taken.
    """
    import av
    import av.video.plane

    context = av.CodecContext.create("mjpeg", "r")
    context.thread_type, context.thread_count = "NONE", 1
    context.options = {"max_pixels": str(MAX_PIXELS), "lowres": "3"}
    if strict:
        context.options = {**context.options, "err_detect": "explode"}
    try:
        frames = [*context.decode(av.Packet(data)), *context.decode(None)]
    except (av.FFmpegError, ValueError):
        return None
    return frames[0] if frames else None


def _ends_where_its_pixels_do(body: bytes) -> bool:
    """Whether one look tells that a picture's codes all have meanings, and end with its last block.

    It is asked of a picture said to be taller by a row of blocks. A decoder that is not strict
    stops at what it cannot read and leaves the rest as it was, which is zero: of a whole picture
    that is the row that is none of its own. Only of the usual kind, baseline in three components
    and one scan; False also where it cannot be told so.
    """
    grid = _grid(body)
    if grid is None:
        return False
    columns, rows, taller = grid
    frame = _jpeg_frame(taller, strict=False)
    if frame is None or len(frame.planes) != _COMPONENTS:
        return False
    blue, red = (_samples(plane, columns, rows + 1) for plane in frame.planes[1:])
    decoded = max(len(blue.rstrip(b"\0")), len(red.rstrip(b"\0")))
    # Where the data ends, the bits that fill up its last byte pass for one group of blocks more.
    return decoded - columns * rows == 1


def _samples(plane: av.video.plane.VideoPlane, columns: int, rows: int) -> bytes:
    """The samples of a plane, row behind row, without what fills up its lines."""
    data, stride = bytes(plane), plane.line_size
    return b"".join(data[row * stride : row * stride + columns] for row in range(rows))


def _grid(body: bytes) -> tuple[int, int, bytes] | None:
    """(columns, rows, the picture with a row more) of the groups of blocks a JPEG is coded in.

    None for other kinds than baseline with two chroma components of one block a group, in one scan
    without a run of zeros, and without an end that repeats itself, which may be filling.
    """
    segments = list(_segments(body))
    frames = [(kind, start) for kind, start, _ in segments if kind in _JUDGED]
    scans = [(start, stop) for kind, start, stop in segments if kind == _SCAN]
    if len(frames) != 1 or len(scans) != 1 or frames[0][0] != _BASELINE:
        return None
    start, stop = scans[0]
    if HOLE in body[start:stop] or len(set(body[stop - len(_NO_CODE) : stop])) < _MIN_VARIETY:
        return None
    at = frames[0][1] + 5  # height, width, number of components, then three bytes for each
    height, width = int.from_bytes(body[at : at + 2]), int.from_bytes(body[at + 2 : at + 4])
    factors = body[at + 6 : at + 5 + 3 * _COMPONENTS : 3]
    if body[at + 4] != _COMPONENTS or factors[1:] != b"\x11\x11" or not (height and width):
        return None
    across, down = 8 * (factors[0] >> 4), 8 * (factors[0] & 15)
    if not across or not down:
        return None
    columns, rows = -(-width // across), -(-height // down)
    tall = (rows + 1) * down
    if tall > _MAX_SIDE or columns * across * tall > MAX_PIXELS:
        return None
    return columns, rows, body[:at] + tall.to_bytes(2) + body[at + 2 :]


def _find_surplus(body: bytes) -> bool | None:
    """Whether zeros stand in place of picture data that then is too long; None: it may be so.

    Where the Huffman tables let zeros be evenly coloured blocks, a hole becomes far more of these
    than it took away, and data is left over. That alone is no damage, for some encoders leave some.
    """
    scans = [(start, stop) for kind, start, stop in _segments(body) if kind == _SCAN]
    blank = [(start, stop) for start, stop in scans if HOLE in body[start:stop].rstrip(b"\0")]
    if len(blank) > _MAX_BLANK_SCANS:
        return None
    verdict: bool | None = False
    for start, stop in blank or scans[-1:]:
        header = start + 4
        count = body[header]
        first, bits = body[header + 1 + 2 * count], body[header + 3 + 2 * count]
        if first == 0 and bits >> 4:  # bits without any code: nothing there has no meaning
            verdict = None if blank else verdict
        elif _ends_early(body, start, stop):
            if blank:
                return True
            verdict = None
    return verdict


def _ends_early(body: bytes, start: int, stop: int) -> bool:
    """Whether the picture is complete before the end of this scan's data, zeros there aside."""
    end = start + len(body[start:stop].rstrip(b"\0")) - len(_NO_CODE)
    data = start + 2 + int.from_bytes(body[start + 2 : start + 4])
    return end > data and _decode_jpeg(body[:end] + _NO_CODE + body[stop:], True)


def _plain_jpeg(data: bytes) -> tuple[bytes, bool] | None:
    """(The picture alone, whether all its scans are there); None for a kind we cannot judge.

    The picture without notes and thumbnails, and without what stands behind its end.
    """
    parts, scans = [data[:2]], _Scans()
    for kind, start, stop in _segments(data):
        if 0xC0 <= kind <= 0xCF and kind not in {0xC4, 0xC8, 0xCC}:
            if kind not in _JUDGED or data[start + 4 : start + 5] != b"\x08":
                return None
            scans.progressive = kind == _PROGRESSIVE
        if kind == _SCAN:
            scans.read(data[start + 4 : stop])
        if kind not in _IGNORED:
            parts.append(data[start:stop])
        if kind == _END:
            return b"".join(parts), scans.complete
    return None


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(kind, start, end) of the segments behind the first marker, a scan with its data."""
    at = 2
    while marker := _MARKER.search(data, at):
        kind, start = marker[1][0], marker.start()
        if kind == _END:
            yield kind, start, start + 2
            return
        stop = start + 2 + max(int.from_bytes(data[start + 2 : start + 4]), 2)
        if kind == _SCAN:
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
