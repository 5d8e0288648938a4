"""The disk saved files are on: the folder itself, what it has left, and how it says "full"."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from django.conf import settings

from jobs.errors import DiskFull

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

WORK: Final = "work"
"""The folder below, for what is not finished."""
DISK_FULL_ERRORS: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
RETRY_S: Final = 300.0
"""When to try again after a full disk, where nothing is known about files expiring sooner."""

# Transfers write more than this at a time, and that goes straight through.
_BUFFER_BYTES = 32 * 1024


def root() -> Path:
    """The folder; made when it is not there."""
    root: Path = settings.STORYKEEP.artifacts
    # One look, not mkdir's: this is asked for every file.
    if not os.path.isdir(root):  # noqa: PTH112
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    return root


def free_bytes() -> int:
    """What the file system has left for us."""
    found = os.statvfs(root())
    return found.f_bavail * found.f_frsize


def try_writing() -> None:
    """Write a byte to a file without a name, which is gone again at once.

    Raises OSError, or DiskFull. Unlike a workspace it asks the database nothing.
    """
    work = root() / WORK
    with disk_errors():
        work.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=work) as file:
            file.write(b"x")
            file.flush()


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """Turn the operating system's "disk full" and "over quota" into DiskFull."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL_ERRORS:
            raise DiskFull("the disk is full", retry_after_s=RETRY_S) from error
        raise


class _Raw(io.FileIO):
    """A file that says DiskFull where the operating system says ENOSPC."""

    def write(self, data: ReadableBuffer, /) -> int:
        with disk_errors():
            return self._put(data)

    def _put(self, data: ReadableBuffer) -> int:
        return super().write(data)


def new_file(path: Path, opener: Callable[[str, int], int] | None = None) -> BinaryIO:
    """A file for what is arriving, open for reading and writing. Writing may raise DiskFull."""
    with disk_errors():
        raw = _Raw(path, "x+b", opener=opener)
        return cast("BinaryIO", io.BufferedRandom(raw, buffer_size=_BUFFER_BYTES))
