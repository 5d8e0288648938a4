"""Changes to a video file that leave every coded byte as it is: its sound added, its entry renamed.

Each result is verified like a download. Synchronous, and safe in several threads at once; run it
off the event loop. Raises MediaCorrupt, Unplayable or TooLarge, nothing else of a decoder's.
"""

from __future__ import annotations

import heapq
import io
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from stories.errors import MediaCorrupt, MediaError
from stories.media.decoders import MAX_INDEX_BYTES, open_container, sniff_file
from stories.media.playback import CORRECTED_ENTRIES
from stories.media.verify import verify
from stories.structures import MediaKind, Verified

if TYPE_CHECKING:
    import av
    import av.container
    import av.stream

# An index that comes first may be a little larger, never by as much as this.
_SPARE_INDEX_BYTES = 1024
_TO_ENTRIES = (b"trak", b"mdia", b"minf", b"stbl", b"stsd")
# Sound that ends sooner than the picture, by more than this or by more than this share.
_SHORTER_S, _SHORTER_SHARE = 1.5, 0.1


def join(
    video: BinaryIO,
    sound: BinaryIO,
    out: BinaryIO,
    *,
    seen: Verified,
    announced_s: float | None = None,
) -> Verified:
    """Write a video track and a sound track into one MP4, its index first; packets are copied.

    seen: the verified description of `video`. announced_s: as the listing gave it. Memory stays
    flat. Raises MediaCorrupt also where the sound ends clearly before the picture, and where the
    result does not verify.
    """
    heard = verify(sound, MediaKind.SONG)
    lasts_s, sounds_s = seen.duration_s or 0.0, heard.duration_s or 0.0
    if lasts_s - sounds_s > max(_SHORTER_S, lasts_s * _SHORTER_SHARE):
        raise MediaCorrupt(f"its sound ends after {sounds_s:.1f} s of {lasts_s:.1f} s")
    _mux(video, sound, out)
    joined = verify(out, MediaKind.VIDEO, announced_s=announced_s)
    if not joined.has_audio or (joined.width, joined.height) != (seen.width, seen.height):
        raise MediaCorrupt("sound and picture did not come together")
    return joined


class _Measure(io.RawIOBase):
    """A file that keeps nothing but its size, in bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.size_bytes = self._at = 0

    def write(self, data: Any) -> int:
        """Pretend to write."""
        length = len(data)
        self._at += length
        self.size_bytes = max(self.size_bytes, self._at)
        return length

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size_bytes}[whence]
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        """The offset."""
        return self._at

    def writable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True


def _mux(video: BinaryIO, sound: BinaryIO, out: BinaryIO) -> None:
    """Write both into `out`, the index first: players start before the end has arrived.

    Room is left for the index, so its size has to be known: all is written once to nowhere.
    """
    measure = _Measure()
    data_bytes = _write_packets(video, sound, cast("BinaryIO", measure), {})
    room = measure.size_bytes - data_bytes + _SPARE_INDEX_BYTES
    out.seek(0)
    out.truncate()
    if _write_packets(video, sound, out, {"moov_size": str(room)}) != data_bytes:
        raise MediaCorrupt("sound and picture did not come together")


def _write_packets(video: BinaryIO, sound: BinaryIO, out: BinaryIO, options: dict[str, str]) -> int:
    """Copy the packets of both into an MP4, in the order of their time; bytes of all of them."""
    import av

    with ExitStack() as files:
        sources = [
            files.enter_context(open_container(file, sniff_file(file), probed=True))
            for file in (video, sound)
        ]
        streams = [_picture_of(sources[0]), sources[1].streams.audio[0]]
        target = files.enter_context(av.open(out, "w", format="mp4", options=options))
        copies = [target.add_stream_from_template(stream) for stream in streams]
        copies[0].codec_context.codec_tag = streams[0].codec_context.codec_tag
        data_bytes = 0
        for _, number, _, packet in heapq.merge(
            *(
                _timed(source, stream, number)
                for number, (source, stream) in enumerate(zip(sources, streams, strict=True))
            )
        ):
            packet.stream = copies[number]
            data_bytes += packet.size
            target.mux(packet)
    return data_bytes


def _picture_of(source: av.container.InputContainer) -> av.VideoStream:
    from av.stream import Disposition

    for stream in source.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    raise MediaCorrupt("no video track in it")


def _timed(
    source: av.container.InputContainer, stream: av.stream.Stream, number: int
) -> Iterator[tuple[float, int, int, av.Packet]]:  # type: ignore[type-arg]  # generic in the stub only
    """(seconds at which it is decoded, number of its stream, count, packet) of every packet."""
    at = 0.0
    for count, packet in enumerate(source.demux(stream)):
        if packet.size:
            if packet.dts is not None:
                at = float(packet.dts * packet.time_base)
            yield at, number, count, packet


def correct_entry(file: BinaryIO, seen: Verified, *, announced_s: float | None = None) -> Verified:
    """Rename the sample entry of a mislabelled video in place; the file verified anew.

    seen: its verified description. Valid because every parameter set is in the head of the file,
    and no other between the pictures: that is all `hvc1` promises beyond `hev1`. Undone, and `seen`
    returned, where the result does not verify.
    """
    old = (seen.sample_entry or "").encode()
    new = CORRECTED_ENTRIES[old.decode()].encode()
    changes = list(_entry_changes(file, old, new))
    if not changes:
        return seen
    before = [(at, _read(file, at, len(data))) for at, data in changes]
    try:
        _write(file, changes)
        corrected = verify(file, MediaKind.VIDEO, announced_s=announced_s)
    except MediaError:
        _write(file, before)
        return seen
    return corrected


def _read(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)


def _write(file: BinaryIO, changes: list[tuple[int, bytes]]) -> None:
    for at, data in changes:
        file.seek(at)
        file.write(data)
    file.flush()


def _entry_changes(file: BinaryIO, old: bytes, new: bytes) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes to write there) for every entry of that name in the file's index."""
    end = file.seek(0, io.SEEK_END)
    for start, stop, kind in _boxes(file, 0, end):
        if kind != b"moov" or stop - start > MAX_INDEX_BYTES:
            continue
        for first, last in _descend(file, start, stop, _TO_ENTRIES):
            # A version, flags and the number of entries come before the entries.
            for inside, past, entry in _boxes(file, first + 8, last):
                if entry == old:
                    yield inside - 4, new
                    yield from _completed_sets(file, inside + 78, past)


def _completed_sets(file: BinaryIO, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
    """Mark each array of an hvcC record as complete, as `hvc1` wants it."""
    for first, last, kind in _boxes(file, start, stop):
        if kind != b"hvcC" or last - first > 64 * 1024:
            continue
        config, at = _read(file, first, last - first), 23
        for _ in range(config[22] if len(config) > 22 else 0):
            if at + 3 > len(config):
                return
            yield first + at, bytes([config[at] | 0x80])
            count, at = int.from_bytes(config[at + 1 : at + 3]), at + 3
            for _ in range(count):
                at += 2 + int.from_bytes(config[at : at + 2])


def _descend(
    file: BinaryIO, start: int, stop: int, path: tuple[bytes, ...]
) -> Iterator[tuple[int, int]]:
    """(start, end) of the content of every box at a path."""
    for first, last, kind in _boxes(file, start, stop):
        if kind == path[0]:
            if len(path) == 1:
                yield first, last
            else:
                yield from _descend(file, first, last, path[1:])


def _boxes(file: BinaryIO, start: int, stop: int) -> Iterator[tuple[int, int, bytes]]:
    """(start and end of the content, four letters) of the boxes in a row, as far as they hold."""
    at = start
    while at + 8 <= stop:
        head = _read(file, at, 16)
        size, kind, header = int.from_bytes(head[:4]), head[4:8], 8
        if size == 1:
            size, header = int.from_bytes(head[8:16]), 16
        elif size == 0:
            size = stop - at
        if size < header or at + size > stop:
            return
        yield at + header, at + size, kind
        at += size
