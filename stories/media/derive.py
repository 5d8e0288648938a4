"""Files derived from a verified one: a poster, the sound alone, a JPEG from another picture.

Each function reads one seekable file and writes another; both stay open and belong to the caller.
Synchronous, and safe in several threads at once. Raises MediaCorrupt or TooLarge, nothing else
of a decoder's. Metadata is left out: a derived file carries no place, camera or name. A JPEG made
from another picture keeps when it was taken, and its colour profile.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, Literal

from stories.errors import MediaCorrupt
from stories.media import picture_dates
from stories.media.decoders import (
    JPEG,
    apply_rotation,
    check_dimensions,
    configure_decoder,
    exif_orientation,
    load_pillow,
    open_container,
    open_picture,
    sniff_file,
    to_image,
)
from stories.media.download import digest
from stories.media.verify import verify
from stories.structures import MediaKind, Verified

if TYPE_CHECKING:
    import av
    import av.container
    from PIL import Image

POSTER_WIDTH = 360
POSTER_HEIGHT = 1_280
POSTER_QUALITY = 80
JPEG_QUALITY = 92
BITRATE = {"mono": 128_000, "stereo": 192_000}

# Many clips fade in from black: every fifth of the first frames is examined for a bright one.
DARK_LUMA = 24  # mean, 0-255
FRAMES_EXAMINED = 60
EXAMINED_EVERY = 5


def poster(file: BinaryIO, content_type: str, out: BinaryIO) -> Verified:
    """Write a poster of a picture or video: a small upright JPEG, at most 360 pixels wide.

    content_type: as verified. A video gives its first frame that is not black.
    """
    file_format = sniff_file(file)
    if content_type.startswith("video/"):
        with open_container(file, file_format) as container:
            image = _poster_frame(container)
            image.thumbnail((POSTER_WIDTH, POSTER_HEIGHT))
            return _save_jpeg(image, out, POSTER_QUALITY)
    with open_picture(file, file_format) as image:
        if file_format is JPEG:
            # Decodes at a half, a quarter or an eighth of the size, whatever is still enough;
            # square, because a turned picture has its width where the height was.
            image.draft("RGB", (POSTER_WIDTH, POSTER_WIDTH))
        image.load()
        small = _without_alpha(_upright(image))
        # Shrinking costs more than decoding does: halved first where that leaves enough, then with
        # the filter that looks at half as many pixels.
        small.thumbnail(
            (POSTER_WIDTH, POSTER_HEIGHT), load_pillow().Resampling.HAMMING, reducing_gap=1.5
        )
        return _save_jpeg(small, out, POSTER_QUALITY)


def as_jpeg(
    file: BinaryIO,
    out: BinaryIO,
    *,
    posted_at: datetime | None = None,
    zone: tzinfo = UTC,
    checked: bool = True,
) -> Verified:
    """Write a picture as an upright JPEG of equal size, transparency on white.

    An animation gives its first frame. posted_at: aware, the date written into it when the picture
    has none of its own, on the clock of zone. checked: of the picture, for the result.
    """
    with open_picture(file, sniff_file(file)) as image:
        image.load()
        dates = picture_dates.read_dates(image) or picture_dates.of_moment(posted_at, zone)
        made = _save_jpeg(_without_alpha(_upright(image)), out, JPEG_QUALITY, dates)
        return replace(made, checked=checked)


def audio_track(
    file: BinaryIO, out: BinaryIO, audio_format: Literal["m4a", "mp3"] = "m4a"
) -> Verified | None:
    """Write the sound of a video or song alone; None when it has none.

    audio_format: "m4a" copies AAC as it is, "mp3" encodes.
    """
    with open_container(file, sniff_file(file)) as container:
        streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
        if not streams:
            return None
        if audio_format == "m4a" and streams[0].codec_context.name == "aac":
            packets = _copy(container, streams[0], out)
        else:
            packets = _encode(container, streams[0], out, audio_format)
    if not packets:
        return None
    return verify(out, MediaKind.SONG)


# --- pictures -----------------------------------------------------------------------------------


def _poster_frame(container: av.container.InputContainer) -> Image.Image:
    """The first frame that is not black, at poster size; the very first when all are black."""
    if not container.streams.video:
        raise MediaCorrupt("no video track in it")
    stream = container.streams.video[0]
    configure_decoder(stream.codec_context)
    check_dimensions(stream.width, stream.height, 16_384)
    first: av.VideoFrame | None = None
    for number, frame in enumerate(container.decode(stream)):
        if number == 0:
            first = frame
        if number % EXAMINED_EVERY == 0 and _mean_luma(frame) >= DARK_LUMA:
            return _at_poster_size(frame)
        if number >= FRAMES_EXAMINED:
            break
    if first is None:
        raise MediaCorrupt("no frame decodes")
    return _at_poster_size(first)


def _mean_luma(frame: av.VideoFrame) -> float:
    tiny = bytes(frame.reformat(width=32, height=32, format="gray").planes[0])
    return sum(tiny) / len(tiny)


def _at_poster_size(frame: av.VideoFrame) -> Image.Image:
    side = frame.height if frame.rotation % 180 else frame.width
    share = min(1.0, POSTER_WIDTH / side)
    width, height = (max(2, round(length * share)) for length in (frame.width, frame.height))
    small = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
    return apply_rotation(frame, to_image(small))


def _upright(image: Image.Image) -> Image.Image:
    """The image turned by its EXIF orientation: 2 to 8 are these turns, in this order."""
    turns = load_pillow().Transpose
    by_orientation = (
        turns.FLIP_LEFT_RIGHT,
        turns.ROTATE_180,
        turns.FLIP_TOP_BOTTOM,
        turns.TRANSPOSE,
        turns.ROTATE_270,
        turns.TRANSVERSE,
        turns.ROTATE_90,
    )
    number = exif_orientation(image)
    return image if number == 1 else image.transpose(by_orientation[number - 2])


def _without_alpha(image: Image.Image) -> Image.Image:
    """The image in RGB, what was transparent on white."""
    if image.mode == "RGB":
        return image
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        background: Image.Image = load_pillow().new("RGB", layer.size, "#ffffff")
        background.paste(layer, mask=layer.getchannel("A"))
        return background
    return image.convert("RGB")


def _save_jpeg(
    image: Image.Image, out: BinaryIO, quality: int, dates: Mapping[int, str] | None = None
) -> Verified:
    """Write a plain JPEG: no comment, of EXIF the dates alone; the colour profile decides colours.

    dates: as picture_dates makes them.
    """
    profile = image.info.get("icc_profile")
    if isinstance(profile, bytes) and not _is_rgb_profile(profile):
        profile = None  # of a picture that was not RGB: it would give these pixels other colours
    image.info = {}
    exif = picture_dates.as_exif(dates) if dates else b""
    image.save(out, "JPEG", quality=quality, optimize=True, icc_profile=profile, exif=exif)
    return Verified(
        content_type=JPEG.content_type, suffix=JPEG.suffix, width=image.width, height=image.height
    )


def _is_rgb_profile(profile: bytes) -> bool:
    """Whether an ICC profile is for RGB, by its header."""
    return profile[16:20] == b"RGB "


# --- sound --------------------------------------------------------------------------------------


def _copy(source: av.container.InputContainer, sound: av.AudioStream, out: BinaryIO) -> int:
    """Copy the packets of a sound stream into an M4A file; how many there were."""
    import av

    packets = 0
    with av.open(out, "w", format="ipod") as container:
        stream = container.add_stream_from_template(sound)
        for packet in source.demux(sound):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
                packets += 1
    return packets


def _encode(
    source: av.container.InputContainer,
    sound: av.AudioStream,
    out: BinaryIO,
    audio_format: Literal["m4a", "mp3"],
) -> int:
    """Encode a sound stream as MP3 or as AAC in an M4A file; how many packets there are."""
    import av

    configure_decoder(sound.codec_context)
    rate = sound.rate if sound.rate in {32000, 44100, 48000} else 44100
    layout = "mono" if sound.channels == 1 else "stereo"
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate, frame_size=1152)
    packets = 0
    with av.open(out, "w", format="mp3" if audio_format == "mp3" else "ipod") as container:
        stream = container.add_stream("libmp3lame" if audio_format == "mp3" else "aac", rate=rate)
        stream.codec_context.layout = layout
        stream.codec_context.format = "fltp"
        stream.codec_context.bit_rate = BITRATE[layout]
        stream.codec_context.time_base = Fraction(1, rate)
        for frame in chain(source.decode(sound), (None,)):
            for resampled in resampler.resample(frame):
                for packet in stream.encode(resampled):
                    container.mux(packet)
                    packets += 1
        for packet in stream.encode(None):
            container.mux(packet)
            packets += 1
    return packets


def make_and_measure(
    make: Callable[[BinaryIO], Verified | None], out: BinaryIO
) -> tuple[Verified | None, int, str]:
    """Make a file; (its description or None when not made, its bytes, its SHA-256 in hex)."""
    verified = make(out)
    return verified, out.seek(0, os.SEEK_END), digest(out)
