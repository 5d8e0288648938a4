"""tracks: what is kept of a file's packets, and what is said of their number and length."""

from __future__ import annotations

import io

import pytest

from stories.errors import TooLarge
from stories.media import tracks
from stories.media.decoders import MP4, open_container
from stories.media.tracks import Track, demux
from tests.unit.stories.media.clips import packets_of, story_clip


def demuxed(clip: bytes, max_tail: int) -> Track:
    with open_container(io.BytesIO(clip), MP4, untrimmed=True) as container:
        track = Track(container.streams.video[0], "h264", 4, max_tail)
        demux(container, [track])
        return track


@pytest.mark.parametrize(("max_tail", "kept"), [(0, 1), (1, 1), (5, 5), (1000, 24)])
def test_the_last_key_frame_is_kept_and_what_follows_within_the_limit(
    max_tail: int, kept: int
) -> None:
    track = demuxed(story_clip(), max_tail)
    assert track.tail[0].is_keyframe
    assert len(track.tail) == kept
    assert track.packets == 48


def test_what_follows_the_last_key_frame_is_kept_up_to_a_number_of_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tracks, "TAIL_BYTES", 1)
    assert len(demuxed(story_clip(), 1000).tail) == 1


def test_a_giant_packet_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    largest = max(size for _, size, _ in packets_of(story_clip(), "video"))
    monkeypatch.setattr(tracks, "MAX_PACKET_BYTES", largest - 1)
    with pytest.raises(TooLarge, match="a single packet"):
        demuxed(story_clip(), 1)
