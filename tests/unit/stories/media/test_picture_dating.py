"""A picture says when it was taken, and not one of its pixels is another."""

from __future__ import annotations

import io
import random
import struct
import zlib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from PIL import Image, ImageCms

from stories.media import picture_dates, picture_dating
from stories.media.edits import apply_edits, growth
from tests.unit.stories.media.test_picture_dates import (
    MODIFIED,
    ORIENTATION,
    TAKEN,
    ZONE,
    dates,
    picture,
)

POSTED = datetime(2026, 11, 20, 14, 3, 7, tzinfo=UTC)
BERLIN = picture_dates.of_moment(POSTED, ZoneInfo("Europe/Berlin")) or {}
EXPECTED = ("2026:11:20 15:03:07", "+01:00", "2026:11:20 15:03:07")


def plain(fmt: str, mode: str = "RGB", **how: object) -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").resize((60, 80)).convert(mode).save(out, fmt, **how)
    return out.getvalue()


def dated(data: bytes) -> bytes:
    edits = picture_dating.date_edits(io.BytesIO(data), BERLIN)
    changed = b"".join(apply_edits([data], edits))
    assert len(changed) == len(data) + growth(edits)
    return changed


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PICTURES = {
    "JPEG": plain("JPEG"),
    "progressive JPEG": plain("JPEG", progressive=True),
    "PNG": plain("PNG"),
    "PNG of a palette": plain("PNG", "P"),
    "WebP": plain("WEBP"),
    "lossless WebP": plain("WEBP", lossless=True),
    "WebP that is transparent": plain("WEBP", "RGBA", lossless=True),
    "WebP with a profile": plain("WEBP", icc_profile=SRGB),
}


@pytest.mark.parametrize("data", PICTURES.values(), ids=PICTURES)
def test_a_picture_gets_its_date_and_keeps_its_pixels(data: bytes) -> None:
    changed = dated(data)
    image = opened(changed)
    assert dates(image) == EXPECTED
    assert image.tobytes() == opened(data).tobytes()
    assert image.mode == opened(data).mode
    assert changed != data


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP"])
def test_a_picture_that_has_a_date_stays_as_it_is(fmt: str) -> None:
    data = picture(fmt, {TAKEN: "2026:11:19 08:09:10", ZONE: "+09:00"})
    assert dated(data) == data


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP"])
def test_a_picture_that_says_something_else_goes_on_saying_it(fmt: str) -> None:
    changed = opened(dated(picture(fmt, outer={ORIENTATION: 6, 0x0110: "a camera"})))
    assert dates(changed) == EXPECTED
    assert changed.getexif()[ORIENTATION] == 6
    assert changed.getexif()[0x0110] == "a camera"


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP"])
def test_the_day_it_was_changed_stays(fmt: str) -> None:
    changed = opened(dated(picture(fmt, outer={MODIFIED: "2025:01:02 03:04:05"})))
    assert dates(changed) == (EXPECTED[0], EXPECTED[1], "2025:01:02 03:04:05")


def test_jfif_stays_the_first_segment() -> None:
    changed = dated(PICTURES["JPEG"])
    assert changed[2:4] == b"\xff\xe0"
    assert changed[20:24] == b"\xff\xe1" + changed[22:24]
    assert changed[24:30] == b"Exif\0\0"


def test_a_date_put_in_is_found_again_and_not_put_in_twice() -> None:
    for data in PICTURES.values():
        assert dated(dated(data)) == dated(data)


def test_every_chunk_of_a_png_has_its_checksum() -> None:
    changed = dated(PICTURES["PNG"])
    at, kinds = 8, []
    while at < len(changed):
        length = int.from_bytes(changed[at : at + 4])
        body = changed[at + 4 : at + 8 + length]
        assert struct.unpack(">I", changed[at + 8 + length : at + 12 + length])[0] == zlib.crc32(
            body
        )
        kinds.append(body[:4])
        at += 12 + length
    assert kinds[:2] == [b"IHDR", b"eXIf"]


HOSTILE = {
    "nothing": b"",
    "text": b"<html>",
    "a start alone": b"\xff\xd8\xff",
    "a segment without a length": b"\xff\xd8\xff\xe0\0\0" + b"\0" * 40,
    "segments without an end": b"\xff\xd8" + b"\xff\xe2\0\x02" * 5000 + PICTURES["JPEG"][2:],
    "no segment where one should be": b"\xff\xd8\xff\xe0\0\x04ab" + b"text" * 10,
    "a marker that has no place": b"\xff\xd8\xff\xd8" + b"\0" * 40,
    "EXIF that is none": b"\xff\xd8\xff\xe1\0\x20Exif\0\0" + b"\xff" * 24 + PICTURES["JPEG"][2:],
    "a PNG's start alone": b"\x89PNG\r\n\x1a\n",
    "a PNG without an end": PICTURES["PNG"][:-12],
    "a PNG whose first chunk is none": b"\x89PNG\r\n\x1a\n" + PICTURES["PNG"][33:],
    "a chunk of four gigabytes": PICTURES["PNG"][:33] + b"\xff\xff\xff\xffIDAT" + b"\0" * 20,
    "a WebP's start alone": b"RIFF\x10\0\0\0WEBP",
    "a WebP cut off": PICTURES["WebP"][:-2],
    "a WebP of another kind": b"RIFF\x0c\0\0\0WEBPJUNK\0\0\0\0",
    "a WebP whose chunk is too long": b"RIFF\x0c\0\0\0WEBPVP8 \xff\xff\xff\x7f",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_what_cannot_be_understood_is_left_alone(data: bytes) -> None:
    assert dated(data) == data


@pytest.mark.parametrize("name", PICTURES)
def test_damage_anywhere_ends_in_a_whole_answer(name: str) -> None:
    """Whatever the bytes say: no error, no file that loses what it had."""
    draw, data = random.Random(13), PICTURES[name]
    for _ in range(200):
        broken = bytearray(data)
        for _ in range(draw.randrange(1, 6)):
            broken[draw.randrange(min(len(data), 200))] = draw.randrange(256)
        edits = picture_dating.date_edits(io.BytesIO(bytes(broken)), BERLIN)
        assert all(edit.drop <= picture_dating.MOST_BLOCK_BYTES + 12 for edit in edits)


def test_a_large_picture_is_not_read_into_memory() -> None:
    class Counted(io.BytesIO):
        total = 0

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            self.total += len(data)
            return data

    body = b"\x89PNG\r\n\x1a\n" + PICTURES["PNG"][8:33]
    filler = b"\x03\x00\x00\x00IDAT" + b"\0" * (0x03000000 + 4)
    file = Counted(body + filler + PICTURES["PNG"][-12:])
    assert picture_dating.date_edits(file, BERLIN)
    assert file.total < 1000
