"""Download of one media address into an open binary file: ranges, resuming, limits.

A first request asks for the beginning only. A server that honours it is then asked for the rest
in several ranges at once; one that sends everything is simply read. A dropped connection is
resumed where it broke, and a file that changed meanwhile is started over. Memory stays flat
whatever the size: each chunk is written as it arrives, at its place.

Not decided here: which address comes first, and what to do when one fails (obtain.py).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BufferedIOBase
from typing import BinaryIO, cast

from stories.config import MIB, ClientConfig
from stories.errors import MediaUnavailable, StoriesError, TooLarge, UpstreamDown
from stories.http.media_head import MediaHead
from stories.http.media_transport import WriteBody
from stories.http.session import Session
from stories.media.arrived import Arrived, ByteRange, divided
from stories.media.mirror_pace import MirrorLeft, MirrorPace
from stories.media.transfer_pace import TransferPace
from stories.media.write_buffer import WriteBuffer
from stories.structures import MediaKind
from stories.transfer_slots import TransferSlots

# Called with bytes done, and the total where it is known.
Progress = Callable[[int, int | None], None]
# Called with the size in bytes of the whole file, as far as it is known, before that much is
# written; raises to refuse it. It may grow from call to call.
Reserve = Callable[[int], None]

# A file up to this much larger than a segment is asked for whole, when its size is known before.
LARGEST_PIECE_IN_SEGMENTS = 1.5
# How often the connection may drop per file, and in a row without a single new byte.
MAX_DROPS = 20
MAX_BARREN_DROPS = 2
# A part that ends before it should, and after less than this share of a segment, counts as a drop:
# a server that hands out crumbs would otherwise be asked thousands of times.
SHORTEST_PART_OF_SEGMENT = 1 / 8
# How often a file may change meanwhile before the address is given up.
MAX_RESTARTS = 2
# How much of an unannounced size is reserved at a time.
UNANNOUNCED_STEP_BYTES = 8 * MIB

_NOT_MEDIA_TYPES = (
    *("text/", "application/json", "application/xml", "application/xhtml"),
    *("application/javascript", "application/ecmascript", "image/svg", "multipart/", "message/"),
)
# How HTML, JSON and XML begin; no picture, video or song does.
_NOT_MEDIA_PREFIXES = (b"<", b"{", b"[", b"\xef\xbb\xbf")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferResult:
    """A complete file. content_type: as the server called it; the bytes decide."""

    size_bytes: int
    content_type: str


class _FileChanged(Exception):
    """Another file than the one held in part is behind the address, or ranges stopped working."""


def size_limit(config: ClientConfig, kind: MediaKind) -> int:
    """The most bytes a file of this kind may have."""
    return {
        MediaKind.VIDEO: config.max_video_bytes,
        MediaKind.PICTURE: config.max_picture_bytes,
        MediaKind.SONG: config.max_song_bytes,
    }[kind]


def no_reservation(_: int) -> None:
    """Accept any size."""


def no_progress(_: int, __: int | None) -> None:
    """Report to nobody."""


async def transfer(
    session: Session,
    url: str,
    sink: BinaryIO,
    *,
    config: ClientConfig,
    slots: TransferSlots,
    limit_bytes: int,
    expected_bytes: int | None = None,
    reserve: Reserve = no_reservation,
    progress: Progress = no_progress,
    arrived: Arrived | None = None,
    pace: MirrorPace | None = None,
) -> TransferResult:
    """Fetch one address into `sink`, replacing what it held. The caller holds one slot.

    expected_bytes: the size that was announced elsewhere; decides no more than how much to ask for.
    reserve: called with the size before bytes are written; may raise to refuse. progress: called
    with bytes done and the total where known. arrived: what another address brought into `sink`,
    gone on with where this one has the same file; afterwards what is there. pace: told how fast
    bytes arrive, and may end the transfer. Raises MediaUnavailable (refused, not media, empty,
    inconsistent, another file than the one that is mostly here), TooLarge, UpstreamDown (the
    connection kept breaking), UpstreamChanged (redirected off the allow-list), and what `pace`
    does.
    """
    arrived, ranges = arrived or Arrived(), True
    resuming = arrived.begin_elsewhere()
    for _ in range(MAX_RESTARTS + 1 + resuming):
        attempt = _Attempt(
            session=session,
            url=url,
            sink=sink,
            config=config,
            slots=slots,
            room=_Room(limit_bytes, reserve),
            expected_bytes=expected_bytes or 0,
            progress=progress,
            ranges=ranges,
            arrived=arrived,
            pace=pace,
        )
        try:
            return await attempt.run()
        except _FileChanged:
            if arrived.elsewhere and arrived.mostly:
                raise MediaUnavailable("another file than the one that is mostly here") from None
            # Perhaps not the file but the ranges are at fault: take it in one piece.
            ranges = arrived.elsewhere
            arrived.clear()
    raise MediaUnavailable("the file kept changing while it was fetched")


class _Room:
    """The room of one file, asked for before it is filled. limit_bytes: the most it may have."""

    def __init__(self, limit_bytes: int, reserve: Reserve) -> None:
        self._limit_bytes, self._reserve = limit_bytes, reserve
        self._reserved_bytes = 0

    def take(self, size_bytes: int) -> None:
        """Ask for the room of a file of this size. Raises TooLarge and what `reserve` does."""
        if size_bytes > self._limit_bytes:
            raise TooLarge(f"{size_bytes} bytes, at most {self._limit_bytes}")
        if size_bytes > self._reserved_bytes:
            self._reserve(size_bytes)
            self._reserved_bytes = size_bytes

    def take_unannounced(self, size_bytes: int) -> None:
        """Ask for room step by step while a file of unknown size grows to `size_bytes`."""
        if size_bytes > self._limit_bytes:
            raise TooLarge(f"more than {self._limit_bytes} bytes")
        if size_bytes > self._reserved_bytes:
            self.take(min(size_bytes + UNANNOUNCED_STEP_BYTES, self._limit_bytes))


@dataclass(slots=True, kw_only=True)
class _Attempt:
    """One try at one version of the file. ranges: ask for parts rather than for the whole."""

    session: Session
    url: str
    sink: BinaryIO
    config: ClientConfig
    slots: TransferSlots
    room: _Room
    expected_bytes: int
    progress: Progress
    ranges: bool
    arrived: Arrived
    pace: MirrorPace | None

    _group: asyncio.TaskGroup = field(init=False)
    _pending: deque[ByteRange] = field(init=False, default_factory=deque)
    _helpers: int = field(init=False, default=0)
    _starting: asyncio.Task[None] | None = field(init=False, default=None)
    _drops: int = field(init=False, default=0)
    _barren_drops: int = field(init=False, default=0)

    async def run(self) -> TransferResult:
        arrived = self.arrived
        if not arrived.elsewhere:
            self.sink.seek(0)
            self.sink.truncate()
        try:
            async with asyncio.TaskGroup() as self._group:
                await self._fetch_all()
        except BaseExceptionGroup as failures:
            raise _decisive(failures) from failures
        done, total = arrived.bytes_done, arrived.total_bytes
        if not done:
            raise MediaUnavailable("zero bytes arrived")
        if total is not None and done != total:
            raise MediaUnavailable(f"{done} of {total} bytes arrived")
        self.sink.flush()
        self.progress(done, done)
        return TransferResult(size_bytes=done, content_type=arrived.content_type)

    async def _fetch_all(self) -> None:
        try:
            if self.arrived.elsewhere:
                self._pending.extend(self.arrived.missing)
                self.room.take(self.arrived.total_bytes or 0)
                # The first answer shows whether it is the same file, before others are asked for.
                first = self._pending.popleft()
            else:
                first = await self._fetch_first()
            if not first.complete:
                await self._fetch_range(first)
            while self._pending:
                await self.slots.give_way()
                if self._pending:  # helpers may have taken the last of them meanwhile
                    await self._fetch_range(self._pending.popleft())
        except BaseException:
            self._pending.clear()  # nobody starts another range of a lost file
            raise

    async def _fetch_first(self) -> ByteRange:
        """Ask for the beginning, learn the size and divide the rest.

        Returns the first range, not complete when the connection dropped.
        """
        first_bytes = self.config.segment_bytes
        if first_bytes < self.expected_bytes <= first_bytes * LARGEST_PIECE_IN_SEGMENTS:
            first_bytes = self.expected_bytes  # the rest would not be worth a request of its own
        first: ByteRange | None = None

        def accept(head: MediaHead) -> ByteRange:
            nonlocal first
            self._accept_first(head)
            if head.partial and head.total is None:
                raise _FileChanged  # a part of an unknown whole: take it in one piece
            total = self.arrived.total_bytes
            first = ByteRange(0, head.length_bytes if head.partial else total)
            if head.partial:
                self._pending.extend(divided(first.end or 0, total or 0, self.config))
            self.arrived.ranges = [first, *self._pending]
            return first

        try:
            await self._fetch(accept, end=first_bytes if self.ranges else None)
        except UpstreamDown as drop:
            if first is None:
                raise
            self._count_drop(drop, barren=first.position == 0)
            # Where its end is not known, "the rest" is asked for to find out.
            return first
        if first is None:
            raise UpstreamDown("no answer")
        if first.end is None:
            first.end = self.arrived.total_bytes = first.position
        return first

    def _want_helpers(self) -> None:
        """Have pending ranges fetched over the slots available; other files' turn comes first."""
        if (
            self._pending
            and self._helpers < self.config.segments - 1
            and self.slots.available
            and (self._starting is None or self._starting.done())
        ):
            # In a task: the transport is calling, which cannot await anything.
            self._starting = self._group.create_task(self._start_helpers())

    async def _start_helpers(self) -> None:
        while (
            self._pending
            and self._helpers < self.config.segments - 1
            and await self.slots.try_acquire()
        ):
            self._helpers += 1
            # A slot is held for one range only, so that a waiting file gets it next.
            task = self._group.create_task(self._help(self._pending.popleft()))
            # Not in the task itself: one cancelled before its first step would never run it.
            task.add_done_callback(self._helper_done)

    async def _help(self, byte_range: ByteRange) -> None:
        try:
            await self._fetch_range(byte_range)
        except BaseException:
            self._pending.clear()
            raise

    def _helper_done(self, _: object) -> None:
        self._helpers -= 1
        self.slots.release()

    async def _fetch_range(self, byte_range: ByteRange) -> None:
        """Fetch one range to its end, resuming after each drop."""
        host = ""

        def accept(head: MediaHead) -> ByteRange:
            nonlocal host
            host = head.host
            self._accept_further(head, byte_range)
            return byte_range

        while not byte_range.complete:
            before = byte_range.position
            try:
                await self._fetch(
                    accept, start=before, end=byte_range.end, validator=self.arrived.validator
                )
            except UpstreamDown as drop:
                self._count_drop(drop, barren=byte_range.position == before)
            else:
                if byte_range.position == before:
                    raise MediaUnavailable(f"{host}: an empty part")
                shortest = self.config.segment_bytes * SHORTEST_PART_OF_SEGMENT
                if not byte_range.complete and byte_range.position - before < shortest:
                    self._count_drop(UpstreamDown(f"{host}: mere crumbs"), barren=False)

    def _count_drop(self, drop: UpstreamDown, *, barren: bool) -> None:
        """Count a drop; raise it when there were too many. barren: it brought no byte."""
        self._drops += 1
        self._barren_drops = self._barren_drops + 1 if barren else 0
        if self._drops > MAX_DROPS or self._barren_drops >= MAX_BARREN_DROPS:
            raise drop

    def _accept_first(self, head: MediaHead) -> None:
        """Take type, size and validators of the file from the first response."""
        _refuse_other_types(head)
        if head.partial and head.start != 0:
            raise MediaUnavailable(f"{head.host}: a part we did not ask for")
        self.arrived.begin(head)
        if head.total is not None:
            self.room.take(head.total)

    def _accept_further(self, head: MediaHead, byte_range: ByteRange) -> None:
        """Check that a later response is of the first one's file and of the range asked for."""
        _refuse_other_types(head)
        if not head.partial or not self.arrived.is_of(head):
            raise _FileChanged
        if byte_range.end is None:
            byte_range.end = self.arrived.total_bytes = head.total
            if byte_range.end is None:
                raise _FileChanged
            self.room.take(byte_range.end)
        left = byte_range.end - byte_range.position
        if head.start != byte_range.position or (head.length_bytes or 0) > left:
            raise MediaUnavailable(f"{head.host}: a part we did not ask for")

    async def _fetch(
        self,
        accept: Callable[[MediaHead], ByteRange],
        *,
        start: int = 0,
        end: int | None = None,
        validator: str | None = None,
    ) -> None:
        """Make one request, and write its body into the range that `accept` names for its head.

        Raises UpstreamDown when the connection drops, or brings next to nothing.
        """
        buffer: WriteBuffer | None = None

        def receive(head: MediaHead) -> WriteBody:
            nonlocal buffer
            byte_range = accept(head)
            buffer = WriteBuffer(self.sink, byte_range.position)
            if self.pace is not None:
                self.pace.opened(head.host)
            self._want_helpers()
            return self._writer(head, byte_range, buffer)

        try:
            await self.session.fetch_media(
                self.url, receive, start=start, end=end, validator=validator
            )
        finally:
            # Also when the connection broke: bytes counted as done must be in the file.
            if buffer is not None:
                buffer.flush()
                if self.pace is not None:
                    self.pace.closed()

    def _writer(self, head: MediaHead, byte_range: ByteRange, buffer: WriteBuffer) -> WriteBody:
        pace, arrived = TransferPace(self.config.read_timeout_s), self.arrived

        def write(chunk: bytes) -> None:
            self._check_chunk(head, byte_range, chunk)
            buffer.add(chunk)
            byte_range.position += len(chunk)
            arrived.bytes_done += len(chunk)
            self.progress(arrived.bytes_done, arrived.total_bytes)
            self._want_helpers()  # another file may have ended meanwhile
            if pace.too_slow(len(chunk)):
                raise UpstreamDown(f"{head.host}: slower than a person types")
            if self.pace is not None:
                self.pace.note(len(chunk), arrived)

        return write

    def _check_chunk(self, head: MediaHead, byte_range: ByteRange, chunk: bytes) -> None:
        """Refuse text, more bytes than announced, and a size over the limit."""
        if byte_range.position == 0 and chunk.lstrip().startswith(_NOT_MEDIA_PREFIXES):
            raise MediaUnavailable(f"{head.host}: text where a file should be")
        if byte_range.end is not None and byte_range.position + len(chunk) > byte_range.end:
            raise MediaUnavailable(f"{head.host}: more bytes than announced")
        if self.arrived.total_bytes is None:
            self.room.take_unannounced(self.arrived.bytes_done + len(chunk))


def _refuse_other_types(head: MediaHead) -> None:
    content_type = head.content_type
    if content_type.startswith(_NOT_MEDIA_TYPES):
        raise MediaUnavailable(f"{head.host}: {content_type[:40]} where a file should be")


def _decisive(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure, of several at once, that decides what happens next."""
    flat = [
        _decisive(failure) if isinstance(failure, BaseExceptionGroup) else failure
        for failure in failures.exceptions
    ]
    for kind in (TooLarge, _FileChanged, MirrorLeft, StoriesError):
        for failure in flat:
            if isinstance(failure, kind):
                return failure
    return flat[0]


def digest(file: BinaryIO) -> str:
    """SHA-256 of everything in `file`, hex. Blocks; run it in a thread."""
    file.seek(0)
    # Reads into one buffer again and again; BinaryIO does not mention that its files can.
    return hashlib.file_digest(cast("BufferedIOBase", file), "sha256").hexdigest()


def measure(file: BinaryIO) -> tuple[int, str]:
    """(Bytes, SHA-256 in hex) of everything in `file`. Blocks; run it in a thread."""
    return file.seek(0, os.SEEK_END), digest(file)
