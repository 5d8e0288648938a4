"""Media for benchmarks are made up as real ones are."""

from __future__ import annotations

import io

import av
import pytest
from PIL import Image

from stories.media.verify import verify
from stories.structures import MediaKind
from tests.fake_tiktok import media, real_media
from tests.fake_tiktok.iso_boxes import boxes
from tests.fake_tiktok.real_media import Clip, Shot

CLIP = Clip(seconds=2, size=(144, 256), keyframe_s=1, mib=0.1, label="Test clip")


@pytest.fixture(scope="module")
def film() -> bytes:
    return real_media.clip(CLIP)


def test_a_clip_is_h264_high_with_b_frames_and_key_frames_as_far_apart_as_asked(
    film: bytes,
) -> None:
    with av.open(io.BytesIO(film), "r") as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        packets = [packet for packet in container.demux(video) if packet.pts is not None]
        assert video.codec_context.profile == "High"
        assert sound.codec_context.name == "aac"
        assert video.time_base
        per_second = 1 / video.time_base
        assert [packet.pts for packet in packets if packet.is_keyframe] == [0, per_second]
        assert len(packets) == 2 * real_media.FPS
        assert any(packet.pts != packet.dts for packet in packets)  # shown in another order


def test_a_clip_is_about_as_large_as_asked_with_its_index_first(film: bytes) -> None:
    kinds = [kind for kind, _, _ in boxes(film)]
    assert kinds.index(b"moov") < kinds.index(b"mdat")
    assert 0.5 * 2**20 * CLIP.mib < len(film) < 2 * 2**20 * CLIP.mib


def test_a_clip_and_a_marked_copy_of_it_pass_every_check(film: bytes) -> None:
    copy = b"".join(media.salted(film, "another"))
    assert copy != film
    for body in (film, copy):
        verified = verify(io.BytesIO(body), MediaKind.VIDEO)
        assert (verified.width, verified.height, verified.has_audio) == (144, 256, True)


def test_more_grain_makes_a_larger_photo() -> None:
    fine = real_media.shot(Shot(label="Test shot", grain=4))
    coarse = real_media.shot(Shot(label="Test shot", grain=16))
    with Image.open(io.BytesIO(fine)) as picture:
        assert picture.size == (1080, 1920)
    assert len(coarse) > len(fine) > 400_000
