"""What plays where: decided from the decoded file, never from what a listing calls it."""

from __future__ import annotations

from dataclasses import dataclass

from stories.structures import Playability

# The same video under the four letters that let a player expect its parameter sets in the file's
# head, which is where Apple's and most phones look for them.
CORRECTED_ENTRIES = {"hev1": "hvc1", "avc3": "avc1"}

_H264_ENTRIES = frozenset({"avc1", ""})
_HEVC_ENTRIES = frozenset({"hvc1", ""})
_EIGHT_BIT = frozenset({"yuv420p", "yuvj420p"})
_HEVC_FORMATS = _EIGHT_BIT | {"yuv420p10le"}


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFacts:
    """A video as a decoder describes it.

    codec, sound: FFmpeg's names; sound None without a sound track. pixel_format: FFmpeg's name,
    which tells depth and colour resolution apart. sample_entry: the four letters in the file.
    """

    codec: str
    pixel_format: str
    sample_entry: str
    sound: str | None


def playability(facts: VideoFacts) -> Playability:
    """How many players open a video.

    Everything: H.264 of 8 bits and 4:2:0 as `avc1`, with AAC or no sound. Most: HEVC of 8 or 10
    bits and 4:2:0 as `hvc1`. A few: any other entry (`hev1`, `avc3`, Dolby Vision's own), depth or
    colour resolution, and sound other than AAC.
    """
    if facts.sound not in {"aac", None}:
        return Playability.FEW
    if facts.codec == "h264":
        plain = facts.pixel_format in _EIGHT_BIT and facts.sample_entry in _H264_ENTRIES
        return Playability.ALL if plain else Playability.FEW
    if facts.codec == "hevc":
        plain = facts.pixel_format in _HEVC_FORMATS and facts.sample_entry in _HEVC_ENTRIES
        return Playability.MOST if plain else Playability.FEW
    return Playability.FEW


def file_labels(codec: str | None, plays: Playability, *, has_sound: bool) -> tuple[str, ...]:
    """The labels that a video earns by its bytes, for the person who gets it."""
    return tuple(
        label
        for label, earned in (
            ("hevc", codec == "hevc"),
            ("odd_format", plays is Playability.FEW),
            ("no_sound", not has_sound),
        )
        if earned
    )
