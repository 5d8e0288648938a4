"""Avatars: a stranger's picture becomes a small square JPEG of our own making.

What arrived is decoded and drawn anew, so that nothing of it is kept but its pixels: no metadata,
no profile, no bytes behind the end. Synchronous, and safe in several threads at once.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from stories.errors import MediaCorrupt
from stories.media.decoders import (
    JPEG,
    PNG,
    WEBP,
    check_dimensions,
    load_pillow,
    open_picture,
    sniff_file,
)
from stories.media.jpeg_writing import save_jpeg, upright, without_alpha

if TYPE_CHECKING:
    from PIL import Image

SIDE: Final = 144
"""Pixels of its width and height: enough for 48 points on a phone with three pixels to a point."""
MAX_BYTES: Final = 8 * 1024
MAX_SIDE: Final = 2_048
"""Pixels of what may arrive; the largest that TikTok lists has 1080."""

_QUALITIES: Final = (80, 60, 40, 20)


def make(data: bytes) -> bytes:
    """A JPEG of SIDE by SIDE pixels and at most MAX_BYTES, cut from the middle of a picture.

    data: a JPEG, PNG or WebP file, not animated. Raises MediaCorrupt or TooLarge.
    """
    file = io.BytesIO(data)
    file_format = sniff_file(file)
    if file_format not in {JPEG, PNG, WEBP}:
        raise MediaCorrupt(f"{file_format.description} as an avatar")
    with open_picture(file, file_format) as image:
        check_dimensions(image.width, image.height, MAX_SIDE)
        if file_format is JPEG:
            image.draft("RGB", (SIDE, SIDE))
        elif getattr(image, "n_frames", 1) > 1:
            raise MediaCorrupt("an animation as an avatar")
        image.load()
        return _encoded(_square(without_alpha(upright(image))))


def _square(image: Image.Image) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    lanczos = load_pillow().Resampling.LANCZOS
    return image.resize((SIDE, SIDE), lanczos, box=box, reducing_gap=2.0)


def _encoded(image: Image.Image) -> bytes:
    image.info = {}  # its colour profile may be larger than the picture
    for quality in _QUALITIES:
        out = io.BytesIO()
        save_jpeg(image, out, quality)
        if out.tell() <= MAX_BYTES:
            break
    return out.getvalue()
