"""The library's folder: its free space, and files that are written and removed in it.

    <library>/<member>/<author>/<year>/<name>       a file that is kept for good
    <library>/.storykeep-library                    the mark, see `library_mark`
    <library>/…/.storykeep-<number>-<random>.part   a file that is arriving

Nothing is overwritten, and a name stands for a whole file or for none. Below the library no
symbolic link is followed: everything is opened relative to a folder that was itself opened. What is
made in it is as open to others as the library itself, whatever this process's umask: a photo
library has to read it.

Who works in it holds it (`held`), though another folder stands at its path since.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID

from django.conf import settings

from jobs.files import disk, library_mark
from jobs.files.library_mark import LibraryAway
from jobs.models import LibraryMark

STALE_AFTER_S: Final = 24 * 3600.0
"""A part as old as this was left by a worker that died."""

_TEXT: Final = (
    "Storykeep keeps stories for good here. A folder without this file is taken for another one.\n"
    "{mark}\n"
)
_UUID: Final = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PART: Final = re.compile(r"\.storykeep-(\d+)-[0-9a-f]{16}\.part")
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NO_LINKS: Final = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL}
)
_NOREPLACE: Final = 1
_MADE_MODE: Final = 0o755
"""Of a library's folder that is made here; one that is there keeps its own."""
_FOLDER_BITS: Final = 0o2777
_FILE_BITS: Final = 0o666


class LibraryFull(OSError):
    """There is no room for another file."""


class NameTaken(Exception):
    """Something else has this name."""


class Changed(Exception):
    """The file is not as it was written, and stays."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file as it was written. sha256, sha1: in hex."""

    size_bytes: int
    sha256: str
    sha1: str


@dataclass(frozen=True, slots=True)
class Held:
    """The library's folder while it is held open. folder: its descriptor."""

    path: Path
    folder: int
    mark: UUID

    def require_here(self, path: str = "") -> None:
        """Raise LibraryAway unless the marked folder still stands at the library's path, and
        FileNotFoundError unless there is a file at `path` in it, "" for none in particular."""
        try:
            there, mine = self.path.stat(), os.fstat(self.folder)
            is_here = os.path.samestat(there, mine) and library_mark.read(self.path) == self.mark
        except (FileNotFoundError, NotADirectoryError):
            is_here = False
        if not is_here:
            raise LibraryAway(errno.ENOENT, "the library went away")
        if path:
            folders, name = _split(path)
            with _opened(self.folder, folders) as folder:
                os.stat(name, dir_fd=folder, follow_symlinks=False)


# --- which folder it is ---------------------------------------------------------------------------


def is_set() -> bool:
    """Whether this instance has a library."""
    return settings.STORYKEEP.library_dir is not None


def root() -> Path:
    """The library's folder; made and marked when it is used for the first time.

    A library outlives databases: one that is marked already is taken by a database that has none
    yet. An empty mark is taken too, for whoever put it there says so. Raises LibraryAway, and
    OSError for a disk that fails.
    """
    folder: Path | None = settings.STORYKEEP.library_dir
    if folder is None:
        raise LibraryAway(errno.ENOENT, "there is no library")
    known = LibraryMark.objects.values_list("mark", flat=True).first()
    if known is None:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(_MADE_MODE)
        library_mark.adopt(folder)
    else:
        library_mark.require(folder, known)
    return folder


@contextmanager
def held() -> Iterator[Held]:
    """The library, held open so that it stays the same folder. Raises what `root` raises."""
    path = root()
    mark = LibraryMark.objects.values_list("mark", flat=True).get()
    try:
        folder = os.open(path, _FOLDER & ~os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        raise LibraryAway(errno.ENOENT, "the library went away") from None
    try:
        library = Held(path, folder, mark)
        library.require_here()
        yield library
    finally:
        os.close(folder)


def is_away() -> bool:
    """Whether there is a library that cannot be used now. Makes and marks nothing."""
    folder: Path | None = settings.STORYKEEP.library_dir
    if folder is None:
        return False
    known = LibraryMark.objects.values_list("mark", flat=True).first()
    try:
        return known is not None and library_mark.read(folder) not in {known, ""}
    except OSError:
        return True


def require_room(folder: int, size_bytes: int) -> None:
    """Raise LibraryFull when so many bytes more would leave less than STORYKEEP_DISK_MIN_FREE."""
    facts = os.statvfs(folder)
    free_bytes = facts.f_bavail * facts.f_frsize
    if free_bytes - size_bytes <= int(settings.STORYKEEP.disk_min_free):
        raise LibraryFull(errno.ENOSPC, "the library's disk is nearly full")


# --- folders --------------------------------------------------------------------------------------


@contextmanager
def _opened(library: int, parts: Sequence[str], *, make: bool = False) -> Iterator[int]:
    """The descriptor of a folder in the library. Raises FileNotFoundError, NotADirectoryError."""
    at = os.open(".", _FOLDER, dir_fd=library)
    mode = os.fstat(at).st_mode & _FOLDER_BITS
    try:
        for part in parts:
            made = False
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, 0o700, dir_fd=at)
                    os.fsync(at)
                    made = True
            inner = os.open(part, _FOLDER, dir_fd=at)
            if made:
                with suppress(OSError):  # some shares keep no modes
                    os.fchmod(inner, mode)
            os.close(at)
            at = inner
        yield at
    finally:
        os.close(at)


def _split(path: str) -> tuple[list[str], str]:
    """Folders and name of a path in the library. Raises ValueError for one that leads out of it."""
    *folders, name = path.split("/")
    if not name or any(part in {"", ".", ".."} or "\0" in part for part in (*folders, name)):
        raise ValueError("no path in the library")
    return folders, name


# --- writing --------------------------------------------------------------------------------------


class Part:
    """A file that is arriving in a folder of the library; closed and gone when it is left.

    A context manager. library: descriptor of the library's folder. number: of the row it is for, by
    which what a dead worker left is told. tidy: remove such parts first.
    """

    def __init__(
        self, library: int, folders: Sequence[str], number: int, *, tidy: bool = True
    ) -> None:
        self._context = _opened(library, folders, make=True)
        self._number, self._tidy = number, tidy
        self._name = f".storykeep-{number}-{secrets.token_bytes(8).hex()}.part"
        self._folder = -1
        self._file: BinaryIO
        self._sha256, self._sha1 = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
        self._size_bytes = 0

    def __enter__(self) -> Part:
        self._folder = self._context.__enter__()
        try:
            if self._tidy:
                _remove_stale_parts(self._folder, self._number)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.fdopen(os.open(self._name, flags, 0o600, dir_fd=self._folder), "wb")
            with suppress(OSError):
                os.fchmod(self._file.fileno(), os.fstat(self._folder).st_mode & _FILE_BITS)
        except BaseException:
            self._context.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            os.unlink(self._name, dir_fd=self._folder)
        self._context.__exit__(None, None, None)

    def write(self, chunks: Iterable[bytes], heartbeat: Callable[[], None] | None = None) -> None:
        """Write chunks, and sync them to the disk. heartbeat: called for each; may raise to stop.

        Raises OSError.
        """
        for chunk in chunks:
            self._file.write(chunk)
            self._sha256.update(chunk)
            self._sha1.update(chunk)
            self._size_bytes += len(chunk)
            if heartbeat is not None:
                heartbeat()
        self._file.flush()
        os.fsync(self._file.fileno())

    @property
    def written(self) -> Written:
        """What has been written."""
        return Written(self._size_bytes, self._sha256.hexdigest(), self._sha1.hexdigest())

    def is_there(self, name: str) -> bool:
        """Whether a file with the very same bytes has this name already; False where nothing has
        it. Raises NameTaken when something else has."""
        try:
            os.stat(name, dir_fd=self._folder, follow_symlinks=False)
        except FileNotFoundError:
            return False
        if _digest_of(self._folder, name, self._size_bytes) != self._sha256.hexdigest():
            raise NameTaken(name)
        return True

    def give_name(self, name: str, at: datetime) -> bool:
        """Give the file its name, and the time `at`; False where a file with the very same bytes
        has it already. Raises NameTaken when something else has."""
        with suppress(OSError, OverflowError):  # some shares keep no times
            os.utime(self._file.fileno(), (at.timestamp(), at.timestamp()))
        if _rename_without_replacing(self._folder, self._name, name):
            os.fsync(self._folder)
            return True
        self.is_there(name)
        return False


def _rename_without_replacing(folder: int, part: str, name: str) -> bool:
    """Give a file its name in a folder; False when the name is taken, even if only just now."""
    try:
        os.link(part, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return _rename_by_system_call(folder, part, name)
    return True


def _rename_by_system_call(folder: int, part: str, name: str) -> bool:
    """The same where there are no hard links: a share, a USB stick."""
    library = ctypes.CDLL(None, use_errno=True)
    rename = getattr(library, "renameat2", None)
    if rename is not None:
        if rename(folder, os.fsencode(part), folder, os.fsencode(name), _NOREPLACE) == 0:
            return True
        code = ctypes.get_errno()
        if code == errno.EEXIST:
            return False
        if code not in _NO_LINKS:
            raise OSError(code, os.strerror(code), name)
    # Not even that: the name is taken first, then filled at once.
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        os.close(os.open(name, flags, 0o600, dir_fd=folder))
    except FileExistsError:
        return False
    try:
        os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        os.unlink(name, dir_fd=folder)
        raise
    return True


def _remove_stale_parts(folder: int, number: int) -> None:
    """Remove what dead workers left in a folder: of this row's earlier tries, and what is old."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            part = _PART.fullmatch(entry.name)
            if part is None:
                continue
            with suppress(OSError):
                facts = entry.stat(follow_symlinks=False)
                is_old = time.time() - facts.st_mtime > STALE_AFTER_S
                if stat.S_ISREG(facts.st_mode) and (is_old or int(part[1]) == number):
                    os.unlink(entry.name, dir_fd=folder)


# --- reading and removing -------------------------------------------------------------------------


def _digest_of(folder: int, name: str, size_bytes: int) -> str:
    """SHA-256 of a file of this length; "" for anything else."""
    try:
        file = os.open(name, _READ, dir_fd=folder)
    except OSError:
        return ""
    facts = os.fstat(file)
    if not stat.S_ISREG(facts.st_mode) or facts.st_size != size_bytes:
        os.close(file)
        return ""
    with os.fdopen(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def open_file(path: str) -> BinaryIO:
    """A file of the library, open for reading. Raises LibraryAway, FileNotFoundError, OSError."""
    folders, name = _split(path)
    with held() as library, _opened(library.folder, folders) as folder:
        file = os.open(name, _READ, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise FileNotFoundError(errno.ENOENT, "not a file", path)
    return os.fdopen(file, "rb")


def remove_if_unchanged(path: str, sha256: str) -> bool:
    """Delete a file that has the bytes it was written with; False when it is not there any more.

    Raises Changed, LibraryAway, OSError.
    """
    folders, name = _split(path)
    try:
        with held() as library, _opened(library.folder, folders) as folder:
            facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if _digest_of(folder, name, facts.st_size) != sha256:
                raise Changed(path)
            os.unlink(name, dir_fd=folder)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def remove_empty_folders(path: str) -> None:
    """Remove the folders a file lay in, but for its member's, where nothing is in them any more.

    Raises LibraryAway.
    """
    folders, _name = _split(path)
    with held() as library:
        while len(folders) > 1:
            name = folders.pop()
            try:
                with _opened(library.folder, folders) as folder:
                    os.rmdir(name, dir_fd=folder)
            except OSError:  # something is in it
                return


def is_full(error: OSError) -> bool:
    """Whether an error says that there is no room."""
    return isinstance(error, LibraryFull) or error.errno in disk.DISK_FULL_ERRORS
