"""Parameter sets: where they are decides by which name a video may go."""

from __future__ import annotations

import io
from typing import cast

import av
import pytest

from stories.media.parameter_sets import is_parameter_set, nal_kind, nal_prefix, parameter_sets
from tests.fake_tiktok.odd_media import odd_video


def config_of(encoder: str) -> bytes:
    with av.open(io.BytesIO(odd_video(encoder, sound=None)), "r") as container:
        return cast("bytes", container.streams.video[0].codec_context.extradata)


HVCC, AVCC = config_of("libx265"), config_of("libx264")


@pytest.mark.parametrize(
    ("codec", "config", "kinds"), [("hevc", HVCC, {32, 33, 34}), ("h264", AVCC, {7, 8})]
)
def test_all_sets_in_the_head_are_read(codec: str, config: bytes, kinds: set[int]) -> None:
    sets = parameter_sets(codec, config)
    assert sets is not None
    assert {nal_kind(codec, unit[0]) for unit in sets} >= kinds
    assert nal_prefix(codec, config) == 4


@pytest.mark.parametrize(("codec", "config"), [("hevc", HVCC), ("h264", AVCC)])
def test_a_record_that_is_cut_or_has_not_all_is_none(codec: str, config: bytes) -> None:
    assert parameter_sets(codec, None) is None
    for size in range(len(config) - 1):
        sets = parameter_sets(codec, config[:size])
        assert sets is None or len(sets) > 1
    assert parameter_sets("hevc", HVCC[:22] + b"\0") is None
    assert parameter_sets("h264", AVCC[:5] + b"\xe0\0") is None


def test_what_a_unit_is() -> None:
    assert is_parameter_set("h264", 0x67)
    assert not is_parameter_set("h264", 0x65)
    assert is_parameter_set("hevc", 0x42)
    assert not is_parameter_set("hevc", 0x26)
