"""An MP4 without a creation time gets one, in place."""

from __future__ import annotations

import io
import random
from datetime import UTC, datetime

import av
import pytest

from stories.media import video_dating
from stories.media.edits import apply_edits
from tests.unit.stories.media.clips import story_clip

POSTED = datetime(2026, 11, 20, 14, 3, 7, tzinfo=UTC)
SECONDS = int((POSTED - datetime(1904, 1, 1, tzinfo=UTC)).total_seconds())
FTYP = b"\0\0\0\x14ftypisom\0\0\0\0isom"


def dated(data: bytes, moment: datetime = POSTED) -> bytes:
    changed = b"".join(apply_edits([data], video_dating.date_edits(io.BytesIO(data), moment)))
    assert len(changed) == len(data)
    return changed


def box(kind: bytes, body: bytes, *, wide: bool = False) -> bytes:
    if wide:
        return b"\0\0\0\x01" + kind + (len(body) + 16).to_bytes(8) + body
    return (len(body) + 8).to_bytes(4) + kind + body


def header(kind: bytes, version: int, created: int = 0, changed: int = 0) -> bytes:
    width = 8 if version else 4
    times = created.to_bytes(width) + changed.to_bytes(width)
    return box(kind, bytes([version, 0, 0, 7]) + times + b"rest of it" * 8)


def movie(version: int, created: int = 0, changed: int = 0, *, wide: bool = False) -> bytes:
    media = box(b"mdia", header(b"mdhd", version, created, changed))
    track = box(b"trak", header(b"tkhd", version, created, changed) + media)
    moov = box(b"moov", header(b"mvhd", version, created, changed) + track * 2, wide=wide)
    return FTYP + box(b"mdat", b"bytes of a video", wide=wide) + moov


def test_a_video_says_when_it_was_posted_and_plays_the_same() -> None:
    clip = story_clip()
    changed = dated(clip)
    with av.open(io.BytesIO(changed), "r") as container:
        assert container.metadata["creation_time"].startswith("2026-11-20T14:03:07")
        for stream in container.streams:
            assert stream.metadata["creation_time"].startswith("2026-11-20T14:03:07")
        packets = [bytes(packet) for packet in container.demux()]
    with av.open(io.BytesIO(clip), "r") as container:
        assert packets == [bytes(packet) for packet in container.demux()]
    assert sum(a != b for a, b in zip(clip, changed, strict=True)) <= 5 * 2 * 4


@pytest.mark.parametrize("wide", [False, True], ids=["short sizes", "64-bit sizes"])
@pytest.mark.parametrize("version", [0, 1])
def test_all_headers_of_both_versions_get_the_time(version: int, wide: bool) -> None:
    changed = dated(movie(version, wide=wide))
    assert changed == movie(version, SECONDS, SECONDS, wide=wide)


@pytest.mark.parametrize("version", [0, 1])
def test_a_time_that_is_there_stays(version: int) -> None:
    data = movie(version, 3_700_000_000, 3_700_000_001)
    assert dated(data) == data


def test_the_day_it_was_changed_stays() -> None:
    assert dated(movie(0, 0, 3_700_000_001)) == movie(0, SECONDS, 3_700_000_001)


def test_a_box_without_a_size_goes_to_the_end() -> None:
    data = FTYP + b"\0\0\0\0moov" + header(b"mvhd", 0)
    assert dated(data) == FTYP + b"\0\0\0\0moov" + header(b"mvhd", 0, SECONDS, SECONDS)


@pytest.mark.parametrize(
    "moment",
    [datetime(1904, 1, 1, tzinfo=UTC), datetime(1800, 1, 1, tzinfo=UTC)],
    ids=["the beginning of time", "before it"],
)
def test_a_moment_the_file_cannot_hold_is_left_out(moment: datetime) -> None:
    assert dated(movie(0), moment) == movie(0)


def test_after_2040_only_wide_times_are_written() -> None:
    later = datetime(2041, 1, 1, tzinfo=UTC)
    assert dated(movie(0), later) == movie(0)
    assert dated(movie(1), later) != movie(1)


DEEP = b""
for _ in range(200):
    DEEP = box(b"trak", DEEP)
HOSTILE = {
    "nothing": b"",
    "no video": b"\xff\xd8\xff\xe0" * 10,
    "a type alone": FTYP,
    "a box of no bytes at all": FTYP + b"\0\0\0\x04moov",
    "a box longer than the file": FTYP + b"\0\0\x10\0moov" + header(b"mvhd", 0),
    "a 64-bit size that is too large": FTYP + b"\0\0\0\x01moov" + b"\xff" * 8 + header(b"mvhd", 0),
    "a 64-bit size smaller than its head": FTYP + b"\0\0\0\x01moov" + (9).to_bytes(8),
    "a header longer than what it is in": FTYP + box(b"moov", b"\0\0\x10\0mvhd" + b"\0" * 40),
    "a header cut short": FTYP + box(b"moov", box(b"mvhd", b"\0\0\0\0\0\0")),
    "a header of version 7": FTYP + box(b"moov", header(b"mvhd", 1).replace(b"mvhd\1", b"mvhd\7")),
    "a header in no movie": FTYP + header(b"mvhd", 0),
    "tracks in tracks": FTYP + box(b"moov", DEEP),
    "boxes without end": FTYP + box(b"moov", box(b"free", b"") * 5000 + header(b"mvhd", 0)),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_what_is_not_built_as_it_should_be_is_left_alone(data: bytes) -> None:
    assert dated(data) == data


def test_damage_anywhere_leaves_a_file_of_the_same_length() -> None:
    draw, data = random.Random(13), movie(0) + movie(1)
    for _ in range(500):
        broken = bytearray(data)
        for _ in range(draw.randrange(1, 6)):
            broken[draw.randrange(len(data))] = draw.randrange(256)
        dated(bytes(broken))
