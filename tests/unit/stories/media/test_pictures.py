"""Damage inside a picture is found wherever its format can tell; honest pictures are left alone."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from PIL import Image, ImageDraw, JpegImagePlugin

from stories.errors import MediaCorrupt
from stories.media.verify import examine, verify
from stories.structures import MediaKind
from tests.fake_tiktok import media
from tests.fake_tiktok.heic import heic
from tests.unit.stories.media.grain import grain

SIZE = (360, 640)
PLACES = 8


def encoded(image: Image.Image, fmt: str, **how: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, fmt, **how)
    return out.getvalue()


@cache
def scene() -> Image.Image:
    """The picture of the tests with some grain, as a camera leaves it."""
    drawn = Image.open(io.BytesIO(media.picture("jpeg", SIZE))).convert("RGB")
    large = grain((27, 48)).resize(SIZE).convert("RGB")
    return Image.blend(Image.blend(drawn, large, 0.4), grain(SIZE, 2).convert("RGB"), 0.2)


MAKERS: dict[str, Callable[[Image.Image], bytes]] = {
    "JPEG": lambda image: encoded(image, "JPEG", quality=85),
    "JPEG, optimized": lambda image: encoded(image, "JPEG", quality=85, optimize=True),
    "JPEG, progressive": lambda image: encoded(image, "JPEG", quality=85, progressive=True),
    "JPEG, restarts": lambda image: encoded(image, "JPEG", quality=85, restart_marker_rows=1),
    "PNG": lambda image: encoded(image, "PNG"),
    "WebP": lambda image: encoded(image, "WEBP", quality=80, method=0),
    "WebP, thorough": lambda image: encoded(image, "WEBP", quality=80, method=4),
    "WebP, animated": lambda image: encoded(
        image,
        "WEBP",
        quality=80,
        method=0,
        save_all=True,
        append_images=[image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)],
    ),
    "AVIF": lambda image: encoded(image, "AVIF", quality=60, speed=10),
}


@cache
def made(make: Callable[[Image.Image], bytes]) -> bytes:
    """The picture of the tests by one of the makers; some take half a second."""
    return make(scene())


FILLINGS: dict[str, Callable[[int], bytes]] = {
    "zeros": bytes,
    "ones": lambda size: b"\xff" * size,
    "text": lambda size: (b"<html><body>There is no such file here.</body>" * 300)[:size],
    "another file": lambda size: random.Random(size).randbytes(size),
}


def is_whole(data: bytes) -> bool:
    try:
        verify(io.BytesIO(data), MediaKind.PICTURE)
    except MediaCorrupt:
        return False
    return True


def test_a_photo_of_the_usual_kind_is_left_to_the_stricter_decoder_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Poster or not; others are decoded by Pillow, too, which misses what may be missing."""
    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load", lambda _: pytest.fail("decoded"))
    for with_poster in (False, True):
        data = io.BytesIO(MAKERS["JPEG"](scene()))
        examination = examine(data, MediaKind.PICTURE, with_poster=with_poster)
        assert examination.verified.checked
        assert (examination.poster is not None) is with_poster
        other = io.BytesIO(MAKERS["JPEG, progressive"](scene()))
        with pytest.raises(pytest.fail.Exception):
            examine(other, MediaKind.PICTURE, with_poster=with_poster)


@pytest.mark.parametrize("kind", ["JPEG", "JPEG, progressive"])
@pytest.mark.parametrize("with_poster", [False, True])
def test_a_photo_without_its_tables_is_refused(kind: str, with_poster: bool) -> None:
    """FFmpeg makes a grey picture of it."""
    data = MAKERS[kind](scene()).replace(b"\xff\xdb", b"\xff\xfe")
    with pytest.raises(MediaCorrupt):
        examine(io.BytesIO(data), MediaKind.PICTURE, with_poster=with_poster)


@pytest.mark.parametrize("with_poster", [False, True])
@pytest.mark.parametrize("progressive", [False, True])
def test_several_photos_in_one_file_are_decoded_all(progressive: bool, with_poster: bool) -> None:
    images = [scene().resize((725, 1291)) for _ in range(2)]
    data = encoded(
        images[0], "MPO", save_all=True, append_images=images[1:], progressive=progressive
    )
    examination = examine(io.BytesIO(data), MediaKind.PICTURE, with_poster=with_poster)
    assert (examination.verified.width, examination.verified.height) == (725, 1291)
    assert (examination.poster is not None) is with_poster
    data = data[:-3000]  # of the second one
    with pytest.raises(MediaCorrupt):
        examine(io.BytesIO(data), MediaKind.PICTURE, with_poster=with_poster)


@pytest.mark.parametrize("size", [512, 3500])
@pytest.mark.parametrize("filling", FILLINGS.values(), ids=FILLINGS.keys())
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
def test_a_stretch_of_other_bytes_is_found(
    make: Callable[[Image.Image], bytes], filling: Callable[[int], bytes], size: int
) -> None:
    """Of as many as were made, all but one at most: chance may have data end where it should."""
    data = made(make)
    passed = 0
    for place in range(PLACES):
        start = round(len(data) * (0.04 + 0.9 * place / PLACES))
        damaged = bytearray(data)
        damaged[start : start + size] = filling(size)
        passed += is_whole(bytes(damaged[: len(data)]))
    # A few scans of a progressive JPEG hold raw bits, in which nothing stands out.
    allowed = 3 if data[:2] == b"\xff\xd8" and size == 512 else 1
    assert passed <= allowed


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
def test_a_missing_end_is_found(make: Callable[[Image.Image], bytes]) -> None:
    data = made(make)
    cuts = [round(len(data) * share / 20) for share in range(1, 20)] + [len(data) - 4]
    assert [cut for cut in cuts if is_whole(data[:cut])] == []


@pytest.mark.parametrize("name", ["JPEG", "JPEG, optimized", "JPEG, progressive", "JPEG, restarts"])
def test_a_jpeg_that_was_cut_and_closed_again_is_found(name: str) -> None:
    data = MAKERS[name](scene())
    cuts = [round(len(data) * share / 20) for share in range(2, 20)]
    assert [cut for cut in cuts if is_whole(data[:cut] + b"\xff\xd9")] == []


def test_a_progressive_jpeg_without_its_last_scans_is_found() -> None:
    data = MAKERS["JPEG, progressive"](scene())
    starts = [at for at in range(len(data) - 1) if data[at : at + 2] == b"\xff\xda"]
    assert len(starts) > 4
    for start in starts[1:]:
        assert not is_whole(data[:start] + b"\xff\xd9")


def test_a_lossless_webp_is_only_opened() -> None:
    data = encoded(scene(), "WEBP", lossless=True, method=0)
    assert not verify(io.BytesIO(data), MediaKind.PICTURE).checked
    assert not is_whole(data[: len(data) // 2])


def test_a_hole_of_zeros_in_a_heic_is_found_and_the_rest_is_only_opened() -> None:
    data = heic(scene())
    damaged = bytearray(data)
    middle = len(data) // 2
    damaged[middle : middle + 512] = bytes(512)
    assert not is_whole(bytes(damaged))
    assert not verify(io.BytesIO(data), MediaKind.PICTURE).checked


def screenshot() -> Image.Image:
    image = Image.new("RGB", SIZE, "#fff")
    for y in range(0, SIZE[1], 40):
        ImageDraw.Draw(image).text((20, y), "A line of text like many others " * 3, fill="#000")
    return image


def half_black() -> Image.Image:
    image = scene().copy()
    image.paste("#000", (0, 320, *SIZE))
    return image


HONEST = {
    "black": Image.new("RGB", SIZE, "#000"),
    "white": Image.new("RGB", (1080, 1920), "#fff"),
    "one colour": Image.new("RGB", SIZE, "#f63"),
    "gradient": Image.linear_gradient("L").resize(SIZE).convert("RGB"),
    "noise": Image.effect_noise(SIZE, 110).convert("RGB"),
    "screenshot": screenshot(),
    "half black": half_black(),
    "one pixel": Image.new("RGB", (1, 1)),
    "a line": Image.effect_noise((3, 2000), 90).convert("RGB"),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
@pytest.mark.parametrize("image", HONEST.values(), ids=HONEST.keys())
def test_an_honest_picture_is_checked(
    image: Image.Image, make: Callable[[Image.Image], bytes]
) -> None:
    assert verify(io.BytesIO(make(image)), MediaKind.PICTURE).checked


@pytest.mark.parametrize("quality", [5, 50, 100])
@pytest.mark.parametrize("image", HONEST.values(), ids=HONEST.keys())
def test_an_honest_picture_of_any_quality_is_checked(image: Image.Image, quality: int) -> None:
    for fmt, how in (
        ("WEBP", {"method": 2}),
        ("JPEG", {"subsampling": 0}),
        ("AVIF", {"speed": 10}),
    ):
        data = encoded(image, fmt, quality=quality, **how)
        assert verify(io.BytesIO(data), MediaKind.PICTURE).checked, fmt


def test_notes_thumbnails_and_padding_are_no_damage() -> None:
    words = b"Words, and many of them, beside the picture. " * 40
    small = encoded(scene().resize((54, 96)), "JPEG")
    beside = {
        "comment": encoded(scene(), "JPEG", comment=words),
        "zeros": encoded(scene(), "JPEG", comment=bytes(5000)),
        "thumbnail": encoded(scene(), "JPEG", exif=b"Exif\0\0" + small),
        "behind": encoded(scene(), "JPEG") + words,
        "profile": encoded(scene(), "JPEG", icc_profile=bytes(90_000)),
        "WebP notes": encoded(scene(), "WEBP", xmp=words, icc_profile=bytes(5000)),
        "AVIF notes": encoded(scene(), "AVIF", speed=10, xmp=words),
        "CMYK": encoded(scene().convert("CMYK"), "JPEG"),
        "grey": encoded(scene().convert("L"), "JPEG", progressive=True),
    }
    for name, data in beside.items():
        assert verify(io.BytesIO(data), MediaKind.PICTURE).checked, name
