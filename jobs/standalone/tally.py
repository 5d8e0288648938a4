"""Progress counting: how many of the expected files and bytes have arrived."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

FileKey = tuple[int, str, int]
"""A picture or video of a run: line, story id, position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The progress of a whole run. files_*: pictures and videos, extras not counted."""

    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int


@dataclass(slots=True)
class Tally:
    """Counts expected and arrived files. Thread-safe."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _bytes: dict[FileKey, tuple[int, int]] = field(default_factory=dict)
    """Bytes done and bytes in total, by file."""
    _done: set[FileKey] = field(default_factory=set)

    def expect(self, file: FileKey, size_bytes: int) -> None:
        """Add a file. size_bytes: as listed, 0 when the listing does not say."""
        with self._lock:
            self._bytes[file] = (0, size_bytes)

    def arriving(self, file: FileKey, done: int, total: int | None) -> None:
        """Note the bytes of an expected file so far. total: None when it is not known."""
        with self._lock:
            if file in self._bytes:
                listed = self._bytes[file][1]
                self._bytes[file] = (done, max(done, total or listed))

    def done(self, file: FileKey, size_bytes: int) -> None:
        """Note that a file is complete."""
        with self._lock:
            self._done.add(file)
            self._bytes[file] = (size_bytes, size_bytes)

    def failed(self, file: FileKey) -> None:
        """Note that a file will not come; it still counts as expected."""
        with self._lock:
            self._bytes[file] = (0, 0)

    def totals(self) -> Totals:
        """The sum over all files."""
        with self._lock:
            return Totals(
                files_done=len(self._done),
                files_total=len(self._bytes),
                bytes_done=sum(done for done, _ in self._bytes.values()),
                bytes_total=sum(total for _, total in self._bytes.values()),
            )
