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
from django.utils import timezone

from jobs.errors import DiskFull
from jobs.models import Artifact

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

WORK: Final = "work"
"""The folder below, for what is not finished."""
MARK: Final = ".storykeep"
"""The file that tells our folder from an empty place where its disk should be."""
_SAID = "Storykeep keeps saved files here. A folder without this file is taken for another one.\n"
_LOOKS = 8
DISK_FULL_ERRORS: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
RETRY_S: Final = 300.0
"""When to try again after a full disk, where nothing is known about files expiring sooner."""

# Transfers write more than this at a time, and that goes straight through.
_BUFFER_BYTES = 32 * 1024


class FolderAway(OSError):
    """Files were saved, and the folder is not the one they are in. Nothing was changed."""


def root() -> Path:
    """The folder, known by its mark; made and marked while nothing is saved. Raises FolderAway."""
    folder: Path = settings.STORYKEEP.artifacts
    # One look, not mkdir's: this is asked for every file.
    if not os.path.exists(folder / MARK):  # noqa: PTH110
        if is_away():
            raise FolderAway(errno.ENOENT, "not the folder the saved files are in", str(folder))
        _made(folder)
        with contextlib.suppress(OSError):  # who may only read leaves it to those who write
            (folder / MARK).write_text(_SAID)
    return folder


def is_away() -> bool:
    """Is there another folder in place of the one files were saved in, or none?

    So it is while a disk is not mounted: what is missing there is not lost, and what was written
    there would be. The database is asked only where the mark is missing.
    """
    folder: Path = settings.STORYKEEP.artifacts
    if (folder / MARK).exists():
        return False
    saved = Artifact.objects.present(timezone.now()).order_by("-created_at")
    names = [str(one) for one in saved.values_list("pk", flat=True)[:_LOOKS]]
    return bool(names) and not any((folder / name[:2] / name).exists() for name in names)


def free_bytes() -> int:
    """What the file system has left for us, whether or not the folder is the right one."""
    found = os.statvfs(_made(settings.STORYKEEP.artifacts))
    return found.f_bavail * found.f_frsize


def _made(folder: Path) -> Path:
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def try_writing() -> None:
    """Write a byte to a file without a name, which is gone again at once.

    Raises OSError, or DiskFull. Unlike a workspace it asks the database nothing.
    """
    work = _made(settings.STORYKEEP.artifacts) / WORK
    with disk_errors():
        work.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=work) as file:
            file.write(b"x")
            file.flush()


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """Turn FolderAway and the operating system's "disk full" and "over quota" into DiskFull."""
    try:
        yield
    except FolderAway as error:
        raise DiskFull("the folder for saved files is away", retry_after_s=RETRY_S) from error
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
