"""derive: posters, sound and JPEGs made from files that were checked."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image, ImageOps

from stories.errors import StoriesError
from stories.media import derive
from stories.media.verify import verify
from stories.structures import MediaKind, Verified
from tests.fake_tiktok import media
from tests.unit.stories.media.counting import count_work


def opened(out: io.BytesIO) -> Image.Image:
    out.seek(0)
    image = Image.open(out)
    image.load()
    return image


def poster_of(data: bytes, content_type: str) -> tuple[Image.Image, Verified]:
    out = io.BytesIO()
    made = derive.poster(io.BytesIO(data), content_type, out)
    image = opened(out)
    assert (made.width, made.height) == image.size
    assert (made.content_type, made.suffix) == ("image/jpeg", ".jpg")
    return image, made


def brightness(image: Image.Image, box: tuple[int, int, int, int] | None = None) -> float:
    grey = image.crop(box).convert("L") if box else image.convert("L")
    return sum(grey.tobytes()) / (grey.width * grey.height)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_poster_of_a_video_is_small_and_bright(codec: media.Codec) -> None:
    image, _ = poster_of(media.video(1, (576, 1024), codec), "video/mp4")
    assert image.size == (360, 640)
    assert brightness(image) > 40


def test_a_poster_skips_the_black_beginning() -> None:
    image, _ = poster_of(media.video(2, (144, 256), black_start_s=0.5), "video/mp4")
    assert brightness(image) > 40


def test_a_film_that_stays_black_has_a_black_poster() -> None:
    image, _ = poster_of(media.video(1, (144, 256), black_start_s=9), "video/mp4")
    assert brightness(image) < 5


def test_a_small_video_is_not_blown_up() -> None:
    assert poster_of(media.video(1, (144, 256)), "video/mp4")[0].size == (144, 256)


@pytest.mark.parametrize(("degrees", "dark_side"), [(90, "left"), (270, "right"), (180, "top")])
def test_a_turned_video_has_an_upright_poster(degrees: int, dark_side: str) -> None:
    """The hills at the foot of every drawing are dark: they show which way it was turned."""
    data = media.rotated(media.video(1, (288, 512)), degrees)  # type: ignore[arg-type]
    image, _ = poster_of(data, "video/mp4")
    width, height = image.size
    assert (width > height) == (degrees != 180)
    edges = {
        "left": (0, 0, width // 8, height),
        "right": (width - width // 8, 0, width, height),
        "top": (0, 0, width, height // 8),
        "bottom": (0, height - height // 8, width, height),
    }
    sides = ["top", "bottom"] if degrees == 180 else ["left", "right"]
    assert min(sides, key=lambda side: brightness(image, edges[side])) == dark_side


@pytest.mark.parametrize("fmt", ["jpeg", "png", "webp", "webp_animated", "avif", "heic"])
def test_a_poster_of_a_picture(fmt: media.PictureFormat) -> None:
    image, made = poster_of(media.picture(fmt, (720, 1280)), "image/any")
    assert image.size == (360, 640)
    assert made.duration_s is None
    assert verify_jpeg(image)


def verify_jpeg(image: Image.Image) -> bool:
    return image.format == "JPEG" and image.mode == "RGB"


def test_a_poster_of_a_very_tall_picture_is_bounded() -> None:
    image, _ = poster_of(media.picture("jpeg", (200, 6000)), "image/jpeg")
    assert image.height <= 1280


@pytest.mark.parametrize("fmt", ["webp", "webp_animated", "avif", "heic", "png"])
def test_any_picture_becomes_a_jpeg_of_the_same_size(fmt: media.PictureFormat) -> None:
    out = io.BytesIO()
    made = derive.as_jpeg(io.BytesIO(media.picture(fmt, (270, 480))), out)
    assert (made.width, made.height) == (270, 480)
    assert verify(out, MediaKind.PICTURE) == made


def test_orientation_is_applied_and_metadata_left_behind() -> None:
    data = media.picture("jpeg", (480, 270), orientation=6)
    out = io.BytesIO()
    derive.as_jpeg(io.BytesIO(data), out)
    image = opened(out)
    assert image.size == (270, 480)
    assert not image.getexif()
    assert b"Exif" not in out.getvalue()
    small, _ = poster_of(data, "image/jpeg")
    assert small.size == (270, 480)


@pytest.mark.parametrize("number", range(1, 9))
def test_every_orientation_is_undone(number: int) -> None:
    data = media.picture("jpeg", (90, 160), orientation=number)
    out = io.BytesIO()
    derive.as_jpeg(io.BytesIO(data), out)
    made, wanted = opened(out), ImageOps.exif_transpose(opened(io.BytesIO(data)))
    assert made.size == wanted.size
    corner = (0, 0, wanted.width // 3, wanted.height // 3)
    assert brightness(made, corner) == pytest.approx(brightness(wanted, corner), abs=2)


def test_a_broken_exif_block_does_not_spoil_a_picture() -> None:
    data = media.picture("jpeg", (90, 160), orientation=6).replace(b"Exif\0\0MM", b"Exif\0\0MX")
    assert verify(io.BytesIO(data), MediaKind.PICTURE).width == 90


def test_transparency_becomes_white() -> None:
    clear = io.BytesIO()
    Image.new("RGBA", (40, 40), (255, 0, 0, 0)).save(clear, "PNG")
    out = io.BytesIO()
    derive.as_jpeg(clear, out)
    assert opened(out).getpixel((20, 20)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["L", "P", "1", "I;16", "LA"])
def test_odd_colour_modes_become_rgb(mode: str) -> None:
    source = io.BytesIO()
    Image.new(mode, (40, 40)).save(source, "PNG")
    out = io.BytesIO()
    derive.as_jpeg(source, out)
    assert opened(out).mode == "RGB"


def test_m4a_is_the_track_as_it_was() -> None:
    clip = media.video(2, (144, 256))
    out = io.BytesIO()
    made = derive.audio_track(io.BytesIO(clip), out, "m4a")
    assert made is not None
    assert (made.content_type, made.suffix, made.codec) == ("audio/mp4", ".m4a", "aac")
    assert made.duration_s == pytest.approx(2, abs=0.1)
    assert packets(out.getvalue()) == packets(clip)


def packets(data: bytes) -> list[bytes]:
    import av

    with av.open(io.BytesIO(data), "r") as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def test_mp3_is_encoded() -> None:
    out = io.BytesIO()
    made = derive.audio_track(io.BytesIO(media.video(2, (144, 256))), out, "mp3")
    assert made is not None
    assert (made.content_type, made.suffix, made.codec) == ("audio/mpeg", ".mp3", "mp3")
    assert made.duration_s == pytest.approx(2, abs=0.15)


@pytest.mark.parametrize("form", ["m4a", "mp3"])
def test_a_silent_video_has_no_track(form: str) -> None:
    clip = io.BytesIO(media.video(1, (144, 256), audio=False))
    out = io.BytesIO()
    assert derive.audio_track(clip, out, form) is None  # type: ignore[arg-type]
    assert out.getvalue() == b""


def test_the_sound_alone_is_taken_as_a_decoder_describes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """FFmpeg has decoded some of the file on opening, and then knows the picture's format too."""
    work = count_work(monkeypatch)
    assert derive.audio_track(io.BytesIO(media.video(1, (144, 256))), io.BytesIO(), "m4a")
    assert work.formats == ["yuv420p"]


def test_an_mp3_song_can_become_m4a() -> None:
    out = io.BytesIO()
    made = derive.audio_track(io.BytesIO(media.song("mp3", 2)), out, "m4a")
    assert made is not None
    assert made.codec == "aac"


@pytest.mark.parametrize("data", [b"", b"<html>", b"\0\0\0\x18ftypmp42" + bytes(60), bytes(99)])
def test_what_cannot_be_opened_raises_ours(data: bytes) -> None:
    makers: tuple[Callable[[], object], ...] = (
        lambda: derive.poster(io.BytesIO(data), "video/mp4", io.BytesIO()),
        lambda: derive.poster(io.BytesIO(data), "image/jpeg", io.BytesIO()),
        lambda: derive.as_jpeg(io.BytesIO(data), io.BytesIO()),
        lambda: derive.audio_track(io.BytesIO(data), io.BytesIO(), "mp3"),
    )
    for make in makers:
        with pytest.raises(StoriesError):
            make()


def test_several_threads_make_the_same_files() -> None:
    clip, shot = media.video(1, (144, 256)), media.picture("webp", (270, 480))

    def make(number: int) -> bytes:
        out = io.BytesIO()
        if number % 3 == 0:
            derive.poster(io.BytesIO(clip), "video/mp4", out)
        elif number % 3 == 1:
            derive.as_jpeg(io.BytesIO(shot), out)
        else:
            derive.audio_track(io.BytesIO(clip), out, "mp3")
        return out.getvalue()

    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(make, range(18)))
    assert len(set(made)) == 3
