"""posters: made of what a check decodes, and as good as one made of the file."""

from __future__ import annotations

import io
from functools import cache
from typing import Any, Literal

import pytest
from PIL import Image, ImageChops, ImageStat

from stories.media import derive, posters, verify
from stories.media.posters import Poster
from stories.media.verify import examine
from stories.structures import MediaKind
from tests.fake_tiktok import media
from tests.unit.stories.media.clips import story_clip
from tests.unit.stories.media.counting import count_work
from tests.unit.stories.media.grain import coloured_grain, grain

VIDEO, PICTURE = MediaKind.VIDEO, MediaKind.PICTURE
FORMATS = ["jpeg", "png", "webp", "webp_animated", "avif", "heic"]


def opened(poster: Poster | None) -> Image.Image:
    assert poster is not None
    image = Image.open(io.BytesIO(poster.data))
    image.load()
    assert (poster.verified.width, poster.verified.height) == image.size
    return image


@cache
def photo(size: tuple[int, int] = (725, 1291)) -> Image.Image:
    """A picture with grain all over, as a camera makes it."""
    drawn = Image.open(io.BytesIO(media.picture("jpeg", size))).convert("RGB")
    clouds = coloured_grain((5, 9)).resize(size)
    return Image.blend(Image.blend(drawn, clouds, 0.5), grain(size).convert("RGB"), 0.05)


def difference(one: Image.Image, other: Image.Image) -> float:
    return max(ImageStat.Stat(ImageChops.difference(one, other)).mean)


# --- work -----------------------------------------------------------------------------------------


def test_a_video_is_opened_twice_and_decoded_at_its_ends_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Checked and with a poster: the first frame, and two from the last key frame on."""
    clip = story_clip(48, (1080, 1920))
    work = count_work(monkeypatch)
    examination = examine(io.BytesIO(clip), VIDEO, with_poster=True)
    derive.poster(io.BytesIO(clip), "video/mp4", io.BytesIO(), made=examination.poster)
    assert examination.poster is not None
    assert (work.opened, work.decoded) == (2, 3)


def test_a_video_of_one_group_of_pictures_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    work = count_work(monkeypatch)
    assert examine(io.BytesIO(story_clip(48, (1080, 1920), 99)), VIDEO, with_poster=True).poster
    assert work.decoded == 2


def test_nothing_is_decoded_while_a_video_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg would know the format of its pixels."""
    work = count_work(monkeypatch)
    assert examine(io.BytesIO(story_clip()), VIDEO)
    assert work.formats == [None, None]


@pytest.mark.parametrize(
    ("size", "decoded"), [((1080, 1920), 3), ((576, 1024), 8), ((144, 256), 25)]
)
def test_pixels_limit_what_is_decoded_behind_the_last_key_frame(
    size: tuple[int, int], decoded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = story_clip(48, size)
    work = count_work(monkeypatch)
    examine(io.BytesIO(clip), VIDEO)
    assert work.decoded == decoded


# --- results --------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_videos_poster_is_the_one_that_the_file_gives(
    codec: media.Codec, degrees: Literal[0, 90, 180, 270]
) -> None:
    clip = media.video(1, (576, 1024), codec)
    clip = media.rotated(clip, degrees) if degrees else clip
    examination = examine(io.BytesIO(clip), VIDEO, with_poster=True)
    made, wanted = (
        opened(examination.poster),
        opened(posters.of_file(io.BytesIO(clip), "video/mp4")),
    )
    assert made.size == wanted.size == ((360, 640) if degrees % 180 == 0 else (360, 202))
    assert difference(made, wanted) < 2
    assert examination.verified == verify.verify(io.BytesIO(clip), VIDEO)


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("size", [(720, 1280), (90, 160)])
def test_a_pictures_poster_is_the_one_that_the_file_gives(
    fmt: media.PictureFormat, size: tuple[int, int]
) -> None:
    data = media.picture(fmt, size)
    examination = examine(io.BytesIO(data), PICTURE, with_poster=True)
    made, wanted = opened(examination.poster), opened(posters.of_file(io.BytesIO(data), "image/x"))
    assert made.size == wanted.size == (min(size[0], 360), min(size[1], 640))
    assert difference(made, wanted) < 2
    assert examination.verified == verify.verify(io.BytesIO(data), PICTURE)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_has_an_upright_poster(orientation: int) -> None:
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    photo((960, 540)).save(out, "JPEG", exif=exif)
    made = opened(examine(out, PICTURE, with_poster=True).poster)
    wanted = opened(posters.of_file(out, "image/jpeg"))
    assert made.size == wanted.size == ((360, 202) if orientation < 5 else (360, 640))
    assert difference(made, wanted) < 4  # another way up it is ten times that


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize(
    "how",
    [{}, {"subsampling": 0}, {"subsampling": 1}, {"progressive": True}, {"keep_rgb": True}],
    ids=str,
)
def test_a_photo_of_any_kind_has_the_poster_that_pillow_makes(
    mode: str, how: dict[str, Any]
) -> None:
    out = io.BytesIO()
    photo().convert(mode).save(out, "JPEG", quality=90, **how)
    made = opened(examine(out, PICTURE, with_poster=True).poster)
    wanted = opened(posters.of_file(out, "image/jpeg"))
    assert made.size == wanted.size
    assert difference(made, wanted) < 2


@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_a_colour_profile_stays_where_it_is_of_these_colours(mode: str) -> None:
    profile = bytes(16) + f"{mode:4}".encode() + bytes(108)
    out = io.BytesIO()
    photo().save(out, "JPEG", icc_profile=profile)
    made = opened(examine(out, PICTURE, with_poster=True).poster)
    assert made.info.get("icc_profile") == (profile if mode == "RGB" else None)


def test_a_poster_looks_like_the_picture() -> None:
    data = media.picture("jpeg")
    made = opened(examine(io.BytesIO(data), PICTURE, with_poster=True).poster)
    best = Image.open(io.BytesIO(data)).resize(made.size, Image.Resampling.LANCZOS)
    assert difference(made, best) < 3


def test_a_black_first_frame_gives_no_poster_and_the_file_a_bright_one() -> None:
    clip = io.BytesIO(media.video(2, (144, 256), black_start_s=0.5))
    examination = examine(clip, VIDEO, with_poster=True)
    assert examination.poster is None
    out = io.BytesIO()
    derive.poster(clip, "video/mp4", out, made=examination.poster)
    assert ImageStat.Stat(Image.open(out).convert("L")).mean[0] > 40


def test_no_poster_is_made_where_none_is_wanted() -> None:
    assert examine(io.BytesIO(media.video(1, (144, 256))), VIDEO).poster is None
    assert examine(io.BytesIO(media.picture("png", (90, 160))), PICTURE).poster is None


@pytest.mark.parametrize(
    ("data", "kind"),
    [(media.video(1, (144, 256)), VIDEO), (media.picture("png", (90, 160)), PICTURE)],
    ids=["video", "picture"],
)
def test_a_file_is_not_refused_for_its_poster(
    data: bytes, kind: MediaKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(posters, "save_jpeg", broken)
    examination = examine(io.BytesIO(data), kind, with_poster=True)
    assert examination.poster is None
    assert examination.verified == verify.verify(io.BytesIO(data), kind)
