"""A second decoder's verdict on JPEG and AVIF, and where it has none."""

from __future__ import annotations

import io
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from stories.media import strict_decoding
from stories.media.decoders import AVIF, JPEG, FileFormat
from stories.media.strict_decoding import Plane, Planes, inspect
from tests.unit.stories.media.grain import grain

GRAIN = grain((160, 240)).convert("RGB")
POSTER = 360


def saved(image: Image.Image, fmt: str = "JPEG", **how: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, fmt, **how)
    return out.getvalue()


def grained(size: tuple[int, int], colour: str = "#d02040") -> Image.Image:
    """An area of one colour, more or less."""
    return Image.blend(Image.new("RGB", size, colour), grain(size).convert("RGB"), 0.1)


def find_damage(data: bytes, file_format: FileFormat) -> bool | None:
    """What is said of a picture; of a JPEG, with and without its planes."""
    damaged = inspect(data, file_format).damaged
    if file_format is JPEG:
        found = inspect(data, file_format, least_side=POSTER)
        assert found.damaged is damaged
        assert damaged is False or found.planes is None
    return damaged


def encoded(fmt: str, **how: object) -> bytes:
    out = io.BytesIO()
    GRAIN.save(out, fmt, **how)
    return out.getvalue()


def test_whole_pictures() -> None:
    assert find_damage(encoded("JPEG"), JPEG) is False
    assert find_damage(encoded("JPEG", progressive=True), JPEG) is False
    assert find_damage(encoded("AVIF", speed=10), AVIF) is False


@pytest.mark.parametrize("how", [{}, {"subsampling": 0}, {"optimize": True}], ids=str)
@pytest.mark.parametrize("least_side", [None, POSTER])
def test_a_photo_of_the_usual_kind_is_decoded_once(
    how: dict[str, Any], least_side: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[bool] = []
    decode = strict_decoding._jpeg_frame

    def counting(data: bytes, halvings: int, *, strict: bool) -> Any:
        looks.append(strict)
        return decode(data, halvings, strict=strict)

    monkeypatch.setattr(strict_decoding, "_jpeg_frame", counting)
    found = inspect(encoded("JPEG", **how), JPEG, least_side=least_side)
    assert (found.damaged, found.planes is None) == (False, least_side is None)
    assert looks == [False]


def test_one_look_passes_no_damage_that_two_would_see(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(11)
    whole = saved(smooth().resize((270, 480)), quality=85)
    damaged = []
    for number in range(120):
        length = (8, 40, 200, 900)[number % 4]
        at = chance.randrange(700, len(whole) - length - 2)
        other = chance.randrange(700, len(whole) - length)
        places = (bytes(chance.choices(range(255), k=length)), whole[other : other + length], b"")
        damaged.append(whole[:at] + places[number % 3] + whole[at + length :])
    quick = [find_damage(data, JPEG) for data in damaged]
    monkeypatch.setattr(strict_decoding, "_read_at_once", lambda *_: None)
    assert quick == [find_damage(data, JPEG) for data in damaged]
    assert set(quick) == {True, False, None}


# --- planes ---------------------------------------------------------------------------------------


def as_image(plane: Plane) -> Image.Image:
    size = plane.width, plane.height
    return Image.frombytes("L", size, bytes(plane.samples), "raw", "L", plane.stride, 1)


def planes_of(data: bytes, least_side: int) -> Planes:
    planes = inspect(data, JPEG, least_side=least_side).planes
    assert planes is not None
    return planes


@pytest.mark.parametrize(
    ("size", "least_side", "halved"),
    [
        ((1080, 1920), 360, (540, 960)),
        ((1920, 1080), 360, (960, 540)),
        ((719, 1000), 360, (719, 1000)),
        ((720, 721), 360, (360, 361)),
        ((2901, 2899), 360, (363, 363)),
        ((90, 160), 360, (90, 160)),
        ((9, 1), 1, (9, 1)),
        ((1, 1), 360, (1, 1)),
    ],
)
def test_planes_are_no_smaller_than_they_must_be(
    size: tuple[int, int], least_side: int, halved: tuple[int, int]
) -> None:
    planes = planes_of(saved(grained(size)), least_side)
    assert as_image(planes.luminance).size == halved
    width, height = halved
    for plane in (planes.blue, planes.red):
        assert as_image(plane).size == (-(-width // 2), -(-height // 2))


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("size", [(1081, 1923), (737, 399), (363, 379)])
def test_planes_hold_the_picture_and_no_row_below_it(
    subsampling: int, size: tuple[int, int]
) -> None:
    """What is decoded below would be a green stripe."""
    planes = planes_of(saved(grained(size), subsampling=subsampling), 180)
    image = Image.merge(
        "YCbCr",
        [
            as_image(plane).resize(as_image(planes.luminance).size, Image.Resampling.NEAREST)
            for plane in (planes.luminance, planes.blue, planes.red)
        ],
    ).convert("RGB")
    red, green, blue = (band.tobytes() for band in image.split())
    assert min(red) > 150
    assert max(green) < 90
    assert max(blue) < 120


@pytest.mark.parametrize(
    "data",
    [
        encoded("JPEG", progressive=True),
        encoded("JPEG", keep_rgb=True),
        saved(GRAIN.convert("L")),
        saved(GRAIN.convert("CMYK")),
    ],
    ids=["progressive", "RGB", "grey", "CMYK"],
)
def test_pictures_of_other_kinds_give_no_planes(data: bytes) -> None:
    found = inspect(data, JPEG, least_side=POSTER)
    assert (found.damaged, found.planes) == (False, None)


# --- holes that look like evenly coloured areas ---------------------------------------------------

CHANCE = random.Random(3)
SIZE = (720, 1280)
HOLE = 3_500
EVEN_ZEROS: list[dict[str, Any]] = [
    {"quality": 75, "optimize": True},
    {"quality": 60, "optimize": True},
    {"quality": 75, "progressive": True},
    {"quality": 85, "progressive": True},
]


def smooth() -> Image.Image:
    """A picture out of focus: most blocks have little detail, so that zero bits mean "no more"."""
    small = Image.frombytes("RGB", (30, 53), CHANCE.randbytes(30 * 53 * 3))
    return small.resize(SIZE, Image.Resampling.BICUBIC)


def barred() -> Image.Image:
    """A picture with black bars, the lower one to the very end."""
    image = smooth()
    for box in ((0, 0, 720, 400), (0, 900, 720, 1280)):
        image.paste("#000", box)
    return image


def holed(data: bytes, start: int) -> bytes:
    return data[:start] + bytes(HOLE) + data[start + HOLE :]


@pytest.mark.parametrize("how", EVEN_ZEROS, ids=str)
def test_a_hole_that_decodes_to_evenly_coloured_blocks_is_never_passed(how: dict[str, Any]) -> None:
    whole = saved(smooth(), **how)
    starts = range(800, len(whole) - HOLE - 100, (len(whole) - HOLE - 900) // 12)
    passed = [start for start in starts if find_damage(holed(whole, start), JPEG) is False]
    assert passed == []


@pytest.mark.parametrize("make", [smooth, barred, lambda: Image.new("RGB", SIZE)])
@pytest.mark.parametrize("how", EVEN_ZEROS, ids=str)
def test_evenly_coloured_areas_of_a_whole_picture_are_no_damage(
    make: Any, how: dict[str, Any]
) -> None:
    assert not find_damage(saved(make(), **how), JPEG)


def test_black_bars_in_a_plain_jpeg_can_be_told_from_a_hole() -> None:
    data = saved(barred(), quality=75, optimize=True)
    assert bytes(512) in data
    assert find_damage(data, JPEG) is False
    padded = data[:-2] + bytes(4_000) + data[-2:]
    assert find_damage(padded, JPEG) is False


def test_some_bytes_too_many_are_no_proof_of_damage() -> None:
    data = saved(smooth(), quality=75)
    at = len(data) // 2
    twice = data[:at] + data[at - 1460 : at] + data[at:]
    assert find_damage(twice, JPEG) in {True, None}
    left_over = data[:-2] + b"\x55" * 200 + data[-2:]
    assert find_damage(left_over, JPEG) is None


@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize("transparent", [False, True])
def test_a_hole_in_any_frame_of_an_avif_is_found(frames: int, transparent: bool) -> None:
    images = [smooth() for _ in range(frames)]
    if transparent:  # noise makes many bytes: a quarter of the picture has plenty
        images = [image.reduce(2) for image in images]
        for image in images:
            image.putalpha(Image.effect_noise(image.size, 90))
    more: dict[str, Any] = {"save_all": True, "append_images": images[1:]} if frames > 1 else {}
    whole = saved(images[0], "AVIF", quality=60, speed=10, **more)
    assert find_damage(whole, AVIF) is False
    starts = range(1_500, len(whole) - HOLE - 100, (len(whole) - HOLE - 1_600) // 12)
    passed = [start for start in starts if find_damage(holed(whole, start), AVIF) is False]
    assert passed == []


def test_an_animation_too_long_to_decode_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(GRAIN, "AVIF", speed=10, save_all=True, append_images=[GRAIN, GRAIN])
    monkeypatch.setattr(strict_decoding, "MAX_STREAM_PIXELS", 2 * 160 * 240)
    assert find_damage(data, AVIF) is None


def test_kinds_it_does_not_know_are_left_to_others() -> None:
    arithmetic = encoded("JPEG").replace(b"\xff\xc0", b"\xff\xc9", 1)
    assert find_damage(arithmetic, JPEG) is None
    deep = bytearray(encoded("JPEG"))
    deep[deep.index(b"\xff\xc0") + 4] = 12
    assert find_damage(bytes(deep), JPEG) is None
    assert find_damage(b"\xff\xd8\xff", JPEG) is None
    assert find_damage(b"\0\0\0\x18ftypavif", AVIF) is None


def test_an_odd_note_is_no_damage() -> None:
    data = encoded("JPEG")
    odd = b"\xff\xe1\x00\x0cExif\0\0\xff\xff\xff\xff" + b"\xff\xe2\x00\x0eICC_PROFILE\0"
    assert find_damage(data[:2] + odd + data[2:], JPEG) is False


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32), st.integers(1, 40), st.booleans())
def test_damage_is_only_ever_looked_at(seed: int, changes: int, progressive: bool) -> None:
    chance = random.Random(seed)
    for fmt, file_format in (("JPEG", JPEG), ("AVIF", AVIF)):
        how = {"progressive": progressive} if fmt == "JPEG" else {"speed": 10}
        data = bytearray(encoded(fmt, **how))
        for _ in range(changes):
            data[chance.randrange(len(data))] = chance.randrange(256)
        assert find_damage(bytes(data), file_format) in {True, False, None}
