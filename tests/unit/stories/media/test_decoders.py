"""Files opened within bounds: formats by their bytes, and indexes that lie refused in time."""

from __future__ import annotations

import io
import subprocess
import sys
import zlib
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from stories.errors import MediaCorrupt, StoriesError, TooLarge
from stories.media import decoders
from stories.media.verify import verify
from stories.structures import MediaKind, Verified
from tests.fake_tiktok import media

VIDEO, PICTURE = MediaKind.VIDEO, MediaKind.PICTURE
SMALL = (144, 256)


def check(data: bytes, kind: MediaKind) -> Verified:
    return verify(io.BytesIO(data), kind)


def refusal(data: bytes, kind: MediaKind) -> str:
    with pytest.raises(MediaCorrupt) as caught:
        check(data, kind)
    return caught.value.detail


def test_an_index_that_claims_billions_of_samples_is_refused() -> None:
    clip = bytearray(media.video(1, SMALL, audio=False))
    at = clip.index(b"stsz") + 8
    clip[at : at + 8] = (1).to_bytes(4) + (0x7FFF0000).to_bytes(4)
    with pytest.raises(TooLarge, match="entries"):
        check(bytes(clip), VIDEO)


def test_an_index_that_would_fill_the_memory_is_refused() -> None:
    clip = media.video(1, SMALL, audio=False)
    junk = b"meta" + bytes(33 * 2**20)
    with pytest.raises(TooLarge, match="32 MiB"):
        check(clip + (len(junk) + 4).to_bytes(4) + junk, VIDEO)


def test_words_in_a_caption_are_not_taken_for_tables() -> None:
    note = b"\0\0\0\x40udta" + b"this text is truncated, stsz and ctts too".ljust(56)
    assert check(media.video(1, SMALL) + note, VIDEO)


def test_a_compressed_index_is_refused() -> None:
    clip = media.video(1, SMALL)
    assert "compressed" in refusal(clip + b"\0\0\0\x10moov\0\0\0\x08cmov", VIDEO)


def test_a_decompression_bomb_is_too_large() -> None:
    data = bytearray(media.picture("png", (16, 16)))
    data[16:24] = (15_000).to_bytes(4) + (15_000).to_bytes(4)
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4)
    with pytest.raises(TooLarge):
        check(bytes(data), PICTURE)


def test_a_picture_between_one_and_two_times_the_limit_is_too_large() -> None:
    """Pillow only warns here."""
    data = bytearray(media.picture("png", (16, 16)))
    data[16:24] = (7_500).to_bytes(4) + (6_000).to_bytes(4)
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4)
    with pytest.raises(TooLarge):
        check(bytes(data), PICTURE)


def test_a_tiled_heic_says_why_it_is_refused() -> None:
    data = media.picture("heic", (270, 480))
    tiled = data.replace(b"hvc1\0", b"grid\0", 1)
    assert "HEIC" in refusal(tiled, PICTURE)


def test_decoders_are_loaded_on_first_use_only() -> None:
    """The web and scheduler processes import these modules and must stay small."""
    imports = "import sys, stories.media.verify, stories.media.derive"
    script = f"{imports}; print({{'av', 'PIL'}} & set(sys.modules))"
    root = Path(__file__).parents[4]
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root
    )
    assert said.stdout.strip() == "set()"


# --- formats by their first bytes ---------------------------------------------------------------


def ftyp(*brands: bytes, size: int | None = None) -> bytes:
    """The first box of an MP4 or HEIF file: the major brand, then the compatible ones."""
    rest = b"\0\0\0\0" + b"".join(brands[1:])
    length = 12 + len(rest) if size is None else size
    return length.to_bytes(4) + b"ftyp" + brands[0] + rest


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        pytest.param(ftyp(b"isom", b"mp42"), decoders.MP4, id="a video"),
        pytest.param(ftyp(b"M4A ", b"isom"), decoders.M4A, id="a song"),
        pytest.param(ftyp(b"heic", b"mif1"), decoders.HEIC, id="HEIC by its major brand"),
        pytest.param(ftyp(b"mif1", b"heic"), decoders.HEIC, id="some HEIF, HEIC by the second"),
        pytest.param(ftyp(b"mif1", b"avif"), decoders.AVIF, id="some HEIF, AVIF by the second"),
        pytest.param(ftyp(b"mif1", b"miaf", b"avif"), decoders.AVIF, id="AVIF by the third"),
        pytest.param(ftyp(b"isom", b"avif"), decoders.MP4, id="a video that says it is a picture"),
        pytest.param(ftyp(b"mif1", b"avif", size=16), decoders.HEIC, id="brands behind the box"),
        pytest.param(ftyp(b"isom", size=0), decoders.MP4, id="a box without a size"),
        pytest.param(ftyp(b"isom", size=2**32 - 1), decoders.MP4, id="a box of four gigabytes"),
        pytest.param(b"\0\0\0\x08ftyp", decoders.MP4, id="a box and no brand"),
        pytest.param(b"RIFF\0\0\0\0WAVE", decoders.UNKNOWN, id="a RIFF that is no WebP"),
        pytest.param(b"\xff\xfb\x90\0", decoders.MP3, id="an MP3 without ID3"),
        pytest.param(b"\xff\xf1\x50\x80", decoders.UNKNOWN, id="raw AAC"),
        pytest.param(b"\xff", decoders.UNKNOWN, id="a single byte"),
        pytest.param(b"\xef\xbb\xbf", decoders.UNKNOWN, id="a byte order mark alone"),
    ],
)
def test_the_first_bytes_decide_the_format(head: bytes, expected: decoders.FileFormat) -> None:
    assert decoders.sniff_format(head) is expected


def test_a_file_that_was_read_is_looked_at_from_its_start_and_left_there() -> None:
    file = io.BytesIO(b"\xff\xd8\xff" + b"<html>")
    file.seek(3)
    assert decoders.sniff_file(file) is decoders.JPEG
    assert file.tell() == 0


# --- what decoders raise ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raised", "expected", "detail"),
    [
        (KeyError("x" * 5000), MediaCorrupt, "KeyError"),
        (SyntaxError("not a PNG file"), MediaCorrupt, "SyntaxError: not a PNG file"),
        (MemoryError(), TooLarge, "does not fit in memory"),
        (Image.DecompressionBombError("bomb"), TooLarge, "more than 40,000,000 pixels"),
        (Image.DecompressionBombWarning("bomb"), TooLarge, "more than 40,000,000 pixels"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_a_decoder_raises_becomes_ours(
    raised: Exception, expected: type[StoriesError], detail: str
) -> None:
    with pytest.raises(expected) as caught, decoders.translate_decoder_errors("a PNG picture"):
        raise raised
    assert caught.value.detail.startswith("a PNG picture: ")
    assert detail in caught.value.detail
    assert len(caught.value.detail) < 250
    assert caught.value.__cause__ is raised


def test_an_error_of_ours_passes_through_as_it_is() -> None:
    error = TooLarge("8400 by 512 pixels")
    with pytest.raises(TooLarge) as caught, decoders.translate_decoder_errors("an MP4 file"):
        raise error
    assert caught.value is error


# --- bounds -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (1, 1, None),
        (8_000, 5_000, None),
        (16_384, 2_441, None),
        (8_000, 5_001, TooLarge),
        (16_385, 1, TooLarge),
        (1, 16_385, TooLarge),
        (0, 100, MediaCorrupt),
        (100, -1, MediaCorrupt),
    ],
)
def test_so_many_pixels_and_no_more(
    width: int, height: int, expected: type[StoriesError] | None
) -> None:
    expectation = pytest.raises(expected) if expected else nullcontext()
    with expectation:
        decoders.check_dimensions(width, height, decoders.MAX_SIDE)


@pytest.mark.parametrize(
    ("tail", "detail"),
    [
        (b"\0\0\0\x07free", "a broken box structure"),
        (b"\0\0\0\x09free", "cut short: 1 bytes are missing"),
        (b"\0\0\0\x01free" + bytes(8), "a broken box structure"),
        (b"\0\0\0\x01mdat" + b"\xff" * 8, "cut short"),
        (b"\0\0\0\x08free" * decoders.MAX_BOXES, "too many boxes"),
    ],
    ids=["too small", "one byte missing", "a long size of nothing", "a long size", "many"],
)
def test_boxes_that_lie_are_refused(tail: bytes, detail: str) -> None:
    file = io.BytesIO(ftyp(b"isom") + tail)
    with pytest.raises(MediaCorrupt, match=detail), decoders.open_container(file, decoders.MP4):
        pytest.fail("it was opened")


def test_a_few_stray_bytes_at_the_end_are_no_box() -> None:
    file = io.BytesIO(media.video(0.2, SMALL, audio=False) + bytes(7))
    with decoders.open_container(file, decoders.MP4) as container:
        assert len(container.streams.video) == 1


@pytest.mark.parametrize("value", [0, 9, 1 << 20, "6", None])
def test_an_orientation_that_is_none_turns_nothing(value: object) -> None:
    class Picture(Image.Image):
        def getexif(self) -> Any:
            return {0x0112: value}

    assert decoders.exif_orientation(Picture()) == 1
