"""What is no frame in an MP3 is found; tags and other rates are none of that."""

from __future__ import annotations

import io
import random

import pytest

from stories.errors import MediaCorrupt
from stories.media.mp3_frames import find_gap
from stories.media.verify import verify
from stories.structures import MediaKind
from tests.fake_tiktok import media

SONG = media.song("mp3", 6)


@pytest.mark.parametrize("share", [0.1, 0.35, 0.6, 0.9])
@pytest.mark.parametrize(
    "hole", [bytes(512), bytes(3500), random.Random(1).randbytes(3500), b"<html>no" * 200]
)
def test_a_hole_in_an_mp3_is_found(hole: bytes, share: float) -> None:
    data = bytearray(SONG)
    start = int(len(data) * share)
    data[start : start + len(hole)] = hole
    with pytest.raises(MediaCorrupt):
        verify(io.BytesIO(bytes(data[: len(SONG)])), MediaKind.SONG)


@pytest.mark.parametrize(
    "tail",
    [b"", b"TAG" + bytes(125), b"APETAGEX" + bytes(5000)],
    ids=["none", "ID3v1", "APE"],
)
def test_what_may_stand_behind_the_last_frame(tail: bytes) -> None:
    assert verify(io.BytesIO(SONG + tail), MediaKind.SONG).has_audio


@pytest.mark.parametrize(
    ("head", "length"),
    [
        (b"\xff\xfb\x90\x00", 417),  # MPEG 1, 128 kbit/s, 44.1 kHz
        (b"\xff\xfb\x92\x00", 418),  # padded
        (b"\xff\xfb\xe4\x00", 960),  # 320 kbit/s, 48 kHz
        (b"\xff\xf3\x80\x00", 208),  # MPEG 2, 64 kbit/s, 22.05 kHz
        (b"\xff\xe3\x40\x00", 208),  # MPEG 2.5, 32 kbit/s, 11.025 kHz
    ],
)
def test_frames_of_every_kind_are_stepped_over(head: bytes, length: int) -> None:
    frame = head.ljust(length, b"\1")
    assert find_gap(frame * 5, 0) is None
    assert find_gap(frame * 2 + b"x" * 500 + frame * 3, 0) == 2 * length


@pytest.mark.parametrize("head", [b"\xff\xfb\x00\x00", b"\xff\xfb\xf0\x00", b"\xff\xfd\x90\x00"])
def test_a_header_without_a_length_is_no_frame(head: bytes) -> None:
    assert find_gap(b"\xff\xfb\x90\x00".ljust(417) + head.ljust(2000, b"x"), 0) == 417
