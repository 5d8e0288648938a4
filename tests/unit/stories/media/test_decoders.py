"""Files opened within bounds: formats by their bytes, and indexes that lie refused in time."""

from __future__ import annotations

import io
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from stories.errors import MediaCorrupt, TooLarge
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
    """The web and scheduler processes import this room and must stay small."""
    imports = "import sys, stories.media.verify, stories.media.derive"
    script = f"{imports}; print({{'av', 'PIL'}} & set(sys.modules))"
    root = Path(__file__).parents[4]
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root
    )
    assert said.stdout.strip() == "set()"
