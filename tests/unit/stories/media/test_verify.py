"""verify: real files pass, and whatever else is only ever refused."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from stories.errors import MediaCorrupt, StoriesError, TooLarge
from stories.media.verify import verify
from stories.structures import MediaKind, Verified
from tests.fake_tiktok import media

VIDEO, PICTURE, SONG = MediaKind.VIDEO, MediaKind.PICTURE, MediaKind.SONG
SMALL = (144, 256)


def check(data: bytes, kind: MediaKind, announced_s: float | None = None) -> Verified:
    return verify(io.BytesIO(data), kind, announced_s=announced_s)


def refusal(data: bytes, kind: MediaKind, announced_s: float | None = None) -> str:
    with pytest.raises(MediaCorrupt) as caught:
        check(data, kind, announced_s)
    return caught.value.detail


# --- video --------------------------------------------------------------------------------------


@pytest.mark.parametrize("moov", ["first", "last"])
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_whole_video_passes(codec: media.Codec, moov: str) -> None:
    seen = check(media.video(2, SMALL, codec, moov=moov), VIDEO, announced_s=2)  # type: ignore[arg-type]
    assert (seen.content_type, seen.suffix, seen.codec) == ("video/mp4", ".mp4", codec)
    assert (seen.width, seen.height) == SMALL
    assert seen.duration_s == pytest.approx(2, abs=0.1)
    assert seen.has_audio


def test_a_silent_video_passes_and_says_so() -> None:
    assert not check(media.video(1, SMALL, audio=False), VIDEO).has_audio


def test_dimensions_are_those_shown_after_rotation() -> None:
    seen = check(media.rotated(media.video(1, SMALL), 90), VIDEO)
    assert (seen.width, seen.height) == (256, 144)


def test_a_padded_video_passes() -> None:
    assert check(media.video(1, SMALL, "hevc", min_bytes=300_000), VIDEO).codec == "hevc"


def test_a_long_last_group_of_pictures_passes() -> None:
    """More packets behind the last key frame than are kept: that key frame is decoded alone."""
    clip = media.video(6, SMALL, keyframe_every=10_000, audio=False)
    assert check(clip, VIDEO).duration_s == pytest.approx(6, abs=0.1)


@pytest.mark.parametrize("moov", ["first", "last"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_a_cut_video_is_refused(moov: str, share: float) -> None:
    clip = media.video(2, SMALL, moov=moov)  # type: ignore[arg-type]
    assert refusal(clip[: int(len(clip) * share)], VIDEO)


def test_one_missing_byte_is_noticed() -> None:
    assert "1 bytes are missing" in refusal(media.video(2, SMALL)[:-1], VIDEO)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("share", [0.4, 0.7, 0.9])
def test_a_hole_of_zeros_is_noticed(codec: media.Codec, share: float) -> None:
    """The right length, and a stretch that never arrived, as a lost segment leaves it."""
    clip = bytearray(media.video(2, (288, 512), codec, audio=False))
    start = int(len(clip) * share)
    clip[start : start + 2048] = bytes(len(clip[start : start + 2048]))
    assert refusal(bytes(clip), VIDEO)


def test_another_files_bytes_in_the_middle_are_noticed() -> None:
    clip = bytearray(media.video(2, (288, 512), audio=False))
    middle = len(clip) // 2
    clip[middle : middle + 8000] = b"<html>no" * 1000
    assert refusal(bytes(clip), VIDEO)


def test_a_video_clearly_shorter_than_announced_is_refused() -> None:
    assert refusal(media.video(2, SMALL), VIDEO, announced_s=10) == "it ends after 2.0 s of 10.0 s"


def test_announced_durations_are_rounded_by_tiktok() -> None:
    assert check(media.video(2, SMALL), VIDEO, announced_s=3)


def trimmed(clip: bytes, track: int, *, start: int | None = None, ms: int | None = None) -> bytes:
    """The same MP4, told to play less of a track than is in it, as editors leave it.

    start: where to begin, in the track's own units. ms: how long to play.
    """
    out, at = bytearray(clip), -1
    for _ in range(track + 1):
        at = clip.index(b"elst", at + 1)
    if ms is not None:
        out[at + 12 : at + 16] = ms.to_bytes(4)
    if start is not None:
        out[at + 16 : at + 20] = start.to_bytes(4)
    return bytes(out)


SIX_FRAMES = 12_288 // 24 * 6

TRIMMED = {
    "video from its seventh frame": ({"track": 0, "start": SIX_FRAMES, "ms": 1750}, 2.02),
    "half the video": ({"track": 0, "ms": 1000}, 2.02),
    "half the sound": ({"track": 1, "ms": 1000}, 2.0),
    "less sound": ({"track": 1, "ms": 1900}, 2.0),
}


@pytest.mark.parametrize(("how", "plays_s"), TRIMMED.values(), ids=TRIMMED.keys())
@pytest.mark.parametrize("moov", ["first", "last"])
def test_a_trimmed_video_passes(how: dict[str, int], plays_s: float, moov: str) -> None:
    clip = trimmed(media.video(2, SMALL, moov=moov), **how)  # type: ignore[arg-type]
    seen = check(clip, VIDEO, announced_s=2)
    assert seen.duration_s == pytest.approx(plays_s, abs=0.03)
    assert seen.has_audio


def test_a_trimmed_video_plays_as_long_as_it_says() -> None:
    clip = trimmed(media.video(6, SMALL, audio=False), 0, start=SIX_FRAMES, ms=1000)
    assert check(clip, VIDEO, announced_s=1).duration_s == pytest.approx(1, abs=0.01)
    assert refusal(clip, VIDEO, announced_s=6) == "it ends after 1.0 s of 6.0 s"


def test_a_trimmed_song_passes() -> None:
    clip = trimmed(media.song("m4a", 3), 0, ms=1000)
    assert check(clip, SONG).duration_s == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_trimmed_and_cut_video_is_refused(share: float) -> None:
    """What would not be shown must be there too: whoever undoes the trimming finds it broken."""
    clip = trimmed(media.video(2, SMALL, audio=False), 0, ms=500)
    assert refusal(clip[: int(len(clip) * share)], VIDEO)
    hole = bytearray(clip)
    hole[int(len(clip) * share) :] = bytes(len(clip) - int(len(clip) * share))
    assert refusal(bytes(hole), VIDEO)


def test_a_song_is_no_video() -> None:
    assert refusal(media.song("m4a", 2), VIDEO) == "no video track in it"


def test_a_slideshow_address_that_holds_the_song_is_refused() -> None:
    assert refusal(media.song("mp3", 2), VIDEO) == "an MP3 file instead of a video"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "an empty file instead of a video"),
        (b"<!DOCTYPE html><html>denied", "a web page or text instead of a video"),
        (b'\n {"statusCode": 10000}', "a web page or text instead of a video"),
        (b"\xef\xbb\xbf<html>", "a web page or text instead of a video"),
        (b"\0" * 5000, "something unknown instead of a video"),
        (b"\0\0\0\x18ftypmp42", "MP4"),
    ],
    ids=["nothing", "html", "json", "html with a byte order mark", "zeros", "a bare header"],
)
def test_what_is_no_file_at_all_is_named(data: bytes, said: str) -> None:
    detail = refusal(data, VIDEO)
    assert said in detail or "cut short" in detail


def test_giant_dimensions_are_refused_before_a_frame_is_made() -> None:
    clip = media.video(0.2, (8400, 512), audio=False)
    with pytest.raises(TooLarge, match="8400 by 512"):
        check(clip, VIDEO)


# --- pictures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fmt", "content_type", "suffix"),
    [
        ("jpeg", "image/jpeg", ".jpg"),
        ("png", "image/png", ".png"),
        ("webp", "image/webp", ".webp"),
        ("webp_animated", "image/webp", ".webp"),
        ("avif", "image/avif", ".avif"),
        ("heic", "image/heic", ".heic"),
    ],
)
def test_a_whole_picture_passes(fmt: media.PictureFormat, content_type: str, suffix: str) -> None:
    data = media.picture(fmt, (270, 480))
    assert check(data, PICTURE) == Verified(
        content_type=content_type, suffix=suffix, width=270, height=480, checked=fmt != "heic"
    )
    marked = b"".join(media.salted(data, "some key"))
    assert check(marked, PICTURE).width == 270


@pytest.mark.parametrize("fmt", ["jpeg", "png", "webp", "webp_animated", "avif", "heic"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.97])
def test_a_cut_picture_is_refused(fmt: media.PictureFormat, share: float) -> None:
    data = media.picture(fmt, (270, 480))
    assert refusal(data[: int(len(data) * share)], PICTURE)


def test_a_hole_in_a_jpeg_is_noticed() -> None:
    """libjpeg makes a smear of it and only warns."""
    data = bytearray(media.picture("jpeg"))
    middle = len(data) // 2
    data[middle : middle + 4000] = bytes(4000)
    assert "a hole of zeros" in refusal(bytes(data), PICTURE)


@pytest.mark.parametrize("how", [{}, {"optimize": True}, {"progressive": True}], ids=str)
def test_a_picture_of_one_colour_passes(how: dict[str, bool]) -> None:
    for colour in ("#000", "#fff"):
        out = io.BytesIO()
        Image.new("RGB", (1080, 1920), colour).save(out, "JPEG", **how)
        assert check(out.getvalue(), PICTURE).height == 1920


def test_a_turned_picture_has_its_sides_as_shown() -> None:
    seen = check(media.picture("jpeg", (480, 270), orientation=6), PICTURE)
    assert (seen.width, seen.height) == (270, 480)


def test_a_very_large_jpeg_is_read_at_reduced_size() -> None:
    out = io.BytesIO()
    Image.new("RGB", (4100, 4100), "#336699").save(out, "JPEG")
    seen = check(out.getvalue(), PICTURE)
    assert (seen.width, seen.height) == (4100, 4100)


def test_a_video_is_no_picture() -> None:
    assert refusal(media.video(1, SMALL), PICTURE) == "an MP4 file instead of a picture"


def test_a_gif_is_not_on_the_list() -> None:
    assert refusal(b"GIF89a" + bytes(100), PICTURE) == "something unknown instead of a picture"


# --- songs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fmt", "content_type", "suffix", "codec"),
    [("mp3", "audio/mpeg", ".mp3", "mp3"), ("m4a", "audio/mp4", ".m4a", "aac")],
)
def test_a_whole_song_passes(
    fmt: media.SongFormat, content_type: str, suffix: str, codec: str
) -> None:
    seen = check(media.song(fmt, 3), SONG, announced_s=3)
    assert (seen.content_type, seen.suffix, seen.codec) == (content_type, suffix, codec)
    assert seen.duration_s == pytest.approx(3, abs=0.1)
    assert seen.has_audio
    assert seen.width is None


@pytest.mark.parametrize("fmt", ["mp3", "m4a"])
def test_half_a_song_is_refused(fmt: media.SongFormat) -> None:
    data = media.song(fmt, 6)
    assert refusal(data[: len(data) // 2], SONG, announced_s=6)


def test_a_picture_is_no_song() -> None:
    assert refusal(media.picture("jpeg", (64, 64)), SONG) == "a JPEG picture instead of a song"


# --- always -------------------------------------------------------------------------------------

CORPUS: tuple[tuple[MediaKind, bytes], ...] = (
    (VIDEO, media.video(1, SMALL)),
    (VIDEO, media.video(1, SMALL, "hevc", moov="last")),
    (PICTURE, media.picture("jpeg", (90, 160))),
    (PICTURE, media.picture("png", (90, 160))),
    (PICTURE, media.picture("webp", (90, 160))),
    (PICTURE, media.picture("webp_animated", (90, 160))),
    (PICTURE, media.picture("avif", (90, 160))),
    (PICTURE, media.picture("heic", (90, 160))),
    (SONG, media.song("mp3", 1)),
    (SONG, media.song("m4a", 1)),
)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[MediaKind, bytes]:
    """A real file with some bytes changed, a stretch removed or doubled, or its end cut."""
    kind, whole = draw(st.sampled_from(CORPUS))
    data = bytearray(whole)
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data) - 1) | st.integers(0, min(600, len(data) - 1)))
        new = draw(st.binary(min_size=1, max_size=8))
        data[at : at + len(new)] = new
    if draw(st.booleans()):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(1, 400))
        data[at : at + length] = draw(st.sampled_from([b"", bytes(data[at : at + length]) * 2]))
    if draw(st.booleans()):
        del data[draw(st.integers(0, len(data))) :]
    return draw(st.sampled_from([kind, kind, kind, VIDEO, PICTURE, SONG])), bytes(data)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(damaged())
@example((VIDEO, b"\xff"))
@example((SONG, b"\xff\xfb"))
@example((SONG, b"ID3"))
@example((PICTURE, b"RIFF\0\0\0\0WEBP"))
@example((PICTURE, b"\0\0\0\x10ftypmif1\0\0\0\0"))
def test_damage_raises_nothing_but_ours(case: tuple[MediaKind, bytes]) -> None:
    kind, data = case
    with suppress(StoriesError):
        assert check(data, kind).content_type.startswith(("video/", "image/", "audio/"))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([VIDEO, PICTURE, SONG]), st.binary(max_size=300))
def test_noise_raises_nothing_but_ours(kind: MediaKind, data: bytes) -> None:
    with pytest.raises(StoriesError):
        check(data, kind)


def test_several_threads_get_the_same_answers() -> None:
    work = [(kind, data) for kind, data in CORPUS] * 4
    alone = [check(data, kind) for kind, data in work]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda one: check(one[1], one[0]), work))
    assert together == alone


def test_the_file_stays_open_and_the_callers() -> None:
    for kind, data in CORPUS:
        file = io.BytesIO(data)
        verify(file, kind)
        assert not file.closed
        assert file.getvalue() == data
