"""Short videos made as TikTok's are: H.264 High with B-frames, key frames seconds apart, AAC."""

from __future__ import annotations

import io
from fractions import Fraction
from functools import cache

import av

from tests.fake_tiktok.drawing import Scene
from tests.fake_tiktok.heic import frame_of
from tests.fake_tiktok.iso_boxes import index_first
from tests.fake_tiktok.media import song

FPS = 24


@cache
def story_clip(
    frames: int = 48, size: tuple[int, int] = (288, 512), keyframe_every: int = 24
) -> bytes:
    """An MP4 of H.264 High with three B-frames in a row, and sound of the same length."""
    out = io.BytesIO()
    scene = Scene((216, 384), "story")
    tune_file = io.BytesIO(song("m4a", frames / FPS))
    with av.open(tune_file, "r") as tune, av.open(out, "w", "mp4") as clip:
        stream = clip.add_stream("libx264", rate=FPS)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.options = {
            "preset": "veryfast",
            "profile": "high",
            "crf": "8",
            "x264-params": f"keyint={keyframe_every}:min-keyint={keyframe_every}"
            ":scenecut=0:bframes=3:b-adapt=0:threads=1",
        }
        sound = clip.add_stream_from_template(tune.streams.audio[0])
        for number in range(frames):
            frame = frame_of(scene.at(number / frames)).reformat(*size, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            clip.mux(stream.encode(frame))
        clip.mux(stream.encode(None))
        for packet in tune.demux(tune.streams.audio[0]):
            if packet.size:
                packet.stream = sound
                clip.mux(packet)
    return index_first(out.getvalue())


def packets_of(clip: bytes, kind: str) -> list[tuple[int, int, bool]]:
    """(offset, bytes, whether it is a key frame) of the packets of a kind of stream, in order."""
    with av.open(io.BytesIO(clip), "r") as container:
        return [
            (packet.pos or 0, packet.size, packet.is_keyframe)
            for packet in container.demux()
            if packet.size and packet.stream.type == kind
        ]


def overwritten(clip: bytes, at: int, new: bytes) -> bytes:
    """The same number of bytes, those at an offset replaced."""
    return (clip[:at] + new + clip[at + len(new) :])[: len(clip)]
