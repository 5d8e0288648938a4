"""jpeg_writing: what becomes of a picture's colours, its sides and its notes."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from stories.media.jpeg_writing import save_jpeg, upright, without_alpha


def test_what_was_transparent_is_white() -> None:
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert without_alpha(image).getpixel((0, 0)) == (255, 255, 255)


def test_a_picture_in_rgb_is_not_copied() -> None:
    image = Image.new("RGB", (4, 4))
    assert without_alpha(image) is image
    assert upright(image) is image


@pytest.mark.parametrize("optimize", [True, False])
def test_notes_are_left_out(optimize: bool) -> None:
    image, out = Image.new("RGB", (8, 6), "#123456"), io.BytesIO()
    image.info["comment"] = b"taken at home"
    verified = save_jpeg(image, out, 80, optimize=optimize)
    assert (verified.content_type, verified.width, verified.height) == ("image/jpeg", 8, 6)
    assert b"home" not in out.getvalue()
