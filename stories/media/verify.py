"""Verification of media: real decoders have to agree that the bytes are what was promised.

A video passes when its box structure is whole, every packet its index promises is there and made
of whole NAL units without a hole, its first picture and its last key frame with what follows
closely decode, its sound decodes at both ends, and it is not clearly shorter than announced. A song
passes when all its packets are there, one behind the other, and both ends decode. Pictures:
pictures.py.

A file is opened twice, as FFmpeg tells its edit list apart only so, and nothing is decoded while
opening. Who wants a poster has it made of what the check decodes: posters.py.

Synchronous, and safe in several threads at once; run it off the event loop.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, cast

from stories.errors import MediaCorrupt, Unplayable
from stories.media import mp3_frames, posters
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
from stories.media.parameter_sets import nal_prefix, parameter_sets
from stories.media.pictures import examine_picture
from stories.media.playback import CORRECTED_ENTRIES, VideoFacts, playability
from stories.media.posters import Poster
from stories.media.tracks import (
    SOUND_PACKETS,
    Track,
    check_duration,
    demux,
    trimmed_durations,
)
from stories.structures import MediaKind, Verified

if TYPE_CHECKING:
    import av
    import av.container

CODECS = {"h264": "h264", "hevc": "hevc"}

# What is decoded from the last key frame on, which itself always is. Decoding costs by the pixel:
# these are two frames of 1080x1920, or seven of 576x1024.
TAIL_PIXELS = 4_200_000
TAIL_PACKETS = 120


@dataclass(frozen=True, slots=True)
class Examination:
    """A verified file, and the poster that was made on the way.

    poster: None where none was wanted, and where the first frame says too little.
    """

    verified: Verified
    poster: Poster | None = None


def verify(file: BinaryIO, kind: MediaKind, *, announced_s: float | None = None) -> Verified:
    """Decode a file of the promised kind and describe it: examine() without a poster."""
    return examine(file, kind, announced_s=announced_s).verified


def examine(
    file: BinaryIO,
    kind: MediaKind,
    *,
    announced_s: float | None = None,
    with_poster: bool = False,
) -> Examination:
    """Decode a file of the promised kind and describe it.

    file: seekable; read from its start, position afterwards undefined. announced_s: the duration
    the listing gave. with_poster: make one of what is decoded. Raises MediaCorrupt (not what was
    promised, broken, cut), Unplayable (a video of a codec that we do not open) or TooLarge
    (dimensions or an index that would fill the memory); nothing else.
    """
    file_format = sniff_file(file)
    if file_format in {EMPTY, TEXT}:
        raise MediaCorrupt(f"{file_format.description} instead of a {kind.value}")
    if kind is MediaKind.PICTURE:
        return Examination(*examine_picture(file, file_format, with_poster=with_poster))
    if kind is MediaKind.VIDEO:
        return _examine_video(file, file_format, announced_s, with_poster=with_poster)
    return Examination(_verify_song(file, file_format, announced_s))


# --- video --------------------------------------------------------------------------------------


@dataclass(slots=True)
class _FirstFrame:
    """Takes from the first frame what is needed of it, so that the frame itself need not be kept.

    width, height: pixels as shown; 0 before there was a frame. poster: as in Examination.
    """

    with_poster: bool
    width: int = 0
    height: int = 0
    poster: Poster | None = None

    def take(self, frame: av.VideoFrame) -> None:
        check_dimensions(frame.width, frame.height, MAX_VIDEO_SIDE)
        self.width, self.height = frame.width, frame.height
        if frame.rotation % 180:
            self.width, self.height = self.height, self.width
        if self.with_poster:
            self.poster = posters.if_possible(partial(posters.of_first_frame, frame))


def _examine_video(
    file: BinaryIO, file_format: FileFormat, announced_s: float | None, *, with_poster: bool
) -> Examination:
    if file_format is WEBM:
        raise Unplayable(f"{file_format.description}, which phones do not open")
    if file_format.family != "mp4":
        raise MediaCorrupt(f"{file_format.description} instead of a video")
    trimmed = trimmed_durations(file, file_format)
    # FFmpeg leaves out packets that an edit list does not play, which looks like missing ones.
    with open_container(file, file_format, untrimmed=True) as container:
        stream, codec = _video_stream(container)
        context = stream.codec_context
        check_dimensions(stream.width, stream.height, MAX_VIDEO_SIDE)
        track = Track(
            stream,
            codec,
            nal_prefix(codec, context.extradata),
            max_tail=min(TAIL_PIXELS // (stream.width * stream.height), TAIL_PACKETS),
        )
        if context.codec_tag in CORRECTED_ENTRIES:
            track.listed_sets = parameter_sets(codec, context.extradata)
        tracks = [track]
        streams = [other for other in container.streams.audio if other.codec_context is not None]
        if streams:
            tracks.append(Track(streams[0]))
        demux(container, tracks)
        duration_s = check_duration(container, tracks[0], trimmed, announced_s)
        configure_decoder(context, for_display=False)
        first = _FirstFrame(with_poster)
        _decode_video_ends(tracks[0], first)
        for sound in tracks[1:]:
            _decode_sound_ends(sound)
        has_audio = len(tracks) > 1 and tracks[1].packets > 0
        facts = VideoFacts(
            codec=codec,
            pixel_format=context.pix_fmt or "",
            sample_entry=context.codec_tag,
            sound=streams[0].codec_context.name if has_audio else None,
        )
        verified = Verified(
            content_type=file_format.content_type,
            suffix=".mp4",
            width=first.width,
            height=first.height,
            duration_s=duration_s,
            has_audio=has_audio,
            codec=codec,
            playability=playability(facts),
            sample_entry=context.codec_tag,
            mislabelled=track.listed_sets is not None and not track.own_sets,
        )
        return Examination(verified, first.poster)


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


def _decode_video_ends(track: Track, first: _FirstFrame) -> None:
    """Decode the first frame, and from the last key frame on; each packet once."""
    assert track.first is not None  # noqa: S101  # nosec B101  # an empty track was refused while demuxing
    if track.tail[0] is track.first:
        _decode(track, track.tail, first)
        return
    _decode(track, [track.first], first)
    track.stream.codec_context.flush_buffers()
    _decode(track, track.tail)


def _decode(
    track: Track,
    packets: Iterable[av.Packet],  # type: ignore[type-arg]
    first: _FirstFrame | None = None,
) -> None:
    """Decode packets to the end, and hand out the first frame; None: these are of the other end."""
    context = cast("av.VideoCodecContext", track.stream.codec_context)
    damage = MediaCorrupt(f"the {'last' if first is None else 'first'} frame does not decode")
    frames = 0
    for packet in chain(packets, (None,)):
        for frame in context.decode(packet):
            if frame.is_corrupt:
                raise damage
            if first is not None and not frames:
                first.take(frame)
            frames += 1
    if not frames:
        raise damage


def _decode_sound_ends(track: Track) -> None:
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
    trimmed = trimmed_durations(file, file_format)
    with open_container(file, file_format, untrimmed=True) as container:
        streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
        if not streams:
            raise MediaCorrupt("no sound in it")
        context = streams[0].codec_context
        name = "mp3" if context.name.startswith("mp3") else context.name
        if name not in {"mp3", "aac"}:
            raise MediaCorrupt(f"{name} sound, which we do not open")
        track = Track(streams[0])
        demux(container, [track])
        duration_s = check_duration(container, track, trimmed, announced_s)
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
