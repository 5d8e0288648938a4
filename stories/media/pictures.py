"""Verification of pictures: all of it decodes; if its format can tell, nothing inside is amiss.

PNG has checksums. In a JPEG, a lossy WebP and an AVIF damage moves the place where the data ends,
or makes codes that have no meaning. What damage does to a HEIC, FFmpeg hides, but for holes.

| format | missing end | hole of zeros | other bytes in their place |
| --- | --- | --- | --- |
| JPEG, PNG, lossy WebP, AVIF | found | found | found |
| HEIC, lossless WebP, AVIF in tiles, arithmetic JPEG | found | most are | some are |

Pictures of the second row open, which is all that is said of them: `Verified.checked` is False.
"""

from __future__ import annotations

import io
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
    exif_orientation,
    open_container,
    open_picture,
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
    poster = None
    found = Findings(None)
    if file_format is JPEG:
        # One of the usual kind has been read to its end then, and often is enough for a poster.
        found = _look_inside(file, file_format, with_poster=with_poster)
    with open_picture(file, file_format) as image:
        width, height = image.size
        on_its_side = exif_orientation(image) >= 5
        if found.planes is not None and image.mode == "RGB":
            poster = posters.if_possible(partial(posters.of_planes, found.planes, image))
        if not found.usual or (with_poster and poster is None):
            _load(image, file_format, with_poster=with_poster)
            if with_poster:
                poster = posters.if_possible(partial(posters.of_picture, image))
        count = getattr(image, "n_frames", 1)
        if file_format is not JPEG:
            _decode_further_frames(image, count)
    if file_format is JPEG and count > 1:  # several in one file, and this one may be drafted
        with open_picture(file, file_format) as image:
            _decode_further_frames(image, count)
    if file_format is not JPEG:
        found = _look_inside(file, file_format, with_poster=with_poster)
    if on_its_side:
        width, height = height, width
    verified = Verified(
        content_type=file_format.content_type,
        suffix=file_format.suffix,
        width=width,
        height=height,
        checked=found.damaged is False,
    )
    return verified, poster


def _load(image: Image.Image, file_format: FileFormat, *, with_poster: bool) -> None:
    """Decode a picture, a JPEG at a size that is enough for what is wanted."""
    if file_format is JPEG and with_poster:
        posters.draft(image)
    elif file_format is JPEG and image.width * image.height > FULL_PIXELS:
        image.draft(None, (image.width // 4, image.height // 4))
    image.load()


def _decode_further_frames(image: Image.Image, count: int) -> None:
    """Decode the other frames of an animation, up to ANIMATION_PIXELS. count: of all."""
    budget = ANIMATION_PIXELS // (image.width * image.height)
    for number in range(1, min(count, budget)):
        image.seek(number)
        image.load()


def _look_inside(file: BinaryIO, file_format: FileFormat, *, with_poster: bool) -> Findings:
    """Raise MediaCorrupt for damage inside a picture; what is known of it else."""
    if file_format is HEIC:
        _refuse_heic_holes(file)
        return Findings(None)
    file.seek(0)
    data = file.read()
    if file_format is PNG:
        if _PNG_END not in data:
            raise MediaCorrupt("the end of the picture is missing")
        return Findings(False)
    if file_format is JPEG and (offset := jpeg_holes.find_hole(data)) is not None:
        raise MediaCorrupt(f"a hole of zeros or text at byte {offset}")
    found = Findings(None)
    if file_format is WEBP:
        found = Findings(webp_ends.find_surplus(data))
    elif file_format in {JPEG, AVIF}:
        least_side = posters.WIDTH if with_poster else None
        found = strict_decoding.inspect(data, file_format, least_side=least_side)
    if found.damaged:
        raise MediaCorrupt(f"{file_format.description} with damage inside")
    return found


def _refuse_heic_holes(file: BinaryIO) -> None:
    file.seek(0)
    with open_container(io.BytesIO(file.read()), HEIC) as container:
        for packet in container.demux(container.streams.video):
            if _HOLE in bytes(packet):
                raise MediaCorrupt("a hole of zeros in a HEIC picture")
