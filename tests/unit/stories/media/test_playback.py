"""What plays where, by the decoded file."""

from __future__ import annotations

import io
from typing import Any

import pytest

from stories.errors import Unplayable
from stories.media.playback import file_labels
from stories.media.verify import verify
from stories.structures import MediaKind, Playability
from tests.fake_tiktok.odd_media import odd_video, renamed_entry

ALL, MOST, FEW = Playability.ALL, Playability.MOST, Playability.FEW

ROWS: dict[str, tuple[dict[str, Any], Playability]] = {
    "H.264": ({}, ALL),
    "H.264 without sound": ({"sound": None}, ALL),
    "H.264 full range": ({"pixel_format": "yuvj420p"}, ALL),
    "H.264 of ten bits": ({"pixel_format": "yuv420p10le"}, FEW),
    "H.264 4:2:2": ({"pixel_format": "yuv422p"}, FEW),
    "H.264 4:4:4": ({"pixel_format": "yuv444p"}, FEW),
    "H.264 with Opus": ({"sound": "libopus"}, FEW),
    "H.264 with AC-3": ({"sound": "ac3"}, FEW),
    "H.264 with MP3": ({"sound": "libmp3lame"}, FEW),
    "HEVC": ({"encoder": "libx265", "sample_entry": "hvc1"}, MOST),
    "HEVC as hev1": ({"encoder": "libx265", "sample_entry": "hev1"}, FEW),
    "HEVC of ten bits": (
        {"encoder": "libx265", "sample_entry": "hvc1", "pixel_format": "yuv420p10le"},
        MOST,
    ),
    "HEVC 4:2:2": (
        {"encoder": "libx265", "sample_entry": "hvc1", "pixel_format": "yuv422p10le"},
        FEW,
    ),
    "HEVC with Opus": ({"encoder": "libx265", "sample_entry": "hvc1", "sound": "libopus"}, FEW),
}


@pytest.mark.parametrize(("made", "plays"), ROWS.values(), ids=ROWS.keys())
def test_what_plays_where(made: dict[str, Any], plays: Playability) -> None:
    seen = verify(io.BytesIO(odd_video(**made)), MediaKind.VIDEO)
    assert seen.playability is plays


@pytest.mark.parametrize(
    ("old", "new", "mislabelled"),
    [
        ("hvc1", "hev1", True),
        ("hvc1", "dvh1", False),
        ("hvc1", "dvhe", False),
        ("avc1", "avc3", True),
    ],
)
def test_other_names_of_the_same_video(old: str, new: str, mislabelled: bool) -> None:
    encoder = "libx265" if old == "hvc1" else "libx264"
    clip = renamed_entry(odd_video(encoder, sample_entry=old), old, new)
    seen = verify(io.BytesIO(clip), MediaKind.VIDEO)
    assert (seen.sample_entry, seen.playability, seen.mislabelled) == (new, FEW, mislabelled)


@pytest.mark.parametrize("encoder", ["libvpx-vp9", "libsvtav1", "mpeg4"])
def test_a_codec_that_is_not_opened_is_no_damage(encoder: str) -> None:
    with pytest.raises(Unplayable):
        verify(io.BytesIO(odd_video(encoder)), MediaKind.VIDEO)


def test_a_webm_file_is_no_damage() -> None:
    clip = odd_video("libvpx-vp9", sound="libopus", container="webm")
    with pytest.raises(Unplayable):
        verify(io.BytesIO(clip), MediaKind.VIDEO)


def test_labels_by_the_bytes() -> None:
    assert file_labels("h264", ALL, has_sound=True) == ()
    assert file_labels("hevc", MOST, has_sound=True) == ("hevc",)
    assert file_labels("hevc", FEW, has_sound=False) == ("hevc", "odd_format", "no_sound")
