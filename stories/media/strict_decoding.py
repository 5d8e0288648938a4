"""Damage inside a JPEG or an AVIF, found by a second decoder that refuses what does not add up.

libjpeg and Pillow's AVIF decoder make a picture of any bytes at all. FFmpeg, told to be strict,
says where the codes of a JPEG have no meaning or their data ends early, and whether the data of an
AVIF ends where its pixels do, which it does not once a byte inside is wrong. That the data of a
JPEG ends too late it does not say: so it is asked whether it gets to the end at all.

What it decodes of a JPEG on the way is enough for a poster: the same codes need not be read twice.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from stories.errors import StoriesError
from stories.media.decoders import AVIF, MAX_PIXELS, FileFormat, open_container
from stories.media.jpeg_holes import HOLE
from stories.media.jpeg_layout import (
    COMPONENTS,
    SCAN,
    Grid,
    Plain,
    plain_jpeg,
    segments,
    usual_grid,
)

if TYPE_CHECKING:
    import av
    import av.video.plane

_BLOCK_SIDE = 8
_SMALLEST = 3  # an eighth of its size, in which a block is a pixel
# No code is all ones. A few bytes too many are an encoder's; a hole leaves many more behind.
_NO_CODE = b"\xff\x00" * 32
_MAX_BLANK_SCANS = 4
MAX_STREAMS = 16
"""Streams of an AVIF, of which an animation with transparency has four; tiles are one each."""
MAX_STREAM_PIXELS = 120_000_000
"""Pixels of all frames of an animation; of a longer one it cannot be told."""


@dataclass(frozen=True, slots=True)
class Plane:
    """Samples of eight bits, full range, row behind row. stride: bytes from one row to the next."""

    samples: av.video.plane.VideoPlane
    width: int
    height: int
    stride: int


@dataclass(frozen=True, slots=True)
class Planes:
    """A JPEG as it is stored, not yet turned: luminance, and what makes it blue and red.

    All are smaller than the picture: by a common power of two, and the latter two by their
    subsampling, too.
    """

    luminance: Plane
    blue: Plane
    red: Plane


@dataclass(frozen=True, slots=True)
class Findings:
    """What a strict look at a picture found.

    damaged: None where that cannot be told. usual: whether it is a whole JPEG of the usual kind, in
    which nothing is missing that other decoders need. planes: of such a one, where they were asked
    for and hold luminance and colours apart.
    """

    damaged: bool | None
    usual: bool = False
    planes: Planes | None = None


def inspect(data: bytes, file_format: FileFormat, *, least_side: int | None = None) -> Findings:
    """Whether a picture that decodes is damaged inside.

    data: a JPEG or AVIF file. It cannot be told of kinds that FFmpeg does not decode at all:
    arithmetic coding, twelve bits, tiles; nor of a JPEG without an end, or of thousands of
    segments. least_side: have a JPEG's planes, too, with that many pixels on the shorter side of
    the luminance, where the picture has them.
    """
    if file_format is AVIF:
        return Findings(_judge(partial(_decode_avif, data)))
    plain = plain_jpeg(data)
    if plain is None:
        return Findings(None)
    if not plain.complete:
        return Findings(True)
    at_once = _read_at_once(plain, least_side)
    if at_once is not None:
        return at_once
    body = plain.joined()
    damaged = _judge(partial(_decode_jpeg, body))
    return Findings(_find_surplus(body) if damaged is False else damaged)


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
    frame = _jpeg_frame(data, _SMALLEST, strict=strict)
    return frame is not None and not (strict and frame.is_corrupt)


def _jpeg_frame(data: bytes, halvings: int, *, strict: bool) -> av.VideoFrame | None:
    """A JPEG decoded at its size halved so many times, up to three; None: it is refused.

    All data is read all the same, and less memory taken.
    """
    import av
    import av.video.plane

    context = av.CodecContext.create("mjpeg", "r")
    context.thread_type, context.thread_count = "NONE", 1
    context.options = {"max_pixels": str(MAX_PIXELS), "lowres": str(halvings)}
    if strict:
        context.options = {**context.options, "err_detect": "explode"}
    try:
        frames = [*context.decode(av.Packet(data)), *context.decode(None)]
    except (av.FFmpegError, ValueError):
        return None
    return frames[0] if frames else None


def _read_at_once(plain: Plain, least_side: int | None) -> Findings | None:
    """Findings where one look tells that a picture's codes all have meanings, and end with its last
    block; None where it does not tell so.

    It is asked of a picture said to be taller by a row of blocks. A decoder that is not strict
    stops at what it cannot read and leaves the rest as it was, which is zero: of a whole picture
    that is the row that is none of its own. Only of the usual kind, baseline in three components
    and one scan.
    """
    grid = usual_grid(plain)
    if grid is None:
        return None
    halvings = _SMALLEST if least_side is None else _halvings(grid, least_side)
    taller = plain.joined((grid.height_at, ((grid.rows + 1) * grid.group_height).to_bytes(2)))
    frame = _jpeg_frame(taller, halvings, strict=False)
    if frame is None or len(frame.planes) != COMPONENTS:
        return None
    block = _BLOCK_SIDE >> halvings
    blue, red = (_corners(plane, grid, block) for plane in frame.planes[1:])
    decoded = max(len(blue.rstrip(b"\0")), len(red.rstrip(b"\0")))
    # Where the data ends, the bits that fill up its last byte pass for one group of blocks more.
    if decoded - grid.columns * grid.rows != 1:
        return None
    if least_side is None or not grid.is_ycbcr or not frame.format.name.startswith("yuvj"):
        return Findings(False, usual=True)
    return Findings(False, usual=True, planes=_planes(frame, -(-grid.height >> halvings)))


def _halvings(grid: Grid, least: int) -> int:
    """How often a picture can be halved and keep so many pixels on its shorter side."""
    shorter = min(grid.width, grid.height)
    return max((count for count in range(_SMALLEST + 1) if shorter >> count >= least), default=0)


def _corners(plane: av.video.plane.VideoPlane, grid: Grid, block: int) -> bytes:
    """The first sample of each block of a chroma plane, row behind row, the one too many as well.

    block: pixels along the side of one, as it was decoded.
    """
    data, stride = bytes(plane), plane.line_size
    starts = range(0, (grid.rows + 1) * block * stride, block * stride)
    return b"".join(data[start : start + grid.columns * block : block] for start in starts)


def _planes(frame: av.VideoFrame, height: int) -> Planes:
    """A frame's planes without the rows below `height`, which are none of the picture's own."""
    luminance, *chroma = frame.planes
    down = round(luminance.height / chroma[0].height)
    blue, red = (_cropped(plane, -(-height // down)) for plane in chroma)
    return Planes(_cropped(luminance, height), blue, red)


def _cropped(plane: av.video.plane.VideoPlane, height: int) -> Plane:
    """The upper rows of a plane; its memory, not a copy."""
    return Plane(plane, plane.width, height, plane.line_size)


def _find_surplus(body: bytes) -> bool | None:
    """Whether zeros stand in place of picture data that then is too long; None: it may be so.

    Where the Huffman tables let zeros be evenly coloured blocks, a hole becomes far more of these
    than it took away, and data is left over. That alone is no damage, for some encoders leave some.
    """
    scans = [(start, stop) for kind, start, stop in segments(body) if kind == SCAN]
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
