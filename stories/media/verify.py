"""Verification of media: real decoders have to agree that the bytes are what was promised.

A video passes when its box structure is whole, every packet its index promises is there and made
of whole NAL units without a hole, its first picture and its last key frame up to the end decode,
its sound decodes at both ends, and it is not clearly shorter than announced. A song passes when all
its packets are there, one behind the other, and both ends decode. Pictures: pictures.py.

Synchronous, and safe in several threads at once; run it off the event loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, cast

from stories.errors import MediaCorrupt, TooLarge, Unplayable
from stories.media import mp3_frames
from stories.media.decoders import (
    EMPTY,
    M4A,
    MAX_VIDEO_SIDE,
    MP3,
    TEXT,
    WEBM,
    FileFormat,
    check_dimensions,
    configure_decoder,
    open_container,
    sniff_file,
)
from stories.media.parameter_sets import is_parameter_set, nal_prefix, parameter_sets
from stories.media.pictures import verify_picture
from stories.media.playback import CORRECTED_ENTRIES, VideoFacts, playability
from stories.structures import MediaKind, Verified

if TYPE_CHECKING:
    import av
    import av.container

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


def verify(file: BinaryIO, kind: MediaKind, *, announced_s: float | None = None) -> Verified:
    """Decode a file of the promised kind and describe it.

    file: seekable; read from its start, position afterwards undefined. announced_s: the duration
    the listing gave. Raises MediaCorrupt (not what was promised, broken, cut), Unplayable (a video
    of a codec that we do not open) or TooLarge (dimensions or an index that would fill the memory);
    nothing else.
    """
    file_format = sniff_file(file)
    if file_format in {EMPTY, TEXT}:
        raise MediaCorrupt(f"{file_format.description} instead of a {kind.value}")
    if kind is MediaKind.PICTURE:
        return verify_picture(file, file_format)
    if kind is MediaKind.VIDEO:
        return _verify_video(file, file_format, announced_s)
    return _verify_song(file, file_format, announced_s)


# --- video --------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Track:
    """Packets of one stream that were demuxed so far.

    codec: of video, "h264" or "hevc". nal_prefix: bytes of the length in front of each NAL unit; 0
    when the stream has none. listed_sets: parameter sets in the file's head, None when nobody needs
    to know; own_sets: others were met between the pictures. packets: their number. head: of sound,
    the first SOUND_PACKETS. tail: the last packets, of video those from its last key frame on.
    starts, ends: in the stream's time base.
    """

    stream: av.VideoStream | av.AudioStream
    codec: str = ""
    nal_prefix: int = 0
    listed_sets: frozenset[bytes] | None = None
    own_sets: bool = False
    packets: int = 0
    first: av.Packet | None = None  # type: ignore[type-arg]  # generic in the stub only
    head: list[av.Packet] = field(default_factory=list)  # type: ignore[type-arg]
    tail: deque[av.Packet] = field(default_factory=deque)  # type: ignore[type-arg]
    tail_bytes: int = 0
    starts: int | None = None
    ends: int = 0

    @property
    def demuxed_s(self) -> float:
        """Seconds from the first packet's start to the last one's end."""
        if self.starts is None or not self.stream.time_base:
            return 0.0
        return float((self.ends - self.starts) * self.stream.time_base)


def _verify_video(file: BinaryIO, file_format: FileFormat, announced_s: float | None) -> Verified:
    if file_format is WEBM:
        raise Unplayable(f"{file_format.description}, which phones do not open")
    if file_format.family != "mp4":
        raise MediaCorrupt(f"{file_format.description} instead of a video")
    trimmed = _trimmed_durations(file, file_format)
    # FFmpeg leaves out packets that an edit list does not play, which looks like missing ones.
    with open_container(file, file_format, untrimmed=True) as container:
        stream, codec = _video_stream(container)
        context = stream.codec_context
        check_dimensions(stream.width, stream.height, MAX_VIDEO_SIDE)
        track = _Track(stream, codec, nal_prefix(codec, context.extradata))
        if context.codec_tag in CORRECTED_ENTRIES:
            track.listed_sets = parameter_sets(codec, context.extradata)
        tracks = [track]
        streams = [other for other in container.streams.audio if other.codec_context is not None]
        if streams:
            tracks.append(_Track(streams[0]))
        _demux(container, tracks)
        duration_s = _check_duration(container, tracks[0], trimmed, announced_s)
        configure_decoder(context, for_display=False)
        frame = _decode_video_ends(tracks[0])
        for sound in tracks[1:]:
            _decode_sound_ends(sound)
        width, height = frame.width, frame.height
        if frame.rotation % 180:
            width, height = height, width
        has_audio = len(tracks) > 1 and tracks[1].packets > 0
        facts = VideoFacts(
            codec=codec,
            pixel_format=context.pix_fmt or "",
            sample_entry=context.codec_tag,
            sound=streams[0].codec_context.name if has_audio else None,
        )
        return Verified(
            content_type=file_format.content_type,
            suffix=".mp4",
            width=width,
            height=height,
            duration_s=duration_s,
            has_audio=has_audio,
            codec=codec,
            playability=playability(facts),
            sample_entry=context.codec_tag,
            mislabelled=track.listed_sets is not None and not track.own_sets,
        )


def _video_stream(container: av.container.InputContainer) -> tuple[av.VideoStream, str]:
    """The first video stream of a codec we open, and that codec; no cover picture.

    Raises MediaCorrupt where there is no video, Unplayable where it is of other codecs.
    """
    import av.stream

    others = []
    for stream in container.streams.video:
        if stream.disposition & av.stream.Disposition.attached_pic:
            continue
        name = stream.codec_context.name if stream.codec_context is not None else "unknown"
        if name in CODECS:
            return stream, CODECS[name]
        others.append(name)
    if others:
        raise Unplayable(f"{', '.join(others[:3])} video, which we do not open")
    raise MediaCorrupt("no video track in it")


def _demux(container: av.container.InputContainer, tracks: list[_Track]) -> None:
    """Read every packet of the tracks; raises when one is missing, cut short or too large."""
    by_index = {track.stream.index: track for track in tracks}
    for track in tracks:
        for size_bytes in _listed_packet_sizes(track):
            if size_bytes > MAX_PACKET_BYTES:
                raise TooLarge(f"a single packet of {size_bytes} bytes")
    for packet in container.demux([track.stream for track in tracks]):
        if packet.size == 0:
            continue  # the marker at the end of each stream
        track = by_index[packet.stream_index]
        if packet.is_corrupt:
            raise MediaCorrupt(f"packet {track.packets + 1} is cut short")
        _record_packet(track, packet)
    for track in tracks:
        promised = track.stream.frames
        if track.packets == 0 and (track.stream.type == "video" or promised):
            raise MediaCorrupt(f"an empty {track.stream.type} track")
        if promised and track.packets != promised:
            raise MediaCorrupt(
                f"{track.packets} of {promised} {track.stream.type} packets are there"
            )


def _listed_packet_sizes(track: _Track) -> Iterator[int]:
    return (entry.size for entry in track.stream.index_entries)


def _record_packet(track: _Track, packet: av.Packet) -> None:  # type: ignore[type-arg]
    """Check a packet's data and count it in; keep it when it is one to decode."""
    video = track.stream.type == "video"
    data = bytes(packet)
    if track.nal_prefix:
        _check_nal_units(data, track)
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


def _check_nal_units(data: bytes, track: _Track) -> None:
    """Raise MediaCorrupt unless NAL units, each behind its length, fill a packet exactly.

    Finds what neither FFmpeg's demuxer nor a decoded first frame sees: a hole of zeros, or another
    file's bytes, somewhere in the middle. Notes parameter sets that the file's head does not have.
    """
    at, end, prefix, number = 0, len(data), track.nal_prefix, track.packets + 1
    while at < end:
        length = int.from_bytes(data[at : at + prefix])
        at += prefix
        if length == 0 or at + length > end or data[at] & 0x80:
            raise MediaCorrupt(f"broken data in video packet {number}")
        if track.listed_sets is not None and is_parameter_set(track.codec, data[at]):
            track.own_sets |= data[at : at + length] not in track.listed_sets
        at += length
    if HOLE in data:
        raise MediaCorrupt(f"a hole of zeros in video packet {number}")


@dataclass(frozen=True, slots=True)
class _Durations:
    """Listed durations in seconds, of a file and of its streams by index; 0 when not listed."""

    file_s: float
    streams_s: dict[int, float]


def _trimmed_durations(file: BinaryIO, file_format: FileFormat) -> _Durations:
    """The durations that are played: less than is in the file where an edit list trims it."""
    with open_container(file, file_format) as container:
        return _listed_durations(container)


def _listed_durations(container: av.container.InputContainer) -> _Durations:
    return _Durations(
        file_s=(container.duration or 0) / 1_000_000,
        streams_s={
            stream.index: float(stream.duration * stream.time_base)
            for stream in container.streams
            if stream.duration and stream.time_base
        },
    )


def _check_duration(
    container: av.container.InputContainer,
    track: _Track,
    trimmed: _Durations,
    announced_s: float | None,
) -> float:
    """The duration that is played, in seconds.

    Raises MediaCorrupt when the track ends clearly before its listed or announced duration, and
    TooLarge above MAX_DURATION_S.
    """
    listed, index = _listed_durations(container), track.stream.index
    listed_s = listed.streams_s.get(index, 0.0)
    played_s = track.demuxed_s - max(listed_s - trimmed.streams_s.get(index, listed_s), 0.0)
    for promised_s, found_s in ((listed_s, track.demuxed_s), (float(announced_s or 0.0), played_s)):
        # Announced durations are whole seconds, and a sound track may be the longer one.
        if promised_s - found_s > max(1.5, promised_s * 0.1):
            raise MediaCorrupt(f"it ends after {found_s:.1f} s of {promised_s:.1f} s")
    trimmed_s = max(listed.file_s - trimmed.file_s, 0.0) if trimmed.file_s else 0.0
    duration_s = max(track.demuxed_s - trimmed_s, trimmed.file_s)
    if duration_s > MAX_DURATION_S:
        raise TooLarge(f"it claims to play for {duration_s:.0f} s")
    return round(duration_s, 3)


def _decode_video_ends(track: _Track) -> av.VideoFrame:
    """Decode the first frame, and from the last key frame to the end; return the first frame."""
    context = track.stream.codec_context
    assert track.first is not None  # noqa: S101 - an empty track was refused while demuxing
    first = _first_decoded(track, [track.first], "first")
    context.flush_buffers()
    if track.tail[0] is not track.first or len(track.tail) > 1:
        whole = len(track.tail) < TAIL_PACKETS and track.tail_bytes < TAIL_BYTES
        _first_decoded(track, list(track.tail) if whole else [track.tail[0]], "last")
    return first


def _first_decoded(track: _Track, packets: list[av.Packet], which: str) -> av.VideoFrame:  # type: ignore[type-arg]
    """Decode packets to the end and return the first frame. which: of the ends, for the error."""
    context = cast("av.VideoCodecContext", track.stream.codec_context)
    first: av.VideoFrame | None = None
    for packet in [*packets, None]:
        for frame in context.decode(packet):
            if frame.is_corrupt:
                raise MediaCorrupt(f"the {which} frame does not decode")
            first = first or frame
    if first is None:
        raise MediaCorrupt(f"the {which} frame does not decode")
    return first


def _decode_sound_ends(track: _Track) -> None:
    """Decode the first and last few packets of a sound track."""
    context = track.stream.codec_context
    if not track.head:
        return
    configure_decoder(context)
    frames = sum(len(context.decode(packet)) for packet in track.head)
    for packet in [*track.tail, None] if track.packets > SOUND_PACKETS else [None]:
        frames += len(context.decode(packet))
    if not frames:
        raise MediaCorrupt("the sound does not decode")


# --- songs --------------------------------------------------------------------------------------


def _verify_song(file: BinaryIO, file_format: FileFormat, announced_s: float | None) -> Verified:
    if file_format.family not in {"mp4", "mp3"}:
        raise MediaCorrupt(f"{file_format.description} instead of a song")
    trimmed = _trimmed_durations(file, file_format)
    with open_container(file, file_format, untrimmed=True) as container:
        streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
        if not streams:
            raise MediaCorrupt("no sound in it")
        context = streams[0].codec_context
        name = "mp3" if context.name.startswith("mp3") else context.name
        if name not in {"mp3", "aac"}:
            raise MediaCorrupt(f"{name} sound, which we do not open")
        track = _Track(streams[0])
        _demux(container, [track])
        duration_s = _check_duration(container, track, trimmed, announced_s)
        _decode_sound_ends(track)
        if file_format is MP3 and (first := track.head[0].pos) is not None:
            file.seek(0)
            if (gap := mp3_frames.find_gap(file.read(), first)) is not None:
                raise MediaCorrupt(f"something else than sound at byte {gap}")
    song_format = MP3 if file_format is MP3 else M4A
    return Verified(
        content_type=song_format.content_type,
        suffix=song_format.suffix,
        duration_s=duration_s,
        has_audio=True,
        codec=name,
    )
