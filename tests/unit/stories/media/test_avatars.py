"""A stranger's picture becomes a small square JPEG, or nothing at all."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from stories.errors import MediaCorrupt, MediaError, TooLarge
from stories.media import avatars
from tests.fake_tiktok import media


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("fmt", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("size", [(100, 100), (720, 720), (90, 400), (400, 90)])
def test_any_picture_becomes_a_small_square(
    fmt: media.PictureFormat, size: tuple[int, int]
) -> None:
    made = avatars.make(media.picture(fmt, size))
    image = opened(made)
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (144, 144))
    assert len(made) <= avatars.MAX_BYTES


def test_the_middle_is_kept() -> None:
    """Red left and right of a white square."""
    wide = Image.new("RGB", (300, 100), "#ff0000")
    wide.paste("#ffffff", (100, 0, 200, 100))
    out = io.BytesIO()
    wide.save(out, "PNG")
    image = opened(avatars.make(out.getvalue()))
    assert all(low > 220 for low, _high in image.crop((8, 0, 136, 144)).getextrema())  # type: ignore[misc]


def test_it_stands_upright() -> None:
    """Orientation 6: what is stored at the left is shown on top."""
    lying = Image.new("RGB", (200, 200), "#000000")
    lying.paste("#ffffff", (0, 0, 100, 200))
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    lying.save(out, "JPEG", exif=exif)
    image = opened(avatars.make(out.getvalue())).convert("L")
    assert image.getpixel((72, 10)) > 200  # type: ignore[operator]
    assert image.getpixel((72, 134)) < 50  # type: ignore[operator]


def test_nothing_but_its_pixels_is_kept() -> None:
    exif = Image.Exif()
    exif[0x010E] = "somebody wrote this"
    profile = b"\0" * 16 + b"RGB " + b"a profile" * 1000
    out = io.BytesIO()
    media_image = opened(media.picture("jpeg", (300, 300)))
    media_image.save(out, "JPEG", exif=exif, icc_profile=profile, comment=b"and this")
    made = avatars.make(out.getvalue() + b"<script>and that</script>")
    for left in (b"somebody", b"a profile", b"and this", b"and that", b"Exif"):
        assert left in out.getvalue() + b"and that"
        assert left not in made


def test_noise_is_made_small_too() -> None:
    out = io.BytesIO()
    Image.effect_noise((720, 720), 200).convert("RGB").save(out, "JPEG", quality=95)
    assert len(avatars.make(out.getvalue())) <= avatars.MAX_BYTES


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and holds a few bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


HOSTILE = {
    "nothing": b"",
    "an SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "a web page": b"<!DOCTYPE html><html></html>",
    "a bomb of 900 million pixels": png_header(30_000, 30_000),
    "a bomb below the limit of stories": png_header(6_000, 6_000),
    "a strip": png_header(1, 16_000),
    "no pixels": png_header(0, 100),
    "a GIF": b"GIF89a" + bytes(100),
    "a JPEG cut short": media.picture("jpeg", (300, 300))[:4000],
    "a JPEG without pixels": b"\xff\xd8\xff\xe0" + bytes(100),
    "an animation": media.picture("webp_animated", (120, 160)),
    "a video": b"\0\0\0\x20ftypisom" + bytes(100),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused(data: bytes) -> None:
    with pytest.raises(MediaError):
        avatars.make(data)


def test_the_reasons_are_told_apart() -> None:
    with pytest.raises(TooLarge):
        avatars.make(HOSTILE["a bomb below the limit of stories"])
    with pytest.raises(MediaCorrupt, match="animation"):
        avatars.make(HOSTILE["an animation"])
