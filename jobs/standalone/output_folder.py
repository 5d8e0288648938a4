"""The output folder of a run: files appear in it whole, and nothing is overwritten.

<folder>/.storykeep-<random>/<n>.part    a file that is arriving; removed when the run is over
<folder>/<name>                          a finished file
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

from jobs.errors import DiskFull
from jobs.files import disk, names

CHUNK_BYTES: Final = 1024 * 1024
WORKSPACE_PREFIX: Final = ".storykeep-"
STALE_AFTER_S: Final = 60.0
"""An unlocked workspace older than this was left by a run that was killed."""

_WORKSPACE_NAME = re.compile(re.escape(WORKSPACE_PREFIX) + r"[a-z0-9_]{8}")
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_MAX_SIDECAR_BYTES = 1024 * 1024


class FolderFull(DiskFull):
    """The output folder cannot be made or takes no more files. `detail` says why."""

    message = "The output folder takes no more files."
    hint = "Make room, see whether it can be written, or choose another one."


@contextmanager
def translate_write_errors() -> Iterator[None]:
    """Turn an OSError or DiskFull into FolderFull."""
    try:
        yield
    except FolderFull:
        raise
    except DiskFull as error:
        raise FolderFull(error.detail) from error
    except OSError as error:
        raise FolderFull(error.strerror or type(error).__name__) from error


class OutputFolder:
    """An output folder, with the hidden workspace of a harvest in it.

    A context manager: leaving it removes the workspace. The folder is made when it is missing, and
    removed again when it stays empty. Entering raises FolderFull when it cannot be written. `place`
    and `place_sidecar` are not thread-safe.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._created = False
        self._lock = threading.Lock()
        self._count = 0
        self._open: dict[str, BinaryIO] = {}
        self._reserved: Counter[str] = Counter()
        self._workspace: Path
        self._workspace_fd = -1

    def __enter__(self) -> Self:
        with translate_write_errors():
            if not self.path.is_dir():
                self.path.mkdir(parents=True)
                self._created = True
            self._workspace = Path(tempfile.mkdtemp(prefix=WORKSPACE_PREFIX, dir=self.path))
            self._workspace_fd = os.open(
                self._workspace, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
            )
            _lock_folder(self._workspace_fd)
        _remove_stale(self.path)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            unfinished = list(self._open.values())
            self._open.clear()
        for file in unfinished:
            with suppress(OSError, DiskFull):
                file.close()
        shutil.rmtree(self._workspace, ignore_errors=True)
        os.close(self._workspace_fd)
        if self._created:
            with suppress(OSError):  # it is not empty: it stays
                self.path.rmdir()

    # --- files that arrive -----------------------------------------------------------------------

    def create(self) -> tuple[str, BinaryIO]:
        """A new empty file open for reading and writing, and its key. Raises FolderFull."""
        with self._lock:
            self._count += 1
            key = f"{self._count}.part"
        with translate_write_errors():
            file = disk.create_file(self._workspace / key)
        with self._lock:
            self._open[key] = file
        return key, file

    def discard(self, key: str) -> None:
        """Remove a file and release its reservation. Twice is harmless."""
        part = self._workspace / key
        with suppress(FileNotFoundError):
            self._release(key)
            part.unlink()

    def reserve(self, size_bytes: int, key: str = "") -> None:
        """Reserve space. Raises FolderFull when the disk has no room for this many bytes more.

        key: of the file they are for; "" for none in particular.
        """
        with translate_write_errors():
            disk_space = os.statvfs(self._workspace)
        with self._lock:
            keys = list(self._open)
            announced = self._reserved.total() + size_bytes
        written = 0
        for key in keys:
            with suppress(FileNotFoundError):
                written += (self._workspace / key).stat().st_size
        if announced - written > disk_space.f_bavail * disk_space.f_frsize:
            raise FolderFull("the disk is full")
        with self._lock:
            self._reserved[key] += size_bytes

    def open(self, key: str) -> BinaryIO:
        """A complete file, open for reading."""
        return (self._workspace / key).open("rb")

    def measure(self, key: str, heartbeat: Callable[[], None]) -> tuple[str, int]:
        """A file's SHA-256 in hex and its size in bytes.

        heartbeat: called between chunks; may raise to stop.
        """
        digest, size_bytes = hashlib.sha256(), 0
        with self.open(key) as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                size_bytes += len(chunk)
                heartbeat()
        return digest.hexdigest(), size_bytes

    def complete(self, key: str) -> None:
        """Mark a file as complete; it stays in the workspace, for the ZIP."""
        self._release(key)

    def _release(self, key: str) -> None:
        with self._lock:
            self._open.pop(key, None)
            # Bytes announced that never came are released when nothing is being written.
            self._reserved.pop(key, None)
            if not self._open:
                self._reserved.clear()

    # --- finished files -----------------------------------------------------------------------

    def place(
        self,
        key: str,
        name: str,
        sha256: str,
        size_bytes: int,
        *,
        within: str = "",
        at: datetime | None = None,
    ) -> Path:
        """Move a complete file to its name, or to the next free one; its path.

        Where a file of that name has the same bytes, it stays and the new one is removed. within: a
        folder in the output folder. at: the time the file is given; None leaves it as it is. Raises
        FolderFull.
        """
        part = self._workspace / key
        with translate_write_errors():
            _sync(part)
            _set_time(part, at)
            for path in self._free_names(name, within):
                if _has_content(path, sha256, size_bytes) or _move_if_free(part, path):
                    break
            self.discard(key)
            self._release(key)
        return path

    def place_sidecar(
        self, name: str, content: bytes, *, within: str = "", at: datetime | None = None
    ) -> Path:
        """Write a sidecar beside its files; its path. An equal one of an earlier run stays.

        at: the time the file is given; None leaves it as it is.
        """
        key, file = self.create()
        with translate_write_errors(), file:
            file.write(content)
        part = self._workspace / key
        with translate_write_errors():
            _sync(part)
            _set_time(part, at)
            for path in self._free_names(name, within):
                if _is_same_sidecar(path, content) or _move_if_free(part, path):
                    break
            self.discard(key)
            self._release(key)
        return path

    def _free_names(self, name: str, within: str) -> Iterator[Path]:
        """The name, then the name with 2, 3, …: without end, so a loop ends by success."""
        folder = self._subfolder(within) if within else self.path
        taken: set[str] = set()
        while True:
            free = names.unique_name(name, taken)
            yield folder / free
            taken.add(names.collision_key(free))

    def _subfolder(self, within: str) -> Path:
        taken: set[str] = set()
        while True:
            free = names.unique_name(within, taken)
            path = self.path / free
            with suppress(FileExistsError):
                path.mkdir()
            if path.is_dir():
                return path
            taken.add(names.collision_key(free))  # a file has that name


# --- the operating system -----------------------------------------------------------------------


def _lock_folder(folder_fd: int) -> None:
    """Lock a workspace for as long as this process lives."""
    with suppress(OSError):  # some network file systems cannot; then none is ever removed
        fcntl.flock(folder_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _remove_stale(folder: Path) -> None:
    """Remove the workspaces of runs that were killed."""
    with suppress(OSError):
        for path in folder.iterdir():
            if _WORKSPACE_NAME.fullmatch(path.name) and not path.is_symlink():
                with suppress(OSError):
                    _remove_if_unlocked(path)


def _remove_if_unlocked(path: Path) -> None:
    if time.time() - path.stat().st_mtime < STALE_AFTER_S:
        return
    lock_fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: a run is using it
        shutil.rmtree(path)
    finally:
        os.close(lock_fd)


def _sync(path: Path) -> None:
    """Write the bytes to the disk, so that a power cut cannot leave a name without them."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _set_time(path: Path, at: datetime | None) -> None:
    """Date a file; where the file system keeps no such date, the file is saved all the same."""
    if at is not None:
        with suppress(OSError, OverflowError):
            os.utime(path, (at.timestamp(), at.timestamp()))


def _move_if_free(part: Path, path: Path) -> bool:
    """Give a file its name; False when the name is taken, even if only just now."""
    try:
        os.link(part, path, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # No hard links here (a USB stick, a share): take the name first, then fill it at once.
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
        except FileExistsError:
            return False
        try:
            part.replace(path)
        except OSError:
            path.unlink()
            raise
    return True


def _has_content(path: Path, sha256: str, size_bytes: int) -> bool:
    """Whether there is a file with this content already."""
    try:
        with _open_without_waiting(path) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size != size_bytes:
                return False
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _is_same_sidecar(path: Path, content: bytes) -> bool:
    """Whether there is a sidecar that differs in nothing but the time it was written."""
    try:
        with _open_without_waiting(path) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_SIDECAR_BYTES:
                return False
            return _comparable(file.read()) == _comparable(content)
    except (OSError, ValueError, RecursionError):
        return False


def _comparable(sidecar: bytes) -> dict[str, Any]:
    facts = json.loads(sidecar)
    if not isinstance(facts, dict):
        raise ValueError("not a sidecar")  # noqa: TRY004 - its content is wrong, not its type
    return {name: value for name, value in facts.items() if name != "captured_at"}


def _open_without_waiting(path: Path) -> BufferedReader:
    # A pipe of that name would otherwise wait for its other end.
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
