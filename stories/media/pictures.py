"""Verification of pictures: all of it decodes; if its format can tell, nothing inside is amiss.

PNG has checksums. In a JPEG, a lossy WebP and an AVIF damage moves the place where the data ends,
or makes codes that have no meaning. What damage does to a HEIC, FFmpeg hides, but for holes.

| format | missing end | hole of zeros | other bytes in their place |
| --- | --- | --- | --- |
| JPEG, PNG, lossy WebP, AVIF | found | found | found |
| HEIC, lossless WebP, AVIF in tiles, arithmetic JPEG | found | most are | some are |

A file of several JPEGs is whole when all of them are.

Pictures of the second row open, which is all that is said of them: `Verified.checked` is False.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from stories.errors import MediaCorrupt
from stories.media import jpeg_holes, posters, strict_decoding, webp_ends
from stories.media.decoders import (
    AVIF,
    HEIC,
    JPEG,
    PNG,
    WEBP,
    FileFormat,
    open_container,
    open_picture,
    upright_size,
)
from stories.media.posters import Poster
from stories.media.strict_decoding import Findings
from stories.structures import Verified

if TYPE_CHECKING:
    from PIL import Image

# Above this a JPEG is decoded at reduced size. All of its data is read and decoded all the same,
# only fewer pixels are computed from it: under half the time, and a sixteenth of the memory.
FULL_PIXELS = 1_000_000
ANIMATION_PIXELS = strict_decoding.MAX_STREAM_PIXELS
# Emulation prevention keeps three zero bytes out of HEVC; a run this long is a hole.
_HOLE = bytes(64)
_PNG_END = b"IEND\xae\x42\x60\x82"


def examine_picture(
    file: BinaryIO, file_format: FileFormat, *, with_poster: bool
) -> tuple[Verified, Poster | None]:
    """Decode a picture; its description, and a poster where that is wanted.

    Raises MediaCorrupt or TooLarge.
    """
    if file_format.family != "picture":
        raise MediaCorrupt(f"{file_format.description} instead of a picture")
    if file_format is not HEIC:
        with open_picture(file, file_format) as image:
            image.verify()  # checksums, where the format has them; the image is spent afterwards
    if file_format is JPEG:
        found = _examine_jpeg(file, with_poster=with_poster)
    else:
        found = _examine_other(file, file_format, with_poster=with_poster)
    verified = Verified(
        content_type=file_format.content_type,
        suffix=file_format.suffix,
        width=found.width,
        height=found.height,
        checked=found.damaged is False,
    )
    return verified, found.poster


@dataclass(frozen=True, slots=True)
class _Found:
    """A decoded picture. width, height: upright. damaged: None where that cannot be told."""

    width: int
    height: int
    damaged: bool | None
    poster: Poster | None


def _examine_jpeg(file: BinaryIO, *, with_poster: bool) -> _Found:
    found, poster = _inspect_jpeg(file, with_poster=with_poster), None
    with open_picture(file, JPEG) as image:
        width, height = upright_size(image)
        if found.planes is not None and image.mode == "RGB":
            poster = posters.if_possible(partial(posters.of_planes, found.planes, image))
        # One of the usual kind has been read to its end, and often enough decoded for a poster.
        if not found.usual or (with_poster and poster is None):
            _load_jpeg(image, with_poster=with_poster)
            if with_poster:
                poster = posters.if_possible(partial(posters.of_picture, image))
        several = getattr(image, "n_frames", 1) > 1
    if several:
        with open_picture(file, JPEG) as image:  # anew, for what is drafted cannot go on
            _decode_further_frames(image)
    return _Found(width, height, found.damaged, poster)


def _inspect_jpeg(file: BinaryIO, *, with_poster: bool) -> Findings:
    """What is found of a JPEG that is not damaged, as far as can be told. Raises MediaCorrupt."""
    file.seek(0)
    data = file.read()
    if (offset := jpeg_holes.find_hole(data)) is not None:
        raise MediaCorrupt(f"a hole of zeros or text at byte {offset}")
    least_side = posters.WIDTH if with_poster else None
    found = strict_decoding.inspect(data, JPEG, least_side=least_side)
    _refuse_damage(JPEG, found.damaged)
    return found


def _load_jpeg(image: Image.Image, *, with_poster: bool) -> None:
    """Decode a JPEG at a size that is enough for what is wanted."""
    if with_poster:
        posters.draft(image)
    elif image.width * image.height > FULL_PIXELS:
        image.draft(None, (image.width // 4, image.height // 4))
    image.load()


def _examine_other(file: BinaryIO, file_format: FileFormat, *, with_poster: bool) -> _Found:
    with open_picture(file, file_format) as image:
        image.load()
        width, height = upright_size(image)
        poster = posters.if_possible(partial(posters.of_picture, image)) if with_poster else None
        _decode_further_frames(image)
    return _Found(width, height, _look_inside(file, file_format), poster)


def _decode_further_frames(image: Image.Image) -> None:
    """Decode the other frames of an animation, up to ANIMATION_PIXELS."""
    budget = ANIMATION_PIXELS
    for number in range(1, getattr(image, "n_frames", 1)):
        image.seek(number)
        # Of several JPEGs in one file each has a size of its own.
        budget -= image.width * image.height
        if budget < 0:
            break
        image.load()


def _look_inside(file: BinaryIO, file_format: FileFormat) -> bool | None:
    """Raise MediaCorrupt for damage inside a picture that decodes; None: that cannot be told."""
    if file_format is HEIC:
        _refuse_heic_holes(file)
        return None
    file.seek(0)
    data = file.read()
    if file_format is PNG:
        if _PNG_END not in data:
            raise MediaCorrupt("the end of the picture is missing")
        return False
    damaged = None
    if file_format is WEBP:
        damaged = webp_ends.find_surplus(data)
    elif file_format is AVIF:
        damaged = strict_decoding.inspect(data, AVIF).damaged
    _refuse_damage(file_format, damaged)
    return damaged


def _refuse_damage(file_format: FileFormat, damaged: bool | None) -> None:
    if damaged:
        raise MediaCorrupt(f"{file_format.description} with damage inside")


def _refuse_heic_holes(file: BinaryIO) -> None:
    file.seek(0)
    with open_container(io.BytesIO(file.read()), HEIC) as container:
        for packet in container.demux(container.streams.video):
            if _HOLE in bytes(packet):
                raise MediaCorrupt("a hole of zeros in a HEIC picture")
