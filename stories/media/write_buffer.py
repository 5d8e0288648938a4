"""Bytes written to their place in a file that several ranges fill at once."""

from __future__ import annotations

import os
from typing import BinaryIO, Final

WRITE_BATCH_BYTES: Final = 64 * 1024
WRITE_BATCH_CHUNKS: Final = 512
"""Chunks written at once; of more than 1,024 the system takes none."""


class WriteBuffer:
    """Collects chunks and writes them at their place in batches. at: offset of the first.

    TLS hands out 16 KiB at most, and each write costs more than that is worth. Written on the loop
    itself: into the page cache, faster than a thread could be asked. A real file is written by
    position, any other sink by seeking; nothing awaits in between, so parallel ranges share it.
    """

    def __init__(self, sink: BinaryIO, at: int) -> None:
        self._sink, self._at = sink, at
        self._descriptor = _descriptor(sink)
        self._chunks: list[bytes] = []
        self._size = 0

    def add(self, chunk: bytes) -> None:
        """Take the next bytes. Raises OSError when they cannot be written."""
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size >= WRITE_BATCH_BYTES or len(self._chunks) >= WRITE_BATCH_CHUNKS:
            self.flush()

    def flush(self) -> None:
        """Write what was collected. Raises OSError when it cannot be written."""
        chunks, size = self._chunks, self._size
        self._chunks, self._size = [], 0
        if not chunks:
            return
        if self._descriptor is None:
            self._sink.seek(self._at)
            self._sink.write(b"".join(chunks))
        else:
            written = os.pwritev(self._descriptor, chunks, self._at)
            if written < size:  # a disk that is nearly full; the rest says so
                rest = memoryview(b"".join(chunks))
                while written < size:
                    written += os.pwrite(self._descriptor, rest[written:], self._at + written)
        self._at += size


def _descriptor(sink: BinaryIO) -> int | None:
    """The descriptor of a real file; None for a sink in memory."""
    try:
        return sink.fileno()
    except OSError:
        return None
