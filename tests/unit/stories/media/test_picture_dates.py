"""A JPEG made from another picture says when that was taken, and nothing else about it."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from PIL import Image, ImageCms

from stories.media import derive
from tests.fake_tiktok import media

TAKEN, DIGITIZED, ZONE, MODIFIED, ORIENTATION = 0x9003, 0x9004, 0x9011, 0x0132, 0x0112
EXIF, PLACE, CAMERA, ARTIST = 0x8769, 0x8825, 0x0110, 0x013B
POSTED = datetime(2026, 11, 20, 14, 3, 7, tzinfo=timezone(timedelta(hours=1)))


def picture(
    fmt: str, inner: dict[int, Any] | None = None, outer: dict[int, Any] | None = None, **how: Any
) -> bytes:
    exif = Image.Exif()
    for tag, value in (outer or {}).items():
        exif[tag] = value
    exif.get_ifd(EXIF).update(inner or {})
    out = io.BytesIO()
    image = how.pop("image", None) or Image.linear_gradient("L").resize((60, 80)).convert("RGB")
    image.save(out, fmt, exif=exif.tobytes(), **how)
    return out.getvalue()


def converted(data: bytes, posted_at: datetime | None = POSTED) -> Image.Image:
    out = io.BytesIO()
    derive.as_jpeg(io.BytesIO(data), out, posted_at=posted_at)
    out.seek(0)
    image = Image.open(out)
    image.load()
    return image


def dates(image: Image.Image) -> tuple[Any, Any, Any]:
    """(taken, its zone, modified) as a reader of EXIF finds them."""
    exif = image.getexif()
    inner = exif.get_ifd(EXIF)
    return inner.get(TAKEN), inner.get(ZONE), exif.get(MODIFIED)


@pytest.mark.parametrize("fmt", ["WEBP", "AVIF"])
def test_the_date_it_was_taken_stays(fmt: str) -> None:
    data = picture(fmt, {TAKEN: "2026:11:19 08:09:10", ZONE: "+09:00"})
    assert dates(converted(data)) == ("2026:11:19 08:09:10", "+09:00", "2026:11:19 08:09:10")


@pytest.mark.parametrize(
    "data",
    [picture("WEBP"), media.picture("avif", (60, 80)), media.picture("heic", (64, 96))],
    ids=["WebP", "AVIF", "HEIC"],
)
def test_without_a_date_it_is_the_posting_time(data: bytes) -> None:
    assert dates(converted(data)) == ("2026:11:20 13:03:07", "+00:00", "2026:11:20 13:03:07")


def test_without_any_date_none_is_made_up() -> None:
    assert dict(converted(picture("WEBP"), None).getexif()) == {}


def test_the_time_of_a_change_stands_in_for_the_time_it_was_taken() -> None:
    data = picture("WEBP", outer={MODIFIED: "2026:11:18 01:02:03"})
    assert dates(converted(data))[0] == "2026:11:18 01:02:03"


@pytest.mark.parametrize(
    "text", ["0000:00:00 00:00:00", "    :  :     :  :  ", "2026:13:40 99:99:99", "yesterday", ""]
)
def test_a_date_that_cannot_be_is_none(text: str) -> None:
    assert dates(converted(picture("WEBP", {TAKEN: text})))[0] == "2026:11:20 13:03:07"


def test_place_camera_and_name_are_left_out() -> None:
    outer = {CAMERA: "a phone", ARTIST: "somebody", PLACE: {1: "N", 2: (52.0, 30.0, 0.0)}}
    exif = converted(picture("WEBP", {TAKEN: "2026:11:19 08:09:10"}, outer)).getexif()
    assert set(exif) == {MODIFIED, EXIF}
    assert not exif.get_ifd(PLACE)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_turned_once(orientation: int) -> None:
    data = picture("WEBP", {TAKEN: "2026:11:19 08:09:10"}, {ORIENTATION: orientation})
    image = converted(data)
    assert image.size == ((60, 80) if orientation < 5 else (80, 60))
    assert image.getexif().get(ORIENTATION, 1) == 1


def test_the_colour_profile_stays_where_it_is_one_for_these_pixels() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert converted(picture("WEBP", icc_profile=profile)).info["icc_profile"] == profile
    grey = profile[:16] + b"GRAY" + profile[20:]
    assert "icc_profile" not in converted(picture("WEBP", icc_profile=grey)).info


def test_a_broken_block_is_no_reason_to_make_nothing() -> None:
    whole = picture("WEBP", {TAKEN: "2026:11:19 08:09:10"})
    at = whole.index(b"EXIF")
    for offset in range(8, 40):
        broken = bytearray(whole)
        broken[at + offset] ^= 0xFF
        converted(bytes(broken))


def test_utc_moments_stay_what_they_are() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert dates(converted(picture("WEBP"), moment))[0] == "2026:01:02 03:04:05"


NEAR_MIDNIGHT = datetime(2026, 11, 20, 23, 30, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "zone", "taken", "offset"),
    [
        (NEAR_MIDNIGHT, ZoneInfo("Europe/Berlin"), "2026:11:21 00:30:05", "+01:00"),
        (NEAR_MIDNIGHT, ZoneInfo("America/St_Johns"), "2026:11:20 20:00:05", "-03:30"),
        (NEAR_MIDNIGHT.replace(month=7), ZoneInfo("Europe/Berlin"), "2026:07:21 01:30:05",
         "+02:00"),
        (NEAR_MIDNIGHT, timezone(timedelta(minutes=53, seconds=28)), "2026:11:20 23:30:05",
         "+00:00"),
        (datetime.max.replace(tzinfo=UTC), ZoneInfo("Asia/Tokyo"), "9999:12:31 23:59:59", "+00:00"),
        (datetime.min.replace(tzinfo=UTC), ZoneInfo("America/New_York"), "0001:01:01 00:00:00",
         "+00:00"),
    ],
)  # fmt: skip
def test_the_posting_time_on_the_clock_of_the_instance(
    moment: datetime, zone: tzinfo, taken: str, offset: str
) -> None:
    out = io.BytesIO()
    derive.as_jpeg(io.BytesIO(picture("WEBP")), out, posted_at=moment, zone=zone)
    out.seek(0)
    with Image.open(out) as image:
        assert dates(image) == (taken, offset, taken)
