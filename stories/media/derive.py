"""What we make from a verified file: a poster, the sound alone, a JPEG from another picture.

Each function reads one seekable file and writes another; both stay open and belong to the caller.
Synchronous, and safe in several threads at once. Raises MediaCorrupt or TooLarge, nothing else
of a decoder's. Metadata is left behind: what we make carries no place, camera or name.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, Literal

from stories.errors import MediaCorrupt
from stories.media.decoders import (
    JPEG,
    check_pixels,
    image_of,
    load_pillow,
    open_movie,
    open_picture,
    orientation,
    prepare,
    read_form,
    upright,
)
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

# Many clips fade in from black. Look at every fifth frame of the first ones for a bright one.
DARK = 24  # mean luma, 0-255
FRAMES_LOOKED_AT = 60
LOOK_EVERY = 5


def poster(file: BinaryIO, content_type: str, out: BinaryIO) -> Verified:
    """Write a small upright JPEG, at most 360 pixels wide, that stands for the file.

    content_type: as verified. A video gives its first frame that is not black.
    """
    form = read_form(file)
    if content_type.startswith("video/"):
        with open_movie(file, form) as movie:
            image = _frame(movie)
            image.thumbnail((POSTER_WIDTH, POSTER_HEIGHT))
            return _save(image, out, POSTER_QUALITY)
    with open_picture(file, form) as image:
        if form is JPEG:
            # Decodes at a half, a quarter or an eighth of the size, whatever is still enough;
            # square, because a turned picture has its width where the height was.
            image.draft("RGB", (POSTER_WIDTH, POSTER_WIDTH))
        image.load()
        shown = _flat(_turned(image))
        # Shrinking costs more than decoding does: halved first where that leaves enough, then with
        # the filter that looks at half as many pixels.
        shown.thumbnail(
            (POSTER_WIDTH, POSTER_HEIGHT), load_pillow().Resampling.HAMMING, reducing_gap=1.5
        )
        return _save(shown, out, POSTER_QUALITY)


def as_jpeg(file: BinaryIO, out: BinaryIO) -> Verified:
    """Write the picture as an upright JPEG of the same size, transparency on white.

    An animation gives its first frame.
    """
    with open_picture(file, read_form(file)) as image:
        image.load()
        return _save(_flat(_turned(image)), out, JPEG_QUALITY)


def audio_track(
    file: BinaryIO, out: BinaryIO, form: Literal["m4a", "mp3"] = "m4a"
) -> Verified | None:
    """Write the sound of a video or song alone; None when it has none.

    "m4a" copies AAC as it is, "mp3" encodes.
    """
    with open_movie(file, read_form(file)) as movie:
        sounds = [stream for stream in movie.streams.audio if stream.codec_context is not None]
        if not sounds:
            return None
        copied = form == "m4a" and sounds[0].codec_context.name == "aac"
        written = _copy(movie, sounds[0], out) if copied else _encode(movie, sounds[0], out, form)
    if not written:
        return None
    return verify(out, MediaKind.SONG)


# --- pictures -----------------------------------------------------------------------------------


def _frame(movie: av.container.InputContainer) -> Image.Image:
    """The first frame that is not black, made small at once; the first one when all are."""
    if not movie.streams.video:
        raise MediaCorrupt("no video track in it")
    stream = movie.streams.video[0]
    prepare(stream.codec_context)
    check_pixels(stream.width, stream.height, 16_384)
    first: av.VideoFrame | None = None
    for number, frame in enumerate(movie.decode(stream)):
        if number == 0:
            first = frame
        if number % LOOK_EVERY == 0 and _luma(frame) >= DARK:
            return _small(frame)
        if number >= FRAMES_LOOKED_AT:
            break
    if first is None:
        raise MediaCorrupt("no frame decodes")
    return _small(first)


def _luma(frame: av.VideoFrame) -> float:
    tiny = bytes(frame.reformat(width=32, height=32, format="gray").planes[0])
    return sum(tiny) / len(tiny)


def _small(frame: av.VideoFrame) -> Image.Image:
    side = frame.height if frame.rotation % 180 else frame.width
    share = min(1.0, POSTER_WIDTH / side)
    width, height = (max(2, round(length * share)) for length in (frame.width, frame.height))
    small = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
    return upright(frame, image_of(small))


def _turned(image: Image.Image) -> Image.Image:
    """Upright, by the EXIF orientation: 2 to 8 are these turns, in this order."""
    turns = load_pillow().Transpose
    how = (
        turns.FLIP_LEFT_RIGHT,
        turns.ROTATE_180,
        turns.FLIP_TOP_BOTTOM,
        turns.TRANSPOSE,
        turns.ROTATE_270,
        turns.TRANSVERSE,
        turns.ROTATE_90,
    )
    number = orientation(image)
    return image if number == 1 else image.transpose(how[number - 2])


def _flat(image: Image.Image) -> Image.Image:
    """RGB without transparency."""
    if image.mode == "RGB":
        return image
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        ground: Image.Image = load_pillow().new("RGB", layer.size, "#ffffff")
        ground.paste(layer, mask=layer.getchannel("A"))
        return ground
    return image.convert("RGB")


def _save(image: Image.Image, out: BinaryIO, quality: int) -> Verified:
    """Write a plain JPEG: no EXIF, no comment; the colour profile stays, it decides the colours."""
    profile = image.info.get("icc_profile")
    image.info = {}
    image.save(out, "JPEG", quality=quality, optimize=True, icc_profile=profile)
    return Verified(
        content_type=JPEG.content_type, suffix=JPEG.suffix, width=image.width, height=image.height
    )


# --- sound --------------------------------------------------------------------------------------


def _copy(movie: av.container.InputContainer, sound: av.AudioStream, out: BinaryIO) -> int:
    import av

    packets = 0
    with av.open(out, "w", format="ipod") as container:
        stream = container.add_stream_from_template(sound)
        for packet in movie.demux(sound):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
                packets += 1
    return packets


def _encode(
    movie: av.container.InputContainer,
    sound: av.AudioStream,
    out: BinaryIO,
    form: Literal["m4a", "mp3"],
) -> int:
    import av

    prepare(sound.codec_context)
    rate = sound.rate if sound.rate in {32000, 44100, 48000} else 44100
    layout = "mono" if sound.channels == 1 else "stereo"
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate, frame_size=1152)
    packets = 0
    with av.open(out, "w", format="mp3" if form == "mp3" else "ipod") as container:
        stream = container.add_stream("libmp3lame" if form == "mp3" else "aac", rate=rate)
        stream.codec_context.layout = layout
        stream.codec_context.format = "fltp"
        stream.codec_context.bit_rate = BITRATE[layout]
        stream.codec_context.time_base = Fraction(1, rate)
        for frame in chain(movie.decode(sound), (None,)):
            for even in resampler.resample(frame):
                for packet in stream.encode(even):
                    container.mux(packet)
                    packets += 1
        for packet in stream.encode(None):
            container.mux(packet)
            packets += 1
    return packets
