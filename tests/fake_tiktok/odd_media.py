"""Videos as nobody wishes for them: other codecs, depths, sounds and names of the same."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import cast

import av
import av.container
from PIL import Image

from tests.fake_tiktok.heic import frame_of
from tests.fake_tiktok.iso_boxes import index_first

FPS = 12
_OPTIONS = {
    "libx264": {"preset": "ultrafast"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:repeat-headers=0"},
    "libsvtav1": {"preset": "13", "crf": "50"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
}


def odd_video(
    encoder: str = "libx264",
    *,
    pixel_format: str = "yuv420p",
    sample_entry: str | None = None,
    sound: str | None = "aac",
    seconds: float = 1,
    size: tuple[int, int] = (144, 256),
    container: str = "mp4",
    params: str | None = None,
) -> bytes:
    """A short clip by one of FFmpeg's encoders, its index first.

    sound: an encoder, or None. params: x265's, in place of the usual ones.
    """
    out = io.BytesIO()
    with av.open(out, "w", format=container) as target:
        picture = cast("av.VideoStream", target.add_stream(encoder, rate=FPS))
        picture.width, picture.height = size
        picture.pix_fmt = pixel_format
        picture.codec_context.options = _OPTIONS.get(encoder, {}) | (
            {"x265-params": params} if params else {}
        )
        if sample_entry is not None:
            picture.codec_context.codec_tag = sample_entry
        heard = cast("av.AudioStream", target.add_stream(sound, rate=48000)) if sound else None
        if heard is not None:
            heard.codec_context.layout = "mono"
        for number in range(round(seconds * FPS)):
            colour = (number * 20 % 256, 80, 160)
            frame = frame_of(Image.new("RGB", size, colour)).reformat(format=pixel_format)
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            target.mux(picture.encode(frame))
        target.mux(picture.encode(None))
        if heard is not None:
            _encode_silence(target, heard, round(seconds * 48000))
    data = out.getvalue()
    return index_first(data) if container == "mp4" else data


def _encode_silence(
    target: av.container.OutputContainer, heard: av.AudioStream, samples: int
) -> None:
    context = heard.codec_context
    resampler = av.AudioResampler(context.format, "mono", 48000, context.frame_size or 1024)
    quiet = av.AudioFrame(format="s16", layout="mono", samples=samples)
    quiet.planes[0].update(bytes(quiet.planes[0].buffer_size))
    quiet.sample_rate, quiet.pts, quiet.time_base = 48000, 0, Fraction(1, 48000)
    for piece in [*resampler.resample(quiet), *resampler.resample(None)]:
        target.mux(heard.encode(piece))
    target.mux(heard.encode(None))


def renamed_entry(clip: bytes, old: str, new: str) -> bytes:
    """The same MP4 with its video's sample entry under another name."""
    at = clip.index(old.encode(), clip.index(b"stsd"))
    return clip[:at] + new.encode() + clip[at + 4 :]
