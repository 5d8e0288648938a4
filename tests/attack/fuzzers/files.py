"""Media: the parsers that are ours, and the decoders behind the checks."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress

from stories.errors import MediaError, StoriesError
from stories.media import avatars, jpeg_holes, jpeg_layout, mp3_frames, webp_ends
from stories.media.decoders import sniff_format
from stories.media.nal_units import nal_units, refuse_foreign_bytes, refuse_hole
from stories.media.parameter_sets import nal_prefix, parameter_sets
from stories.media.remux import correct_entry
from stories.media.strict_decoding import inspect
from stories.media.verify import examine
from stories.structures import MediaKind, Playability, Verified
from tests.attack.fuzzers import Target
from tests.attack.samples import moving_samples, picture_samples, song_samples


def jpeg(data: bytes) -> None:
    """The layout of a JPEG and its holes; offsets lie within it."""
    for segment in jpeg_layout.segments(data):
        assert segment is not None
    plain = jpeg_layout.plain_jpeg(data)
    if plain is not None:
        jpeg_layout.usual_grid(plain)
    hole = jpeg_holes.find_hole(data)
    assert hole is None or 0 <= hole <= len(data)


def webp(data: bytes) -> None:
    """Where a lossy WebP's data ends."""
    assert webp_ends.find_surplus(data) in {True, False, None}


def frames(data: bytes) -> None:
    """MP3 frames, NAL units and the parameter sets of a video."""
    start = data[0] if data else 0
    gap = mp3_frames.find_gap(data, start)
    assert gap is None or 0 <= gap <= len(data)
    for codec in ("h264", "hevc"):
        for config in (data, None):
            with suppress(StoriesError):
                nal_prefix(codec, config)
            with suppress(StoriesError):
                parameter_sets(codec, config)
    for prefix in (1, 2, 4):
        with suppress(StoriesError):
            for first, last in nal_units(data, prefix, 1):
                assert 0 <= first <= last <= len(data)
                refuse_foreign_bytes(data, first, last, 1)
    with suppress(StoriesError):
        refuse_hole(data, 1)


def picture(data: bytes) -> None:
    """A whole picture, checked as one that was fetched, with a poster; and as an avatar."""
    with suppress(MediaError):
        examine(io.BytesIO(data), MediaKind.PICTURE, with_poster=True)
    with suppress(MediaError):
        inspect(data, sniff_format(data[:64]))
    with suppress(MediaError):
        avatars.make(data)


def video(data: bytes) -> None:
    """A whole video, checked as one that was fetched, and its entry corrected."""
    with suppress(MediaError):
        examine(io.BytesIO(data), MediaKind.VIDEO, announced_s=2.0, with_poster=True)
    seen = Verified(
        content_type="video/mp4",
        suffix=".mp4",
        codec="hevc",
        playability=Playability.FEW,
        sample_entry="hev1",
        mislabelled=True,
    )
    with suppress(MediaError):
        correct_entry(io.BytesIO(data), seen)


def song(data: bytes) -> None:
    """A whole song, checked as one that was fetched."""
    with suppress(MediaError):
        examine(io.BytesIO(data), MediaKind.SONG)


def _jpegs() -> Sequence[bytes]:
    return [found for name, found in picture_samples().items() if "jpeg" in name]


def _webps() -> Sequence[bytes]:
    return [found for name, found in picture_samples().items() if "webp" in name]


TARGETS = [
    Target("jpeg", jpeg, _jpegs, most_bytes=16_384),
    Target("webp", webp, _webps, most_bytes=16_384),
    Target("frames", frames, lambda: list(song_samples().values()), most_bytes=16_384),
    Target("picture", picture, lambda: list(picture_samples().values()), most_bytes=32_768),
    Target("video", video, lambda: list(moving_samples().values()), most_bytes=131_072),
    Target("song", song, lambda: list(song_samples().values()), most_bytes=65_536),
]
