"""Are these bytes the picture, video or song we were promised? Real decoders have to agree.

A video passes when its box structure is whole, every packet its index promises is there and made
of whole NAL units without a hole, its first picture and its last key frame up to the end decode,
its sound decodes at both ends, and it is not clearly shorter than announced. A picture passes when
all of it decodes, a JPEG without a hole. A song passes when all its packets are there and both ends
decode.

Synchronous, and safe in several threads at once; run it off the event loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, cast

from stories.errors import MediaCorrupt, TooLarge
from stories.media import jpeg_holes
from stories.media.decoders import (
    EMPTY,
    HEIC,
    JPEG,
    M4A,
    MAX_VIDEO_SIDE,
    MP3,
    TEXT,
    Form,
    check_pixels,
    open_movie,
    open_picture,
    orientation,
    prepare,
    read_form,
)
from stories.structures import MediaKind, Verified

if TYPE_CHECKING:
    import av
    import av.container
    from PIL import Image

CODECS = {"h264": "h264", "hevc": "hevc"}

MAX_DURATION_S = 4 * 3600
MAX_PACKET_BYTES = 32 * 1024 * 1024
# From the last key frame to the end: more than this is not kept, and only that key frame decoded.
TAIL_PACKETS = 120
TAIL_BYTES = 24 * 1024 * 1024
SOUND_PACKETS = 8  # at either end
# Emulation prevention keeps three zero bytes out of a NAL unit; a run this long is a hole in the
# file, with room for the odd writer that pads its units.
HOLE = bytes(64)
# Above this a JPEG is decoded at reduced size. All of its data is read and decoded all the same,
# only fewer pixels are computed from it: under half the time, and a sixteenth of the memory.
FULL_PIXELS = 1_000_000
ANIMATION_PIXELS = 120_000_000


def verify(file: BinaryIO, kind: MediaKind, *, announced_s: float | None = None) -> Verified:
    """Open what arrived and say what it is.

    file: seekable; read from its start, position afterwards undefined. announced_s: the duration
    the listing gave. Raises MediaCorrupt (not what was promised, broken, cut) or TooLarge
    (dimensions or an index that would fill the memory); nothing else.
    """
    form = read_form(file)
    if form in {EMPTY, TEXT}:
        raise MediaCorrupt(f"{form.name} instead of a {kind.value}")
    if kind is MediaKind.PICTURE:
        return _picture(file, form)
    if kind is MediaKind.VIDEO:
        return _video(file, form, announced_s)
    return _song(file, form, announced_s)


# --- pictures -----------------------------------------------------------------------------------


def _picture(file: BinaryIO, form: Form) -> Verified:
    if form.family != "picture":
        raise MediaCorrupt(f"{form.name} instead of a picture")
    if form is not HEIC:
        with open_picture(file, form) as image:
            image.verify()  # checksums, where the format has them; the image is spent afterwards
    with open_picture(file, form) as image:
        width, height = image.size
        if form is JPEG and width * height > FULL_PIXELS:
            image.draft(None, (width // 4, height // 4))
        image.load()
        turned = orientation(image) >= 5  # on its side
        _further_frames(image)
    if form is JPEG:
        file.seek(0)
        if (place := jpeg_holes.hole(file.read())) is not None:
            raise MediaCorrupt(f"a hole of zeros at byte {place}")
    if turned:
        width, height = height, width
    return Verified(content_type=form.content_type, suffix=form.suffix, width=width, height=height)


def _further_frames(image: Image.Image) -> None:
    """Decode an animation too, as far as a sane one goes."""
    count = getattr(image, "n_frames", 1)
    budget = ANIMATION_PIXELS // (image.width * image.height)
    for number in range(1, min(count, budget)):
        image.seek(number)
        image.load()


# --- video --------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Track:
    """What went by of one stream. tail: its last packets, from the last key frame for video."""

    stream: av.VideoStream | av.AudioStream
    nal_prefix: int = 0  # bytes of the length in front of each NAL unit; 0 when it has none
    packets: int = 0
    first: av.Packet | None = None  # type: ignore[type-arg]  # generic in the stub only
    head: list[av.Packet] = field(default_factory=list)  # type: ignore[type-arg]
    tail: deque[av.Packet] = field(default_factory=deque)  # type: ignore[type-arg]
    tail_bytes: int = 0
    starts: int | None = None
    ends: int = 0

    @property
    def seen_s(self) -> float:
        if self.starts is None or not self.stream.time_base:
            return 0.0
        return float((self.ends - self.starts) * self.stream.time_base)


def _video(file: BinaryIO, form: Form, announced_s: float | None) -> Verified:
    if form.family != "mp4":
        raise MediaCorrupt(f"{form.name} instead of a video")
    played = _played(file, form)
    # FFmpeg leaves out packets that an edit list does not play, which looks like missing ones.
    with open_movie(file, form, untrimmed=True) as movie:
        stream = _picture_stream(movie)
        context = stream.codec_context
        codec = CODECS.get(context.name)
        if codec is None:
            raise MediaCorrupt(f"{context.name} video, which we do not open")
        check_pixels(stream.width, stream.height, MAX_VIDEO_SIDE)
        sound = movie.streams.audio[0] if movie.streams.audio else None
        tracks = [_Track(stream, nal_prefix=_nal_prefix(codec, context.extradata))]
        if sound is not None and sound.codec_context is not None:
            tracks.append(_Track(sound))
        _demux(movie, tracks)
        duration_s = _duration(movie, tracks[0], played, announced_s)
        prepare(context, to_look_at=False)
        shown = _first_and_last(tracks[0])
        for track in tracks[1:]:
            _both_ends(track)
        width, height = shown.width, shown.height
        if shown.rotation % 180:
            width, height = height, width
        return Verified(
            content_type=form.content_type,
            suffix=".mp4",
            width=width,
            height=height,
            duration_s=duration_s,
            has_audio=len(tracks) > 1 and tracks[1].packets > 0,
            codec=codec,
        )


def _picture_stream(movie: av.container.InputContainer) -> av.VideoStream:
    import av.stream

    for stream in movie.streams.video:
        if stream.codec_context is not None and not (
            stream.disposition & av.stream.Disposition.attached_pic
        ):
            return stream
    raise MediaCorrupt("no video track in it")


def _nal_prefix(codec: str, extradata: bytes | None) -> int:
    """How many bytes give a NAL unit's length, by the avcC or hvcC record."""
    at = 4 if codec == "h264" else 21
    if not extradata or len(extradata) <= at or extradata[0] != 1:
        return 0
    return (extradata[at] & 3) + 1


def _demux(movie: av.container.InputContainer, tracks: list[_Track]) -> None:
    by_index = {track.stream.index: track for track in tracks}
    for track in tracks:
        for entry in _entries(track):
            if entry > MAX_PACKET_BYTES:
                raise TooLarge(f"a single packet of {entry} bytes")
    for packet in movie.demux([track.stream for track in tracks]):
        if packet.size == 0:
            continue  # the marker at the end of each stream
        track = by_index[packet.stream_index]
        if packet.is_corrupt:
            raise MediaCorrupt(f"packet {track.packets + 1} is cut short")
        _take(track, packet)
    for track in tracks:
        promised = track.stream.frames
        if track.packets == 0 and (track.stream.type == "video" or promised):
            raise MediaCorrupt(f"an empty {track.stream.type} track")
        if promised and track.packets != promised:
            raise MediaCorrupt(
                f"{track.packets} of {promised} {track.stream.type} packets are there"
            )


def _entries(track: _Track) -> Iterator[int]:
    return (entry.size for entry in track.stream.index_entries)


def _take(track: _Track, packet: av.Packet) -> None:  # type: ignore[type-arg]
    video = track.stream.type == "video"
    data = bytes(packet)
    if track.nal_prefix:
        _check_units(data, track.nal_prefix, track.packets + 1)
    elif data.count(0) == len(data):
        raise MediaCorrupt(f"a hole of zeros at {track.stream.type} packet {track.packets + 1}")
    track.packets += 1
    if packet.pts is not None:
        track.starts = packet.pts if track.starts is None else min(track.starts, packet.pts)
        track.ends = max(track.ends, packet.pts + (packet.duration or 0))
    if video:
        if track.first is None:
            track.first = packet
        if packet.is_keyframe:
            track.tail.clear()
            track.tail_bytes = 0
        if not track.tail or (
            len(track.tail) < TAIL_PACKETS and track.tail_bytes + len(data) < TAIL_BYTES
        ):
            track.tail.append(packet)
            track.tail_bytes += len(data)
    else:
        if len(track.head) < SOUND_PACKETS:
            track.head.append(packet)
        track.tail.append(packet)
        if len(track.tail) > SOUND_PACKETS:
            track.tail.popleft()


def _check_units(data: bytes, prefix: int, number: int) -> None:
    """A packet is a row of NAL units, each behind its length; they must fill it exactly.

    Finds what neither FFmpeg's demuxer nor a decoded first frame sees: a hole of zeros, or
    another file's bytes, somewhere in the middle.
    """
    at, end = 0, len(data)
    while at < end:
        length = int.from_bytes(data[at : at + prefix])
        at += prefix
        if length == 0 or at + length > end or data[at] & 0x80:
            raise MediaCorrupt(f"broken data in video packet {number}")
        at += length
    if HOLE in data:
        raise MediaCorrupt(f"a hole of zeros in video packet {number}")


@dataclass(frozen=True, slots=True)
class _Played:
    """Seconds a file and each of its streams play, less than is in them where they are trimmed."""

    whole: float
    streams: dict[int, float]


def _played(file: BinaryIO, form: Form) -> _Played:
    with open_movie(file, form) as movie:
        return _told(movie)


def _told(movie: av.container.InputContainer) -> _Played:
    return _Played(
        whole=(movie.duration or 0) / 1_000_000,
        streams={
            stream.index: float(stream.duration * stream.time_base)
            for stream in movie.streams
            if stream.duration and stream.time_base
        },
    )


def _duration(
    movie: av.container.InputContainer, track: _Track, played: _Played, announced_s: float | None
) -> float:
    """How long it plays; refuses what is clearly shorter than promised."""
    told, index = _told(movie), track.stream.index
    in_it_s = told.streams.get(index, 0.0)
    plays_s = track.seen_s - max(in_it_s - played.streams.get(index, in_it_s), 0.0)
    for promised_s, seen_s in ((in_it_s, track.seen_s), (float(announced_s or 0.0), plays_s)):
        # Announced durations are whole seconds, and a sound track may be the longer one.
        if promised_s - seen_s > max(1.5, promised_s * 0.1):
            raise MediaCorrupt(f"it ends after {seen_s:.1f} s of {promised_s:.1f} s")
    trimmed_s = max(told.whole - played.whole, 0.0) if played.whole else 0.0
    duration_s = max(track.seen_s - trimmed_s, played.whole)
    if duration_s > MAX_DURATION_S:
        raise TooLarge(f"it claims to play for {duration_s:.0f} s")
    return round(duration_s, 3)


def _first_and_last(track: _Track) -> av.VideoFrame:
    """Decode the first picture, and from the last key frame to the end; give the first back."""
    context = track.stream.codec_context
    assert track.first is not None  # noqa: S101 - an empty track was refused while demuxing
    first = _decoded(track, [track.first], "first")
    context.flush_buffers()
    if track.tail[0] is not track.first or len(track.tail) > 1:
        whole = len(track.tail) < TAIL_PACKETS and track.tail_bytes < TAIL_BYTES
        _decoded(track, list(track.tail) if whole else [track.tail[0]], "last")
    return first


def _decoded(track: _Track, packets: list[av.Packet], which: str) -> av.VideoFrame:  # type: ignore[type-arg]
    """Decode these packets to the end; the first frame that comes out."""
    context = cast("av.VideoCodecContext", track.stream.codec_context)
    kept: av.VideoFrame | None = None
    for packet in [*packets, None]:
        for frame in context.decode(packet):
            if frame.is_corrupt:
                raise MediaCorrupt(f"the {which} frame does not decode")
            kept = kept or frame
    if kept is None:
        raise MediaCorrupt(f"the {which} frame does not decode")
    return kept


def _both_ends(track: _Track) -> None:
    """Decode the first and last few sound packets."""
    context = track.stream.codec_context
    if not track.head:
        return
    prepare(context)
    frames = sum(len(context.decode(packet)) for packet in track.head)
    for packet in [*track.tail, None] if track.packets > SOUND_PACKETS else [None]:
        frames += len(context.decode(packet))
    if not frames:
        raise MediaCorrupt("the sound does not decode")


# --- songs --------------------------------------------------------------------------------------


def _song(file: BinaryIO, form: Form, announced_s: float | None) -> Verified:
    if form.family not in {"mp4", "mp3"}:
        raise MediaCorrupt(f"{form.name} instead of a song")
    played = _played(file, form)
    with open_movie(file, form, untrimmed=True) as movie:
        sounds = [stream for stream in movie.streams.audio if stream.codec_context is not None]
        if not sounds:
            raise MediaCorrupt("no sound in it")
        context = sounds[0].codec_context
        name = "mp3" if context.name.startswith("mp3") else context.name
        if name not in {"mp3", "aac"}:
            raise MediaCorrupt(f"{name} sound, which we do not open")
        track = _Track(sounds[0])
        _demux(movie, [track])
        duration_s = _duration(movie, track, played, announced_s)
        _both_ends(track)
    shape = MP3 if form is MP3 else M4A
    return Verified(
        content_type=shape.content_type,
        suffix=shape.suffix,
        duration_s=duration_s,
        has_audio=True,
        codec=name,
    )
