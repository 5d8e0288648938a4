"""Holes in JPEGs are found; honest pictures, whatever their zeros, are left alone."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops

from stories.media.jpeg_holes import HOLE, find_hole
from tests.fake_tiktok import media

SIZE = (1080, 1920)
ZEROS = bytes(4000)


def jpeg(image: Image.Image, **how: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", **how)
    return out.getvalue()


@cache
def scene() -> Image.Image:
    """The picture of the tests with some grain, as a camera leaves it."""
    drawn = Image.open(io.BytesIO(media.picture("jpeg", SIZE))).convert("RGB")
    return Image.blend(drawn, Image.effect_noise(SIZE, 60).convert("RGB"), 0.15)


def gradient(turn: int, size: tuple[int, int] = SIZE) -> Image.Image:
    return Image.linear_gradient("L").rotate(turn).resize(size).convert("RGB")


def tiled() -> Image.Image:
    """Every block of it the same."""
    image, tile = Image.new("L", SIZE), Image.effect_noise((8, 8), 80)
    for x in range(0, SIZE[0], 8):
        for y in range(0, SIZE[1], 8):
            image.paste(tile, (x, y))
    return image.convert("RGB")


def half_black() -> Image.Image:
    image = scene().copy()
    image.paste("#000", (0, 960, *SIZE))
    return image


HONEST: dict[str, Callable[[], Image.Image]] = {
    "black": lambda: Image.new("RGB", SIZE, "#000"),
    "white": lambda: Image.new("RGB", SIZE, "#fff"),
    "one colour": lambda: Image.new("RGB", SIZE, "#f63"),
    "large and black": lambda: Image.new("RGB", (2500, 2500)),
    "down": lambda: gradient(0),
    "across": lambda: gradient(90),
    "across and wide": lambda: gradient(270, (4096, 1024)),
    "slanted": lambda: Image.blend(gradient(0), gradient(90), 0.5),
    "slanted back": lambda: ImageChops.invert(Image.blend(gradient(0), gradient(90), 0.5)),
    "tiled": tiled,
    "half black": half_black,
    "grain": scene,
}
HOW: dict[str, list[dict[str, Any]]] = {
    "baseline": [{"optimize": True, "quality": 30}, {"optimize": False, "quality": 92}],
    # Their tables are always made for the picture.
    "progressive": [{"progressive": True, "quality": 30}, {"progressive": True, "quality": 92}],
    "the other way round": [{"optimize": False, "quality": 30}, {"optimize": True, "quality": 92}],
}


@pytest.mark.parametrize("make", HONEST.values(), ids=HONEST.keys())
@pytest.mark.parametrize(
    ("mode", "coding"),
    [
        *(
            (mode, coding)
            for mode in ("RGB", "L", "CMYK")
            for coding in ("baseline", "progressive")
        ),
        ("RGB", "the other way round"),
    ],
)
def test_no_honest_picture_has_a_hole(
    make: Callable[[], Image.Image], mode: str, coding: str
) -> None:
    image = make().convert(mode)
    for how in HOW[coding]:
        assert find_hole(jpeg(image, **how)) is None, how


def test_zeros_beside_the_picture_are_none_of_our_business() -> None:
    plain = jpeg(scene())
    thumbnail = plain[:30_000] + ZEROS + plain[30_000:40_000]
    beside = {
        "profile": jpeg(scene(), icc_profile=bytes(90_000)),
        "comment": jpeg(scene(), comment=ZEROS),
        "thumbnail": jpeg(scene(), exif=b"Exif\0\0" + thumbnail[:60_000]),
        "behind": plain + ZEROS + b"x",
        "padded": plain[:-2] + ZEROS + plain[-2:],
    }
    for name, data in beside.items():
        assert HOLE in data
        assert find_hole(data) is None, name


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("how", [{}, {"optimize": True}, {"restart_marker_rows": 1}], ids=str)
def test_a_hole_is_found(share: float, how: dict[str, Any]) -> None:
    data = bytearray(jpeg(scene(), quality=90, **how))
    start = int(len(data) * share)
    data[start : start + 4000] = ZEROS
    found = find_hole(bytes(data))
    assert found is not None
    assert start - 1 <= found <= start


def test_a_hole_is_found_in_a_progressive_picture() -> None:
    """In those of its passes where zero bits have a meaning that cannot go on."""
    whole = jpeg(scene(), quality=90, progressive=True)
    found = 0
    for start in range(5_000, len(whole) - 5_000, 20_000):
        data = bytearray(whole)
        data[start : start + 4000] = ZEROS
        found += find_hole(bytes(data)) is not None
    assert found > 0


@pytest.mark.timeout(30)
def test_fill_bytes_without_end_cost_no_time() -> None:
    comment = b"\xff\xfe" + (len(HOLE) + 2).to_bytes(2) + HOLE
    assert find_hole(SMALL[:2] + comment + b"\xff" * 1_000_000) is None


@given(st.integers(0, 2**32), st.integers(1, 40))
def test_damage_is_only_ever_looked_at(seed: int, changes: int) -> None:
    chance = random.Random(seed)
    data = bytearray(SMALL)
    for _ in range(changes):
        at = chance.randrange(len(data))
        data[at : at + chance.randrange(4)] = chance.choice([b"", b"\xff", b"\xc4", b"\xda", HOLE])
    found = find_hole(bytes(data))
    assert found is None or data[found : found + len(HOLE)] == HOLE


SMALL = jpeg(scene().resize((90, 160)), progressive=True)
