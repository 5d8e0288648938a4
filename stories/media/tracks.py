"""The packets of one stream of a video or song: demuxed, counted, checked, the ends kept to decode.

A track is whole when each packet its index promises is there, none has a hole, those of video are
made of whole NAL units, and it lasts about as long as the index and the listing say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from stories.errors import MediaCorrupt, TooLarge
from stories.media.decoders import FileFormat, open_container
from stories.media.nal_units import nal_units, refuse_foreign_bytes, refuse_hole
from stories.media.parameter_sets import is_parameter_set, is_picture_data

if TYPE_CHECKING:
    import av
    import av.container

MAX_DURATION_S = 4 * 3600
MAX_PACKET_BYTES = 32 * 1024 * 1024
TAIL_BYTES = 24 * 1024 * 1024
SOUND_PACKETS = 8  # at either end


@dataclass(slots=True)
class Track:
    """Packets of one stream that were demuxed so far.

    codec: of video, "h264" or "hevc". nal_prefix: bytes of the length in front of each NAL unit; 0
    when the stream has none. listed_sets: parameter sets in the file's head, None when nobody needs
    to know; own_sets: others were met between the pictures. packets: their number. head: of sound,
    the first SOUND_PACKETS. tail: of sound, the last packets; of video, the last key frame and
    what follows, max_tail packets at most but always that key frame. starts, ends: in the stream's
    time base.
    """

    stream: av.VideoStream | av.AudioStream
    codec: str = ""
    nal_prefix: int = 0
    max_tail: int = SOUND_PACKETS
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


def demux(container: av.container.InputContainer, tracks: list[Track]) -> None:
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


def _listed_packet_sizes(track: Track) -> Iterator[int]:
    return (entry.size for entry in track.stream.index_entries)


def _record_packet(track: Track, packet: av.Packet) -> None:  # type: ignore[type-arg]
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
            len(track.tail) < track.max_tail and track.tail_bytes + len(data) < TAIL_BYTES
        ):
            track.tail.append(packet)
            track.tail_bytes += len(data)
    else:
        if len(track.head) < SOUND_PACKETS:
            track.head.append(packet)
        track.tail.append(packet)
        if len(track.tail) > SOUND_PACKETS:
            track.tail.popleft()


def _check_nal_units(data: bytes, track: Track) -> None:
    """Raise MediaCorrupt unless a packet is made of whole NAL units, of what encoders write.

    Notes parameter sets that the file's head does not have.
    """
    number = track.packets + 1
    for start, end in nal_units(data, track.nal_prefix, number):
        if is_picture_data(track.codec, data[start]):
            refuse_foreign_bytes(data, start, end, number)
        elif track.listed_sets is not None and is_parameter_set(track.codec, data[start]):
            track.own_sets |= data[start:end] not in track.listed_sets
    refuse_hole(data, number)


@dataclass(frozen=True, slots=True)
class Durations:
    """Listed durations in seconds, of a file and of its streams by index; 0 when not listed."""

    file_s: float
    streams_s: dict[int, float]


def trimmed_durations(file: BinaryIO, file_format: FileFormat) -> Durations:
    """The durations that are played: less than is in the file where an edit list trims it."""
    with open_container(file, file_format) as container:
        return _listed_durations(container)


def _listed_durations(container: av.container.InputContainer) -> Durations:
    return Durations(
        file_s=(container.duration or 0) / 1_000_000,
        streams_s={
            stream.index: float(stream.duration * stream.time_base)
            for stream in container.streams
            if stream.duration and stream.time_base
        },
    )


def check_duration(
    container: av.container.InputContainer,
    track: Track,
    trimmed: Durations,
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
