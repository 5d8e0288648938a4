"""Media like real stories: H.264 High with B-frames, seconds between key frames, grainy photos.

`tests.fake_tiktok.media` makes light files that show what they are; these are as heavy to decode
as real ones, which is what a benchmark needs. They take a while to make, once.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
from av.filter import Graph
from PIL import Image, ImageChops

from tests.fake_tiktok import media
from tests.fake_tiktok.drawing import Scene
from tests.fake_tiktok.heic import frame_of
from tests.fake_tiktok.iso_boxes import index_first

FPS: Final = 30
_DRAWN_WIDTH: Final = 360
_DRAWN_EVERY: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A video to be made. keyframe_s: between two key frames. mib: its size, roughly."""

    seconds: float
    size: tuple[int, int]
    keyframe_s: float
    mib: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A photo of 1080x1920 to be made. grain: standard deviation of its noise."""

    label: str
    grain: float
    quality: int = 92


def clip(wanted: Clip) -> bytes:
    """An MP4 with its index first: H.264 High, three B-frames, AAC stereo."""
    return media.cached(("clip", wanted), lambda: _encode(wanted))


def shot(wanted: Shot) -> bytes:
    """A JPEG with grain, so that it is as large as a camera's."""
    return media.cached(("shot", wanted), lambda: _expose(wanted))


def _encode(wanted: Clip) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        container.metadata["comment"] = "made by the Storykeep tests"
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height = wanted.size
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.thread_count = 2
        context.gop_size = round(wanted.keyframe_s * FPS)
        context.bit_rate = int(wanted.mib * 2**20 * 8 / wanted.seconds) - 128_000
        context.options = {
            "preset": "veryfast",
            "profile": "high",
            # Key frames at even distances: a cut in the film would bring another one.
            "x264-params": "bframes=3:b-adapt=0:ref=3:scenecut=0:b-pyramid=normal",
        }
        sound = container.add_stream("aac", rate=44100)
        sound.codec_context.layout = "stereo"
        sound.codec_context.bit_rate = 128_000
        grain = _Grain(wanted.size)
        scene = _scene(wanted)
        count = round(wanted.seconds * FPS)
        picture = scene.at(0)
        for number in range(count):
            if number % _DRAWN_EVERY == 0:
                picture = scene.at(number / max(count - 1, 1))
            frame = frame_of(picture).reformat(*wanted.size, format="yuv420p")
            frame.pts = number
            frame.time_base = Fraction(1, FPS)
            container.mux(stream.encode(grain.over(frame)))
        container.mux(stream.encode(None))
        for tone in media.tones(wanted.seconds, wanted.label):
            container.mux(sound.encode(tone))
        container.mux(sound.encode(None))
    return index_first(out.getvalue())


def _scene(wanted: Clip) -> Scene:
    width, height = wanted.size
    return Scene((_DRAWN_WIDTH, height * _DRAWN_WIDTH // width // 2 * 2), wanted.label)


class _Grain:
    """Noise that differs from frame to frame, as a camera in the evening has it."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._graph = Graph()
        source = self._graph.add_buffer(
            width=size[0],
            height=size[1],
            format=av.VideoFormat("yuv420p"),
            time_base=Fraction(1, FPS),
        )
        noise = self._graph.add("noise", "c0s=14:c0f=t+u")
        sink = self._graph.add("buffersink")
        source.link_to(noise)
        noise.link_to(sink)
        self._graph.configure()

    def over(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The frame with noise; its time stays."""
        self._graph.vpush(frame)
        noisy = self._graph.vpull()
        noisy.pts, noisy.time_base = frame.pts, frame.time_base
        noisy.pict_type = av.video.frame.PictureType.NONE
        return noisy


def _expose(wanted: Shot) -> bytes:
    size = (1080, 1920)
    picture = Scene(size, wanted.label, moving=False).at(0.0)
    noise = Image.effect_noise(size, wanted.grain)
    grainy = ImageChops.add(picture, Image.merge("RGB", (noise,) * 3), offset=-128)
    out = io.BytesIO()
    grainy.save(out, "JPEG", quality=wanted.quality)
    return out.getvalue()
