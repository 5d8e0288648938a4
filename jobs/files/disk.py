"""The disk saved files are on: the artifact folder, its free space, and its errors.

A mark tells our folder from the empty mount point of a disk that is not mounted, and from the
folder of another database. Where saved files are in a bucket, the folder holds what is not finished
yet, and whether it can be used is asked of the bucket as well.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from django.conf import settings

from jobs.errors import DiskFull, NoSpaceLeft, StorageUnavailable
from jobs.files import bucket_address, bucket_mark, marks
from jobs.files.marks import Mark

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

WORK: Final = "work"
"""The folder below the artifact folder for files that are not finished."""
SHARDS: Final = tuple(f"{number:02x}" for number in range(256))
"""Names of the folders saved files lie in: the first two hex digits of their ids."""
DISK_FULL_ERRORS: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
DISK_FAULTS: Final = frozenset(
    {
        errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO,
        errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EREMOTEIO, errno.ENOMEDIUM,
        errno.EUCLEAN, errno.EBADMSG,
    }
)  # fmt: skip
"""What the system says of a disk that is read-only, forbidden, broken, gone, or a share whose
server is; "no such file" says nothing of the disk."""
RETRY_S: Final = 300.0
"""Seconds until the next try after a full disk, when no file is known to expire sooner."""
FAULT_RETRY_S: Final = 30.0
"""Seconds until the next try after a fault of the disk. Each begins with `require_usable`."""

# Transfers write more than this at a time, and that goes straight through.
_BUFFER_BYTES = 32 * 1024


_faulty: Final = threading.Event()
"""The disk failed this process, and nothing was written since."""


class StorageNotMounted(OSError):
    """The artifact folder is not the one our files are in. Nothing was changed."""


def root() -> Path:
    """The artifact folder; made and marked while nothing is saved. Raises StorageNotMounted, and
    OSError for a bucket that is away."""
    folder: Path = settings.STORYKEEP.artifacts
    if bucket_address.is_set():
        require_bucket()
        return _ensure(folder)
    mark = marks.look(folder)
    if mark is not Mark.OURS:
        if _is_another(folder, mark):
            raise StorageNotMounted(
                errno.ENOENT, "not the folder the saved files are in", str(folder)
            )
        _ensure(folder)
        marks.put(folder)
    return folder


def require_bucket() -> None:
    """Raise StorageNotMounted for a bucket that is not the one our files are in, and OSError while
    it does not give us any. Costs nothing where that was seen within the minute."""
    look = bucket_mark.looks.look()
    if look.read_fault is not None:
        raise OSError(*look.read_fault.args)
    if look.is_another:
        raise StorageNotMounted(errno.ENOENT, "not the bucket the saved files are in")


def is_unmounted(*, again: bool = False) -> bool:
    """Whether the artifact folder is missing, or another one than files were saved in.

    That is so while its disk is not mounted: saved files are not lost then, and what was written
    would be. Nor are those that another database knows: ours may be the one that is new, in the
    place of a data folder that is away. The database is asked only where the mark is not known.

    again: it is asked all the same, before something is given up. Raises OSError for a bucket that
    is away.
    """
    if bucket_address.is_set():
        look = bucket_mark.looks.look(again=again)
        if look.read_fault is not None:
            raise OSError(*look.read_fault.args)
        return look.is_another
    folder: Path = settings.STORYKEEP.artifacts
    return _is_another(folder, marks.look(folder, again=again))


def adopt() -> None:
    """Have the place of saved files taken for the one in use: its database was restored.

    Raises OSError.
    """
    if bucket_address.is_set():
        bucket_mark.adopt()
    else:
        marks.adopt(settings.STORYKEEP.artifacts)


def _is_another(folder: Path, mark: Mark) -> bool:
    return marks.is_another(
        mark,
        exists=lambda name: (folder / name[:2] / name).exists(),
        holds_files=lambda: _holds_files(folder),
    )


def _holds_files(folder: Path) -> bool:
    """Whether anything lies where saved files do."""
    return any(any((folder / shard).glob("*")) for shard in SHARDS)


def is_away(*, again: bool = False) -> bool:
    """Whether the saved files cannot be had: the folder is another one, or does not answer.

    again: as in `is_unmounted`.
    """
    try:
        return is_unmounted(again=again)
    except OSError:
        return True


def free_bytes() -> int:
    """Bytes the file system has left for us, whether or not the folder is the right one.

    Of a folder that is not there, those of the one it would be made in.
    """
    folder: Path = settings.STORYKEEP.artifacts
    while True:
        try:
            facts = os.statvfs(folder)
        except FileNotFoundError:
            if folder == folder.parent:
                raise
            folder = folder.parent
        else:
            return facts.f_bavail * facts.f_frsize


def _ensure(folder: Path) -> Path:
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def probe_write() -> None:
    """Write a byte to a file without a name, which is gone again at once; where saved files are in
    a bucket, see whether that takes any as well.

    Raises StorageUnavailable, NoSpaceLeft, or another OSError. Unlike a workspace it asks the
    database nothing.
    """
    work = _ensure(settings.STORYKEEP.artifacts) / WORK
    with translate_disk_errors():
        work.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=work) as file:
            file.write(b"x")
            file.flush()
        if bucket_address.is_set():
            require_bucket()
            fault = bucket_mark.looks.look().write_fault
            if fault is not None:
                raise OSError(*fault.args)


def require_usable() -> None:
    """Before new work: see whether a disk that failed this process works again.

    Raises StorageUnavailable or NoSpaceLeft while it does not; so TikTok is not asked for what
    cannot be saved. Costs nothing while all is well.
    """
    if _faulty.is_set():
        probe_write()
        _faulty.clear()


@contextlib.contextmanager
def translate_disk_errors(*, missing: bool = False) -> Iterator[None]:
    """Raise StorageUnavailable for StorageNotMounted and the system's DISK_FAULTS, and NoSpaceLeft
    for its "disk full" (of bytes or of files) and "over quota"; other errors unchanged.

    missing: what is used here is our own and there, so that "no such file" is a fault as well: the
    folder was exchanged.
    """
    try:
        yield
    except OSError as error:
        fault = _fault(error, missing=missing)
        if fault is None:
            raise
        _faulty.set()
        bucket_mark.looks.doubt()
        raise fault from error


def _fault(error: OSError, *, missing: bool) -> DiskFull | None:
    if isinstance(error, StorageNotMounted):
        detail = "the place for saved files is away"
        return StorageUnavailable(detail, retry_after_s=FAULT_RETRY_S)
    if error.errno in DISK_FULL_ERRORS:
        return NoSpaceLeft("the disk is full", retry_after_s=FAULT_RETRY_S)
    if error.errno in DISK_FAULTS or (missing and error.errno == errno.ENOENT):
        name = errno.errorcode[error.errno]
        return StorageUnavailable(f"the disk answers {name}", retry_after_s=FAULT_RETRY_S)
    return None


class _RawFile(io.FileIO):
    """A file that raises StorageUnavailable and NoSpaceLeft for faults of the disk."""

    def write(self, data: ReadableBuffer, /) -> int:
        with translate_disk_errors():
            return self._put(data)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        with translate_disk_errors():
            return super().readinto(buffer)

    def _put(self, data: ReadableBuffer) -> int:
        return super().write(data)


def create_file(path: Path | str, opener: Callable[[str, int], int] | None = None) -> BinaryIO:
    """A new file open for reading and writing.

    Raises StorageUnavailable and NoSpaceLeft, as may reading and writing it.
    """
    with translate_disk_errors(missing=True):
        raw = _RawFile(path, "x+b", opener=opener)
        return cast("BinaryIO", io.BufferedRandom(raw, buffer_size=_BUFFER_BYTES))
