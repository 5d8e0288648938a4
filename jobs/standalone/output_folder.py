"""A folder of someone's own choosing: files appear in it whole, and nothing is overwritten.

<folder>/.storykeep-<random>/<n>.part    what is arriving; gone when the run is over
<folder>/<name>                          finished
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

from jobs.errors import DiskFull
from jobs.files import disk, names

CHUNK_BYTES: Final = 1024 * 1024
PREFIX: Final = ".storykeep-"
STALE_S: Final = 60.0
"""A workspace this old that nobody holds was left by a run that was killed."""

_OURS = re.compile(re.escape(PREFIX) + r"[a-z0-9_]{8}")
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_MOST_SIDECAR_BYTES = 1024 * 1024


class FolderFull(DiskFull):
    """The folder takes no more files. `detail` says why."""

    message = "The output folder takes no more files."
    hint = "Make room, see whether it can be written, or choose another one."


@contextmanager
def written() -> Iterator[None]:
    """Turn whatever the operating system has against writing into FolderFull."""
    try:
        yield
    except FolderFull:
        raise
    except DiskFull as error:
        raise FolderFull(error.detail) from error
    except OSError as error:
        raise FolderFull(error.strerror or type(error).__name__) from error


class Folder:
    """An output folder with a hidden workspace in it; leaving the block removes the workspace.

    The folder is made when it is missing, and removed again when nothing came to lie in it.
    Entering raises FolderFull when it cannot be written. Serves as the workspace of a harvest.
    `place` and `place_sidecar` are for one thread at a time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._made = False
        self._lock = threading.Lock()
        self._count = 0
        self._open: dict[str, BinaryIO] = {}
        self._reserved = 0
        self._work: Path
        self._held = -1

    def __enter__(self) -> Self:
        with written():
            if not self.path.is_dir():
                self.path.mkdir(parents=True)
                self._made = True
            self._work = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self.path))
            self._held = os.open(self._work, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            _hold(self._held)
        _remove_stale(self.path)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            left = list(self._open.values())
            self._open.clear()
        for file in left:
            with suppress(OSError, DiskFull):
                file.close()
        shutil.rmtree(self._work, ignore_errors=True)
        os.close(self._held)
        if self._made:
            with suppress(OSError):  # something lies in it: it stays
                self.path.rmdir()

    # --- what is arriving -----------------------------------------------------------------------

    def create(self) -> tuple[str, BinaryIO]:
        """A new empty file open for reading and writing, and its key. Raises FolderFull."""
        with self._lock:
            self._count += 1
            key = f"{self._count}.part"
        with written():
            file = disk.create_file(self._work / key)
        with self._lock:
            self._open[key] = file
        return key, file

    def discard(self, key: str) -> None:
        """Forget a file and give its room back. Twice is harmless."""
        part = self._work / key
        with suppress(FileNotFoundError):
            self._let_go(key, part.stat().st_size)
            part.unlink()

    def reserve(self, size_bytes: int) -> None:
        """Raise FolderFull when the disk has no room for this many bytes more."""
        with written():
            found = os.statvfs(self._work)
        with self._lock:
            keys = list(self._open)
            announced = self._reserved + size_bytes
        here = 0
        for key in keys:
            with suppress(FileNotFoundError):
                here += (self._work / key).stat().st_size
        if announced - here > found.f_bavail * found.f_frsize:
            raise FolderFull("the disk is full")
        with self._lock:
            self._reserved = announced

    def open(self, key: str) -> BinaryIO:
        """A finished file once more, for reading."""
        return (self._work / key).open("rb")

    def measure(self, key: str, beat: Callable[[], None]) -> tuple[str, int]:
        """Its SHA-256 and its size. beat: called between chunks, may raise to stop."""
        digest, size_bytes = hashlib.sha256(), 0
        with self.open(key) as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                size_bytes += len(chunk)
                beat()
        return digest.hexdigest(), size_bytes

    def finished(self, key: str, size_bytes: int) -> None:
        """It has arrived and waits here for the ZIP."""
        self._let_go(key, size_bytes)

    def _let_go(self, key: str, size_bytes: int) -> None:
        with self._lock:
            self._open.pop(key, None)
            # What was announced and never came is given back when nothing is being written.
            self._reserved = max(0, self._reserved - size_bytes) if self._open else 0

    # --- what is finished -----------------------------------------------------------------------

    def place(self, key: str, name: str, sha256: str, size_bytes: int, *, within: str = "") -> Path:
        """Move a finished file to its name, or to the next free one; where it lies.

        A file of that name with the same bytes stays and ours goes. Raises FolderFull.
        """
        part = self._work / key
        with written():
            _to_disk(part)
            for path in self._free_names(name, within):
                if _holds(path, sha256, size_bytes) or _moved(part, path):
                    break
            self.discard(key)
            self._let_go(key, size_bytes)
        return path

    def place_sidecar(self, name: str, content: bytes, *, within: str = "") -> Path:
        """Write a sidecar beside its files; one that says the same of an earlier run stays."""
        key, file = self.create()
        with written(), file:
            file.write(content)
        part = self._work / key
        with written():
            _to_disk(part)
            for path in self._free_names(name, within):
                if _says_the_same(path, content) or _moved(part, path):
                    break
            self.discard(key)
            self._let_go(key, 0)
        return path

    def _free_names(self, name: str, within: str) -> Iterator[Path]:
        """The name, then the name with 2, 3, …: without end, so a loop leaves it by success."""
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


def _hold(folder: int) -> None:
    """Mark a workspace as in use for as long as this process lives."""
    with suppress(OSError):  # some network file systems cannot; then nothing is ever taken away
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _remove_stale(folder: Path) -> None:
    """Take away workspaces of runs that were killed, as no block could."""
    with suppress(OSError):
        for path in folder.iterdir():
            if _OURS.fullmatch(path.name) and not path.is_symlink():
                with suppress(OSError):
                    _remove_if_left(path)


def _remove_if_left(path: Path) -> None:
    if time.time() - path.stat().st_mtime < STALE_S:
        return
    held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: somebody works there
        shutil.rmtree(path)
    finally:
        os.close(held)


def _to_disk(path: Path) -> None:
    """Survive a power cut: the bytes before the name."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _moved(part: Path, path: Path) -> bool:
    """Give a file its name; False when the name is taken, whoever took it just now."""
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


def _holds(path: Path, sha256: str, size_bytes: int) -> bool:
    """Does a file of these bytes lie there already?"""
    try:
        with _opened(path) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size != size_bytes:
                return False
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _says_the_same(path: Path, content: bytes) -> bool:
    """Is there a sidecar that differs in nothing but the moment it was written?"""
    try:
        with _opened(path) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_SIDECAR_BYTES:
                return False
            return _lasting(file.read()) == _lasting(content)
    except (OSError, ValueError, RecursionError):
        return False


def _lasting(sidecar: bytes) -> dict[str, Any]:
    facts = json.loads(sidecar)
    if not isinstance(facts, dict):
        raise ValueError("not a sidecar")  # noqa: TRY004 - its content is wrong, not its type
    return {name: value for name, value in facts.items() if name != "captured_at"}


def _opened(path: Path) -> BufferedReader:
    # Without waiting: a pipe of that name would have us wait for its other end.
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
