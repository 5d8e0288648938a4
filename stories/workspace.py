"""The workspace that a caller supplies for files, and a draft: one of its files being made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from typing import BinaryIO, Protocol, Self, TypeVar

T = TypeVar("T")


class Workspace(Protocol):
    """A place where files are made, each under a key."""

    def create(self) -> tuple[str, BinaryIO]:
        """The key of a new file, and the file: empty, seekable, open for reading and writing."""

    def discard(self, key: str) -> None:
        """Remove a file that will not be finished. Called at most once per key."""

    def reserve(self, size_bytes: int, key: str) -> None:
        """Raise a StoriesError when there is no room for this many bytes more of a file.

        What is granted counts until that file is finished or discarded.
        """


class Draft:
    """A new file of a workspace, as a context manager: discarded on leaving unless it was kept.

    threads: where blocking work on the file runs.
    """

    def __init__(self, workspace: Workspace, threads: Executor) -> None:
        self._workspace, self._threads = workspace, threads
        self._running: set[Future[object]] = set()
        self._kept = False
        self._reserved_bytes = 0
        self.key, self.file = workspace.create()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._kept:
            self._workspace.discard(self.key)
        running = [future for future in self._running if not future.done()]
        if running:
            # Cancelled while a decoder reads it. The decoder cannot be stopped, and closing the
            # file under it is worse than closing it a moment later.
            running[-1].add_done_callback(lambda _: self.file.close())
        else:
            self.file.close()

    def reserve(self, size_bytes: int) -> None:
        """Raise a StoriesError when there is no room for the file at this size.

        size_bytes: of the whole file. It may grow from call to call, and be asked again for another
        source of the same file: only what is more than before is reserved.
        """
        more_bytes = size_bytes - self._reserved_bytes
        if more_bytes > 0:
            self._workspace.reserve(more_bytes, self.key)
            self._reserved_bytes = size_bytes

    def keep(self) -> None:
        """Flush the finished file and leave it in the workspace."""
        self.file.flush()
        self._kept = True

    async def run(self, work: Callable[[], T], *, also: Iterable[Draft] = ()) -> T:
        """Run blocking work on the file in a thread. also: other drafts it reads or writes."""
        future = self._threads.submit(work)
        for draft in (self, *also):
            draft.keep_open_for(future)
        return await asyncio.wrap_future(future)

    def keep_open_for(self, future: Future[T]) -> None:
        """Do not close the file before the future is done."""
        self._running.add(future)  # type: ignore[arg-type] # only its being done matters
        future.add_done_callback(self._running.discard)
