"""Whose turn it is: the connections that may carry files at once, and the files open at once.

Both are shared by all lines of a client. A free one goes to the line that holds the fewest, so that
an account of fifty large videos does not keep one with a single picture waiting; within a line, to
small files before large ones, then in the order in which they asked. That is the order of the list,
oldest story first: the one that leaves TikTok soonest.
"""

from __future__ import annotations

import asyncio
import heapq
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar, Self

from stories.config import ClientConfig
from stories.structures import MediaKind

# A file up to this much larger than a segment is asked for whole.
_ONE_REQUEST_IN_SEGMENTS = 1.5


def is_large(config: ClientConfig, kind: MediaKind, size_bytes: int | None) -> bool:
    """Whether small files go before one of this size; None: a video of unknown size is large."""
    if size_bytes is None:
        return kind is MediaKind.VIDEO
    return size_bytes > config.segment_bytes * _ONE_REQUEST_IN_SEGMENTS


@dataclass(slots=True, eq=False)
class _Line:
    """One line's part. held: slots it has. served: number of its last turn. waiting: a heap."""

    held: int = 0
    served: int = 0
    waiting: list[_Waiter] = field(default_factory=list)


@dataclass(slots=True, order=True)
class _Waiter:
    """A file that waits. large, number: its place within its line."""

    large: bool
    number: int
    granted: asyncio.Future[None] = field(compare=False)


class _FairPool:
    """A number of slots, handed out to the line that holds the fewest.

    keep_free: a line may hold no more than it leaves free, so that a line that comes later finds
    some: half of them for one alone, a third for each of two.
    """

    def __init__(self, count: int, *, keep_free: bool) -> None:
        self.free = count
        self._keep_free = keep_free
        self._turns = self._asked = 0
        self._lines: set[_Line] = set()  # those in which a file waits

    @property
    def available(self) -> bool:
        """Whether a slot is free and nobody waits for it."""
        return self.free > 0 and not self._lines

    def next_number(self) -> int:
        """A number for a file that asks for a slot, higher than those before."""
        self._asked += 1
        return self._asked

    def take(self, line: _Line) -> None:
        """Hand a free slot to a line."""
        self._turns += 1
        self.free -= 1
        line.held += 1
        line.served = self._turns

    async def acquire(self, line: _Line, *, large: bool, number: int) -> None:
        """Wait for a slot and take it. large, number: of the file, its place within its line."""
        if self._may_take(line) and line not in self._lines:
            self.take(line)
            return
        waiter = _Waiter(large, number, asyncio.get_running_loop().create_future())
        heapq.heappush(line.waiting, waiter)
        self._lines.add(line)
        try:
            await waiter.granted
        except asyncio.CancelledError:
            if waiter.granted.cancelled():
                self._remove(waiter, line)
            else:
                self.release(line)  # it was its turn in the very moment
            raise

    def release(self, line: _Line) -> None:
        """Take a slot back, and hand out what is free."""
        self.free += 1
        line.held -= 1
        while (next_line := self._next_line()) is not None:
            waiter = heapq.heappop(next_line.waiting)
            if not next_line.waiting:
                self._lines.discard(next_line)
            if not waiter.granted.done():
                self.take(next_line)
                waiter.granted.set_result(None)

    def comes_before(self, line: _Line, *, large: bool) -> bool:
        """Whether somebody waits whose turn it is rather than that of a file which has a slot.

        That is a line without any, or with two less: with one less, they would change places.
        """
        return any(
            other.held == 0
            or other.held + 1 < line.held
            or (other is line and large and not other.waiting[0].large)
            for other in self._lines
        )

    def _may_take(self, line: _Line) -> bool:
        return self.free > (line.held if self._keep_free else 0)

    def _next_line(self) -> _Line | None:
        """The line whose turn it is; None while there is no slot for anybody."""
        able = [line for line in self._lines if self._may_take(line)]
        return min(able, key=lambda line: (line.held, line.served), default=None)

    def _remove(self, waiter: _Waiter, line: _Line) -> None:
        with suppress(ValueError):  # its turn came meanwhile, and passed
            line.waiting.remove(waiter)
            heapq.heapify(line.waiting)
        if not line.waiting:
            self._lines.discard(line)


class TransferSlots:
    """The connections that may carry files at once, as one file of one line sees them.

    count: of the connections of a client, for the first of its views; the others share them, by
    for_line() and for_file().
    """

    _KEEP_FREE: ClassVar[bool] = False

    def __init__(
        self,
        count: int,
        *,
        pool: _FairPool | None = None,
        line: _Line | None = None,
        large: bool = False,
    ) -> None:
        self._pool = pool or _FairPool(count, keep_free=self._KEEP_FREE)
        self._count, self._line, self._large = count, line or _Line(), large
        self._number = self._entered = 0

    def for_line(self) -> Self:
        """The same slots as another line sees them."""
        return type(self)(self._count, pool=self._pool)

    def for_file(self, *, large: bool) -> Self:
        """The same slots as another file of this line sees them.

        large: let small files of the same line go first.
        """
        return type(self)(self._count, pool=self._pool, line=self._line, large=large)

    async def __aenter__(self) -> None:
        """Wait for a slot and take it."""
        self._number = self._pool.next_number()
        await self._enter()

    async def _enter(self) -> None:
        await self._pool.acquire(self._line, large=self._large, number=self._number)
        self._entered += 1

    async def __aexit__(self, *_: object) -> None:
        """Release the slot."""
        if self._entered:  # not when it was cancelled while it had given way
            self._entered -= 1
            self._pool.release(self._line)

    async def give_way(self) -> None:
        """Hand the slot to a file whose turn it is by now, and wait for the next one.

        To be called between two ranges of a file: a large one holds its connection for minutes.
        """
        if self._entered and self._pool.comes_before(self._line, large=self._large):
            self._entered -= 1
            self._pool.release(self._line)
            await self._enter()  # with its old number: before large files that were not begun

    @property
    def available(self) -> bool:
        """Whether a slot is free and nobody waits for it."""
        return self._pool.available

    async def try_acquire(self) -> bool:
        """Take a slot if one is available; never waits."""
        if not self._pool.available:
            return False
        self._pool.take(self._line)
        return True

    def release(self) -> None:
        """Release a slot taken with try_acquire."""
        self._pool.release(self._line)


class FileSlots(TransferSlots):
    """The files that may be open at once; a line leaves as many free as it holds.

    A file is held for longer than its transfer, and no other can have its place before its end.
    """

    _KEEP_FREE = True
