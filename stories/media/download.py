"""The bytes of one media address into an open binary file: ranges, resuming, limits.

A first request asks for the beginning only. A server that honours it is then asked for the rest
in several ranges at once; one that sends everything is simply read. A dropped line is taken up
where it broke, and a file that changed meanwhile is started over. Memory stays flat whatever the
size: each chunk is written as it arrives, at its place.

What is not decided here: which address comes first, and what to do when one fails (harvest.py).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedIOBase
from typing import BinaryIO, cast

from stories.config import MIB, ClientConfig
from stories.errors import MediaUnavailable, StoriesError, TooLarge, UpstreamDown
from stories.http.media_response import MediaResponse
from stories.http.session import Session
from stories.structures import MediaKind

Progress = Callable[[int, int | None], None]
Reserve = Callable[[int], None]

# A range of a large file is at most this many segments long, so that a thousand requests are not
# needed for half a gigabyte.
LARGEST_RANGE_IN_SEGMENTS = 8
# A file up to this much larger than a segment is asked for whole, when its size is known before.
LARGEST_PIECE_IN_SEGMENTS = 1.5
# How often a line may break per file, and in a row without a single new byte.
MAX_DROPS = 20
MAX_BARREN_DROPS = 2
# A part that ends before it should, and after less than this share of a segment, counts as a drop:
# a server that hands out crumbs would otherwise be asked thousands of times.
SHORTEST_PART_OF_SEGMENT = 1 / 8
# How often a file may change under us before we give the address up.
MAX_RESTARTS = 2
# Slower than this, averaged over the read timeout, counts as a drop: a byte now and then would
# otherwise hold a connection for ever.
SLOWEST_BYTES_PER_S = 256
# How much may arrive unannounced between two looks at the free space.
UNANNOUNCED_STEP_BYTES = 8 * MIB
WRITE_BATCH_BYTES = 64 * 1024

_NOT_MEDIA_TYPES = ("text/", "application/json", "application/xml", "application/xhtml")
# How HTML, JSON and XML begin; no picture, video or song does.
_NOT_MEDIA_LEADS = (b"<", b"{", b"[", b"\xef\xbb\xbf")


class Slots:
    """How many connections may carry files at once; one count for everything on a client."""

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)

    async def __aenter__(self) -> None:
        """Wait for a slot."""
        await self._free.acquire()

    async def __aexit__(self, *_: object) -> None:
        """Give it back."""
        self._free.release()

    @property
    def spare(self) -> bool:
        """Whether a slot is free and nobody waits for it."""
        return not self._free.locked()

    async def try_take(self) -> bool:
        """Take a spare slot if there is one; never waits itself."""
        return self.spare and await self._free.acquire()

    def give_back(self) -> None:
        """Return a slot got from try_take."""
        self._free.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A file is complete. content_type: as the server called it; the bytes decide."""

    size_bytes: int
    content_type: str


class _Changed(Exception):
    """The file behind the address is not the one we hold a part of, or ranges stopped working."""


@dataclass(slots=True)
class _Span:
    """A stretch still to come: position moves towards end; None: to wherever the file ends."""

    position: int
    end: int | None

    @property
    def complete(self) -> bool:
        return self.end is not None and self.position >= self.end


class _Batch:
    """Chunks on their way into the file. TLS hands out 16 KiB at most; writing is dearer than that.

    Written on the loop itself: into the page cache, faster than a thread could be asked. Nothing
    awaits between seek and write, so the helpers can share the file.
    """

    def __init__(self, sink: BinaryIO, at: int) -> None:
        self._sink, self._at = sink, at
        self._chunks: list[bytes] = []
        self._size = 0

    def add(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size >= WRITE_BATCH_BYTES:
            self.write()

    def write(self) -> None:
        chunks, size = self._chunks, self._size
        self._chunks, self._size = [], 0
        if chunks:
            self._sink.seek(self._at)
            self._sink.write(b"".join(chunks))
            self._at += size


def size_limit(config: ClientConfig, kind: MediaKind) -> int:
    """The most bytes a file of this kind may have."""
    return {
        MediaKind.VIDEO: config.max_video_bytes,
        MediaKind.PICTURE: config.max_picture_bytes,
        MediaKind.SONG: config.max_song_bytes,
    }[kind]


def no_reservation(_: int) -> None:
    """Room for everything."""


def no_progress(_: int, __: int | None) -> None:
    """Nobody watches."""


async def transfer(
    session: Session,
    url: str,
    sink: BinaryIO,
    *,
    config: ClientConfig,
    slots: Slots,
    limit_bytes: int,
    expected_bytes: int | None = None,
    reserve: Reserve = no_reservation,
    progress: Progress = no_progress,
) -> Arrived:
    """Fetch one address into `sink`, replacing what it held. The caller holds one slot.

    expected_bytes: the size that was announced elsewhere; decides no more than how much to ask for.
    reserve: called with the size before bytes are written; may raise to refuse. progress: called
    with bytes done and the total where known. Raises MediaUnavailable (refused, not media, empty,
    inconsistent), TooLarge, UpstreamDown (the line kept breaking), UpstreamChanged (redirected
    off the allow-list).
    """
    ranges = True
    for _ in range(MAX_RESTARTS + 1):
        attempt = _Attempt(
            session, url, sink, config, slots, limit_bytes, expected_bytes or 0, reserve, progress
        )
        try:
            return await attempt.run(ranges=ranges)
        except _Changed:
            # Perhaps not the file but the ranges are at fault: take it in one piece.
            ranges = False
    raise MediaUnavailable("the file kept changing while it was fetched")


class _Attempt:
    """One try at one version of the file."""

    def __init__(
        self,
        session: Session,
        url: str,
        sink: BinaryIO,
        config: ClientConfig,
        slots: Slots,
        limit_bytes: int,
        expected_bytes: int,
        reserve: Reserve,
        progress: Progress,
    ) -> None:
        self._session, self._url, self._sink = session, url, sink
        self._config, self._slots = config, slots
        self._limit, self._reserve, self._progress = limit_bytes, reserve, progress
        self._expected = expected_bytes
        self._pieces: deque[_Span] = deque()
        self._helpers = 0
        self._drops = self._barren = 0
        self._done = 0
        self._reserved = 0
        self._total: int | None = None
        self._etag: str | None = None
        self._validator: str | None = None
        self._content_type = ""

    async def run(self, *, ranges: bool) -> Arrived:
        self._sink.seek(0)
        self._sink.truncate()
        try:
            async with asyncio.TaskGroup() as self._group:
                await self._all(ranges=ranges)
        except BaseExceptionGroup as failures:
            raise _telling(failures) from failures
        if not self._done:
            raise MediaUnavailable("zero bytes arrived")
        if self._total is not None and self._done != self._total:
            raise MediaUnavailable(f"{self._done} of {self._total} bytes arrived")
        self._sink.flush()
        self._progress(self._done, self._done)
        return Arrived(size_bytes=self._done, content_type=self._content_type)

    async def _all(self, *, ranges: bool) -> None:
        try:
            span = await self._begin(ranges=ranges)
            if not span.complete:
                await self._fill(span)
            while self._pieces:
                await self._fill(self._pieces.popleft())
        except BaseException:
            self._pieces.clear()  # nobody starts another piece of a lost file
            raise

    async def _begin(self, *, ranges: bool) -> _Span:
        """Ask for the beginning, learn the size, divide the rest; return how far it got."""
        first = self._config.segment_bytes
        if first < self._expected <= first * LARGEST_PIECE_IN_SEGMENTS:
            first = self._expected  # what would be left is not worth a request of its own
        async with self._session.stream_media(self._url, end=first if ranges else None) as answer:
            self._meet(answer)
            if answer.partial and answer.total is None:
                raise _Changed  # a part of who knows what: take it in one piece
            span = _Span(0, answer.length_bytes if answer.partial else self._total)
            if answer.partial:
                self._cut(span.end or 0)
            try:
                await self._read(answer, span)
            except UpstreamDown as drop:
                self._dropped(drop, barren=span.position == 0)
                if span.end is None:
                    # Where it should have ended nobody knows: ask for "the rest" to find out.
                    return span
            else:
                if span.end is None:
                    span.end = self._total = span.position
        return span

    def _cut(self, start: int) -> None:
        """Divide what lies behind `start` into equal pieces of about a segment or more."""
        segment, total = self._config.segment_bytes, self._total or 0
        rest, most = total - start, segment * LARGEST_RANGE_IN_SEGMENTS
        if rest <= 0:
            return
        size = min(max(-(-rest // max(self._config.segments, 1)), segment), most)
        size = -(-rest // max(round(rest / size), -(-rest // most)))
        self._pieces.extend(_Span(at, min(at + size, total)) for at in range(start, total, size))

    async def _call_helpers(self) -> None:
        """Put spare slots to work on the next pieces; other files' turn comes first."""
        while (
            self._pieces
            and self._helpers < self._config.segments - 1
            and await self._slots.try_take()
        ):
            self._helpers += 1
            # A slot is held for one piece only, so that a waiting file gets it next.
            task = self._group.create_task(self._help(self._pieces.popleft()))
            # Not in the task itself: one cancelled before its first step would never run it.
            task.add_done_callback(self._helper_left)

    async def _help(self, span: _Span) -> None:
        try:
            await self._fill(span)
        except BaseException:
            self._pieces.clear()
            raise

    def _helper_left(self, _: object) -> None:
        self._helpers -= 1
        self._slots.give_back()

    async def _fill(self, span: _Span) -> None:
        """Fetch one stretch, taking it up again after each drop."""
        while not span.complete:
            before = span.position
            try:
                async with self._session.stream_media(
                    self._url, start=span.position, end=span.end, validator=self._validator
                ) as answer:
                    self._continue(answer, span)
                    await self._read(answer, span)
            except UpstreamDown as drop:
                self._dropped(drop, barren=span.position == before)
            else:
                if span.position == before:
                    raise MediaUnavailable(f"{answer.host}: an empty part")
                shortest = self._config.segment_bytes * SHORTEST_PART_OF_SEGMENT
                if not span.complete and span.position - before < shortest:
                    self._dropped(UpstreamDown(f"{answer.host}: mere crumbs"), barren=False)

    def _dropped(self, drop: UpstreamDown, *, barren: bool) -> None:
        """Count a drop; raise it when there were too many."""
        self._drops += 1
        self._barren = self._barren + 1 if barren else 0
        if self._drops > MAX_DROPS or self._barren >= MAX_BARREN_DROPS:
            raise drop

    def _meet(self, answer: MediaResponse) -> None:
        """The first answer: what kind of file it is, how large, and how to recognise it."""
        _refuse_other_types(answer)
        if answer.partial and answer.start != 0:
            raise MediaUnavailable(f"{answer.host}: a part we did not ask for")
        self._content_type = answer.content_type
        self._total = answer.total
        self._etag, self._validator = answer.etag, answer.validator
        if self._total is not None:
            self._make_room(self._total)

    def _continue(self, answer: MediaResponse, span: _Span) -> None:
        """A later answer: the same file, and the part that was asked for."""
        _refuse_other_types(answer)
        if not answer.partial:
            raise _Changed
        # Compared here too: not every server looks at If-Range. One that does may omit the date.
        if answer.etag != self._etag or answer.validator not in {None, self._validator}:
            raise _Changed
        if self._total is not None and answer.total != self._total:
            raise _Changed
        if span.end is None:
            span.end = self._total = answer.total
            if span.end is None:
                raise _Changed
            self._make_room(span.end)
        if answer.start != span.position or (answer.length_bytes or 0) > span.end - span.position:
            raise MediaUnavailable(f"{answer.host}: a part we did not ask for")

    def _make_room(self, size_bytes: int) -> None:
        if size_bytes > self._limit:
            raise TooLarge(f"{size_bytes} bytes, at most {self._limit}")
        if size_bytes > self._reserved:
            self._reserve(size_bytes)
            self._reserved = size_bytes

    async def _read(self, answer: MediaResponse, span: _Span) -> None:
        """Write the body into its place. Raises UpstreamDown when it breaks off."""
        clock = asyncio.get_running_loop().time
        since, seen = clock(), span.position
        batch = _Batch(self._sink, span.position)
        try:
            await self._call_helpers()
            async for chunk in answer.chunks:
                self._check(answer, span, chunk)
                batch.add(chunk)
                span.position += len(chunk)
                self._done += len(chunk)
                self._progress(self._done, self._total)
                if self._pieces and self._slots.spare:
                    await self._call_helpers()  # another file has ended meanwhile
                elapsed = clock() - since
                if elapsed >= self._config.read_timeout_s:
                    if span.position - seen < SLOWEST_BYTES_PER_S * elapsed:
                        raise UpstreamDown(f"{answer.host}: slower than a person types")
                    since, seen = clock(), span.position
        finally:
            # Also when the line broke: what is counted as here must be here.
            batch.write()

    def _check(self, answer: MediaResponse, span: _Span, chunk: bytes) -> None:
        """Whether the next bytes may be taken."""
        if span.position == 0 and chunk.lstrip().startswith(_NOT_MEDIA_LEADS):
            raise MediaUnavailable(f"{answer.host}: text where a file should be")
        if span.end is not None and span.position + len(chunk) > span.end:
            raise MediaUnavailable(f"{answer.host}: more bytes than announced")
        if self._total is None:
            self._make_unannounced_room(self._done + len(chunk))

    def _make_unannounced_room(self, size_bytes: int) -> None:
        if size_bytes > self._limit:
            raise TooLarge(f"more than {self._limit} bytes")
        if size_bytes > self._reserved:
            self._make_room(min(size_bytes + UNANNOUNCED_STEP_BYTES, self._limit))


def _refuse_other_types(answer: MediaResponse) -> None:
    if answer.content_type.startswith(_NOT_MEDIA_TYPES):
        raise MediaUnavailable(f"{answer.host}: {answer.content_type[:40]} where a file should be")


def _telling(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Of everything that failed at once, the one that decides what happens next."""
    flat = [
        _telling(failure) if isinstance(failure, BaseExceptionGroup) else failure
        for failure in failures.exceptions
    ]
    for kind in (TooLarge, _Changed, StoriesError):
        for failure in flat:
            if isinstance(failure, kind):
                return failure
    return flat[0]


def digest(file: BinaryIO) -> str:
    """SHA-256 of everything in `file`, hex. Blocks; run it in a thread."""
    file.seek(0)
    # Reads into one buffer again and again; BinaryIO does not mention that its files can.
    return hashlib.file_digest(cast("BufferedIOBase", file), "sha256").hexdigest()
