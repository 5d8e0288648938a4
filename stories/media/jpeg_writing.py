"""Plain JPEGs out of decoded pictures: upright, transparency on white, hardly any metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, BinaryIO

from stories.media import picture_dates
from stories.media.decoders import JPEG, exif_orientation, load_pillow
from stories.structures import Verified

if TYPE_CHECKING:
    from PIL import Image


def upright(image: Image.Image) -> Image.Image:
    """The image turned by its EXIF orientation: 2 to 8 are these turns, in this order."""
    turns = load_pillow().Transpose
    by_orientation = (
        turns.FLIP_LEFT_RIGHT,
        turns.ROTATE_180,
        turns.FLIP_TOP_BOTTOM,
        turns.TRANSPOSE,
        turns.ROTATE_270,
        turns.TRANSVERSE,
        turns.ROTATE_90,
    )
    number = exif_orientation(image)
    return image if number == 1 else image.transpose(by_orientation[number - 2])


def without_alpha(image: Image.Image) -> Image.Image:
    """The image in RGB, what was transparent on white."""
    if image.mode == "RGB":
        return image
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        background: Image.Image = load_pillow().new("RGB", layer.size, "#ffffff")
        background.paste(layer, mask=layer.getchannel("A"))
        return background
    return image.convert("RGB")


def save_jpeg(
    image: Image.Image,
    out: BinaryIO,
    quality: int,
    *,
    dates: Mapping[int, str] | None = None,
    optimize: bool = True,
) -> Verified:
    """Write a plain JPEG: no comment, of EXIF the dates alone; the colour profile decides colours.

    dates: as picture_dates makes them. optimize: Huffman tables made for this picture, which costs
    a second pass. The image's own notes are lost.
    """
    profile = image.info.get("icc_profile")
    if isinstance(profile, bytes) and not _is_rgb_profile(profile):
        profile = None  # of a picture that was not RGB: it would give these pixels other colours
    image.info = {}
    exif = picture_dates.as_exif(dates) if dates else b""
    image.save(out, "JPEG", quality=quality, optimize=optimize, icc_profile=profile, exif=exif)
    return Verified(
        content_type=JPEG.content_type, suffix=JPEG.suffix, width=image.width, height=image.height
    )


def _is_rgb_profile(profile: bytes) -> bool:
    """Whether an ICC profile is for RGB, by its header."""
    return profile[16:20] == b"RGB "
