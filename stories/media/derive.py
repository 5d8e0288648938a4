"""Files derived from a verified one: a poster, the sound alone, a JPEG from another picture.

Each function reads one seekable file and writes another; both stay open and belong to the caller.
Synchronous, and safe in several threads at once. Raises MediaCorrupt or TooLarge, nothing else
of a decoder's. Metadata is left out: a derived file carries no place, camera or name. A JPEG made
from another picture keeps when it was taken, and its colour profile.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, Literal

from stories.media import picture_dates, posters
from stories.media.decoders import configure_decoder, open_container, open_picture, sniff_file
from stories.media.download import digest
from stories.media.jpeg_writing import save_jpeg, upright, without_alpha
from stories.media.posters import Poster
from stories.media.verify import verify
from stories.structures import MediaKind, Verified

if TYPE_CHECKING:
    import av
    import av.container

JPEG_QUALITY = 92
BITRATE = {"mono": 128_000, "stereo": 192_000}


def poster(
    file: BinaryIO, content_type: str, out: BinaryIO, *, made: Poster | None = None
) -> Verified:
    """Write a poster of a picture or video: a small upright JPEG, at most 360 pixels wide.

    content_type: as verified. made: the poster that the check of this file gave; without one the
    file is decoded again, and a video gives its first frame that is not black.
    """
    return (made or posters.of_file(file, content_type)).write(out)


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
        made = save_jpeg(without_alpha(upright(image)), out, JPEG_QUALITY, dates=dates)
        return replace(made, checked=checked)


def audio_track(
    file: BinaryIO, out: BinaryIO, audio_format: Literal["m4a", "mp3"] = "m4a"
) -> Verified | None:
    """Write the sound of a video or song alone; None when it has none.

    audio_format: "m4a" copies AAC as it is, "mp3" encodes.
    """
    with open_container(file, sniff_file(file), probed=True) as container:
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
