"""Real media files made at call time: short clips, pictures and songs worth looking at.

Everything is drawn and encoded here with Pillow and PyAV, so the repository carries no media. The
same request gives the same bytes: results are kept per process, and what took long on disk, out of
the way, where all processes of this user and the next run find it.
"""

from __future__ import annotations

import array
import fcntl
import hashlib
import io
import math
import os
import struct
import tempfile
import time
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
from PIL import Image, PngImagePlugin

from tests.fake_tiktok.drawing import Scene, draw, draw_portrait
from tests.fake_tiktok.heic import frame_of, heic
from tests.fake_tiktok.iso_boxes import box, index_first, padded

VERSION = "6"  # part of every cache key: raise it when a drawing or an encoder setting changes

KEPT_FROM_S = 0.1
"""What took less to make is made again."""

PORTRAIT_SIDE = 360

_cache: dict[str, bytes] = {}


def cached(key: object, make: Callable[[], bytes]) -> bytes:
    """What `make` returned for an equal key, in this process or another one."""
    name = hashlib.sha256(f"{VERSION} {key!r}".encode()).hexdigest()[:32]
    if name not in _cache:
        _cache[name] = _shared(_folder() / name, make)
    return _cache[name]


def _folder() -> Path:
    """Where this user's processes keep what they made, from one run to the next."""
    folder = Path(tempfile.gettempdir(), f"storykeep-media-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise RuntimeError(f"{folder} belongs to someone else")
    return folder


def _shared(path: Path, make: Callable[[], bytes]) -> bytes:
    if path.exists():
        return path.read_bytes()
    lock = path.with_suffix(".lock")
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # who needs the same waits, instead of making it too
        if path.exists():
            return path.read_bytes()
        began = time.monotonic()
        data = make()
        if time.monotonic() - began >= KEPT_FROM_S:
            part = path.with_suffix(".part")
            part.write_bytes(data)
            part.replace(path)
        lock.unlink(missing_ok=True)
    return data


# --- video ------------------------------------------------------------------------------------

Codec = Literal["h264", "hevc"]
FPS = 24


def video(
    seconds: float = 2,
    size: tuple[int, int] = (576, 1024),
    codec: Codec = "h264",
    *,
    audio: bool = True,
    min_bytes: int | None = None,
    moov: Literal["first", "last"] = "first",
    label: str = "Storykeep",
    keyframe_every: int = FPS,
    black_start_s: float = 0,
) -> bytes:
    """An MP4 that plays in a browser: yuv420p, with an AAC track unless `audio` is False.

    min_bytes: grow the file to at least this, mostly inside the video packets (filler an H.264
    decoder skips), the rest in a `free` box. black_start_s: begin in the dark, as many clips do.
    """
    settings = (seconds, size, codec, audio, moov, label, keyframe_every, black_start_s)

    def make() -> bytes:
        rate = 0
        if min_bytes and codec == "h264":
            rate = int(min_bytes * 0.97 * 8 / seconds)
        data = _encode(*settings, rate)
        if min_bytes and len(data) < min_bytes:
            data = padded(data, min_bytes - len(data))
        return data

    return cached(("video", *settings, min_bytes), make)


def _encode(
    seconds: float,
    size: tuple[int, int],
    codec: Codec,
    audio: bool,
    moov: str,
    label: str,
    keyframe_every: int,
    black_start_s: float,
    rate: int,
) -> bytes:
    out = io.BytesIO()
    # PyAV reopens nothing, so "+faststart" cannot work on a BytesIO: reserve room for the index.
    count = max(1, round(seconds * FPS))
    with av.open(out, "w", format="mp4", options={}) as container:
        container.metadata["comment"] = "made by the Storykeep tests"
        stream = container.add_stream("libx264" if codec == "h264" else "libx265", rate=FPS)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = keyframe_every
        stream.codec_context.thread_count = 2
        if codec == "h264":
            stream.codec_context.options = {"preset": "ultrafast", "crf": "27"}
            if rate:
                kbit = rate // 1000
                stream.codec_context.bit_rate = rate
                stream.codec_context.options = {
                    "preset": "ultrafast",
                    "x264-params": f"nal-hrd=cbr:bitrate={kbit}:vbv-maxrate={kbit}"
                    f":vbv-bufsize={max(kbit // FPS * 2, 100)}:force-cfr=1:qpmin=18",
                }
        else:
            stream.codec_context.codec_tag = "hvc1"
            stream.codec_context.options = {
                "preset": "ultrafast",
                "crf": "30",
                "x265-params": "log-level=none:repeat-headers=0",
            }
        sound = None
        if audio:
            sound = container.add_stream("aac", rate=44100)
            sound.codec_context.layout = "mono"
            sound.codec_context.bit_rate = 64_000
        drawn = (min(size[0], 432) // 2 * 2, 0)
        drawn = (drawn[0], drawn[0] * size[1] // size[0] // 2 * 2)
        scene = Scene(drawn, label)
        picture = black = Image.new("RGB", drawn)
        for number in range(count):
            if number < black_start_s * FPS:
                picture = black
            elif number % 2 == 0 or number == count - 1 or picture is black:
                picture = scene.at(number / max(count - 1, 1))  # drawing is what costs: every other
            frame = frame_of(picture).reformat(*size, format="yuv420p")
            frame.pts = number
            frame.time_base = Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            for tone in tones(seconds, label):
                container.mux(sound.encode(tone))
            container.mux(sound.encode(None))
    data = out.getvalue()
    return index_first(data) if moov == "first" else data


def tones(seconds: float, label: str) -> list[av.AudioFrame]:
    """A soft arpeggio in a key of the label's own."""
    rate, samples = 44100, 1024
    root = 196.0 * 2 ** (zlib.crc32(label.encode()) % 12 / 12)
    notes = [root * 2 ** (step / 12) for step in (0, 4, 7, 12)]
    length = rate // 4
    phrase = array.array("h")
    for pitch in notes:
        for n in range(length):
            fade = min(1.0, n / 400) * (1 - n / length) ** 1.5
            phrase.append(int(9000 * fade * math.sin(math.tau * pitch * n / rate)))
    loop = phrase.tobytes()
    frames = []
    position = 0
    total = int(seconds * rate)
    while position < total:
        length_bytes = samples * 2
        start = position * 2 % len(loop)
        chunk = (loop[start:] + loop)[:length_bytes]
        frame = av.AudioFrame(format="s16", layout="mono", samples=samples)
        frame.planes[0].update(chunk)
        frame.sample_rate = rate
        frame.pts = position
        frame.time_base = Fraction(1, rate)
        frames.append(frame)
        position += samples
    return frames


def rotated(data: bytes, degrees: Literal[90, 180, 270]) -> bytes:
    """The same MP4 with a display matrix that turns it clockwise, as phones write it."""
    a, b, c, d = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    one = 0x10000
    matrix = struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 0x40000000)
    at = data.index(b"tkhd") - 4
    place = at + 8 + 4 + 4 + 4 + 4 + 4 + 4 + 8 + 2 + 2 + 2 + 2  # version 0
    return data[:place] + matrix + data[place + 36 :]


# --- pictures ---------------------------------------------------------------------------------

PictureFormat = Literal["jpeg", "webp", "avif", "png", "heic", "webp_animated"]


def picture(
    fmt: PictureFormat = "jpeg",
    size: tuple[int, int] = (1080, 1920),
    label: str = "Storykeep",
    *,
    orientation: int | None = None,
    min_bytes: int | None = None,
    quality: int = 88,
) -> bytes:
    """A picture of the label in one of the formats TikTok serves.

    orientation: an EXIF orientation tag (JPEG, WebP, PNG). min_bytes: pad a JPEG with comments.
    """

    def make() -> bytes:
        if fmt == "heic":
            return heic(draw(size, label))
        out = io.BytesIO()
        image = draw(size, label)
        exif = Image.Exif()
        if orientation:
            exif[0x0112] = orientation
        if fmt == "jpeg":
            image.save(out, "JPEG", quality=quality, exif=exif)
        elif fmt == "png":
            note = PngImagePlugin.PngInfo()
            note.add_text("Comment", "made by the Storykeep tests")
            image.save(out, "PNG", compress_level=1, pnginfo=note, exif=exif)
        elif fmt == "avif":
            image.save(out, "AVIF", quality=60, speed=10)
        elif fmt == "webp":
            image.save(out, "WEBP", quality=80, method=0, exif=exif)
        else:
            later = [Scene(size, label).at(n / 3) for n in (1, 2, 3)]
            image.save(
                out, "WEBP", quality=70, method=0, save_all=True, append_images=later, duration=200
            )
        data = out.getvalue()
        if min_bytes and fmt == "jpeg":
            data = _commented(data, min_bytes - len(data))
        return data

    return cached(("picture", fmt, size, label, orientation, min_bytes, quality), make)


def portrait(label: str) -> bytes:
    """The picture of an account: somebody before a sky, a square JPEG."""

    def make() -> bytes:
        out = io.BytesIO()
        draw_portrait(PORTRAIT_SIDE, label).save(out, "JPEG", quality=88)
        return out.getvalue()

    return cached(("portrait", label), make)


def _commented(jpeg: bytes, extra: int) -> bytes:
    comments = []
    while extra > 0:
        length = min(max(extra, 4), 65_000)
        comments.append(b"\xff\xfe" + (length - 2).to_bytes(2) + b" " * (length - 4))
        extra -= length
    return b"".join([jpeg[:2], *comments, jpeg[2:]])


# --- sound ------------------------------------------------------------------------------------

SongFormat = Literal["mp3", "m4a"]


def song(fmt: SongFormat = "mp3", seconds: float = 6, label: str = "Storykeep") -> bytes:
    """A short tune as an MP3 or an M4A file."""

    def make() -> bytes:
        out = io.BytesIO()
        with av.open(out, "w", format="mp3" if fmt == "mp3" else "ipod") as container:
            stream = container.add_stream("libmp3lame" if fmt == "mp3" else "aac", rate=44100)
            stream.codec_context.layout = "mono"
            stream.codec_context.bit_rate = 96_000
            for tone in tones(seconds, label):
                container.mux(stream.encode(tone))
            container.mux(stream.encode(None))
        return out.getvalue()

    return cached(("song", fmt, seconds, label), make)


# --- the same file, told apart ----------------------------------------------------------------


def salted(data: bytes, key: str) -> tuple[bytes, ...]:
    """The same media with a mark no decoder looks at, so that its bytes and hash are its own.

    Comes in parts, so that many large files can share one body in memory.
    """
    mark = f"storykeep {key}".encode()
    if data[4:8] == b"ftyp":
        return data, box(b"free", mark)
    if data[:2] == b"\xff\xd8":
        return data[:2], b"\xff\xfe" + (len(mark) + 2).to_bytes(2) + mark, data[2:]
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        body = b"tEXtComment\0" + mark
        chunk = (len(body) - 4).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)
        return data[:33], chunk, data[33:]
    if data[:4] == b"RIFF":
        body = mark + b"\0" * (len(mark) % 2)
        chunk = b"free" + len(mark).to_bytes(4, "little") + body
        size = int.from_bytes(data[4:8], "little") + len(chunk)
        return data[:4], size.to_bytes(4, "little"), data[8:], chunk
    if data[:3] == b"ID3":
        return data, b"TAG" + mark[:30].ljust(125, b"\0")
    return (data,)
