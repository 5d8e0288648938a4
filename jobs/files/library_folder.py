"""The library's folder: its free space, and files that are read and removed in it.

    <library>/<member>/<author>/<year>/<name>       a file that is kept for good
    <library>/.storykeep-library                    the mark, see `library_mark`
    <library>/.storykeep-arriving                   what is being written, see `library_parts`

A name stands for a whole file or for none. Below the library no symbolic link is followed:
everything is opened relative to a folder that was itself opened. What is made in it is as open to
others as the library itself, whatever this process's umask: a photo library has to read it.

Who works in it holds it (`held`), though another folder stands at its path since.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID

from django.conf import settings

from jobs.files import disk, library_mark
from jobs.files.library_mark import LibraryAway
from jobs.models import LibraryMark

FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MADE_MODE: Final = 0o755
"""Of a library's folder that is made here; one that is there keeps its own."""
_FRESH_MODE: Final = 0o1700
"""Of a folder that is being made: nobody makes any like this, so it is told from theirs."""
_FOLDER_BITS: Final = 0o2777


class LibraryFull(OSError):
    """There is no room for another file."""


class Changed(Exception):
    """The file is not as it was written, and stays."""


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
            folders, name = split(path)
            with opened(self.folder, folders) as folder:
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
        _make(folder)
        library_mark.adopt(folder)
    else:
        library_mark.require(folder, known)
    return folder


def _make(folder: Path) -> None:
    """Make the library's folder; also one that a worker who died had not opened to others yet."""
    made = not folder.is_dir()
    if made:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(_FRESH_MODE, exist_ok=True)
    at = os.open(folder, FOLDER & ~os.O_NOFOLLOW)
    try:
        if made or _is_fresh(at):
            os.fchmod(at, _MADE_MODE)
    finally:
        os.close(at)


@contextmanager
def held() -> Iterator[Held]:
    """The library, held open so that it stays the same folder. Raises what `root` raises."""
    path = root()
    mark = LibraryMark.objects.values_list("mark", flat=True).get()
    try:
        folder = os.open(path, FOLDER & ~os.O_NOFOLLOW)
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
def opened(library: int, parts: Sequence[str], *, make: bool = False) -> Iterator[int]:
    """The descriptor of a folder in the library. Raises FileNotFoundError, NotADirectoryError."""
    at = os.open(".", FOLDER, dir_fd=library)
    mode = os.fstat(at).st_mode & _FOLDER_BITS
    try:
        for part in parts:
            made = False
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, _FRESH_MODE, dir_fd=at)
                    os.fsync(at)
                    made = True
            inner = os.open(part, FOLDER, dir_fd=at)
            if made or (make and _is_fresh(inner)):
                with suppress(OSError):  # some shares keep no modes
                    os.fchmod(inner, mode)
            os.close(at)
            at = inner
        yield at
    finally:
        os.close(at)


def _is_fresh(folder: int) -> bool:
    """Whether a folder was just made, by a worker who may have died before it had its mode."""
    mode = stat.S_IMODE(os.fstat(folder).st_mode) & ~stat.S_ISGID
    return mode == _FRESH_MODE and not os.listdir(folder)


def split(path: str) -> tuple[list[str], str]:
    """Folders and name of a path in the library. Raises ValueError for one that leads out of it."""
    *folders, name = path.split("/")
    if not name or any(part in {"", ".", ".."} or "\0" in part for part in (*folders, name)):
        raise ValueError("no path in the library")
    return folders, name


# --- reading and removing -------------------------------------------------------------------------


def digest_of(folder: int, name: str, size_bytes: int) -> str:
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
    folders, name = split(path)
    with held() as library, opened(library.folder, folders) as folder:
        file = os.open(name, _READ, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise FileNotFoundError(errno.ENOENT, "not a file", path)
    return os.fdopen(file, "rb")


def remove_if_unchanged(path: str, sha256: str, *, begun: bool = False) -> bool:
    """Delete a file that has the bytes it was written with; False when it is not there any more.

    begun: it may have been given its name and not its bytes yet, so an empty one goes, too. Either
    outlives a power cut. Raises Changed, LibraryAway, OSError.
    """
    folders, name = split(path)
    try:
        with held() as library, opened(library.folder, folders) as folder:
            try:
                facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:  # removed by who died before the next step
                os.fsync(folder)
                return False
            is_empty = begun and stat.S_ISREG(facts.st_mode) and not facts.st_size
            is_ours = sha256 and digest_of(folder, name, facts.st_size) == sha256
            if not is_empty and not is_ours:
                raise Changed(path)
            os.unlink(name, dir_fd=folder)
            os.fsync(folder)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def remove_empty_folders(path: str) -> None:
    """Remove the folders a file lay in, but for its member's, where nothing is in them any more.

    Raises LibraryAway.
    """
    folders, _name = split(path)
    with held() as library:
        remove_if_empty(library.folder, folders)


def remove_if_empty(library: int, folders: Sequence[str]) -> None:
    """The same in a library that is held. folders: the innermost last."""
    for end in range(len(folders) - 1, 0, -1):
        try:
            with opened(library, folders[:end]) as folder:
                os.rmdir(folders[end], dir_fd=folder)
        except FileNotFoundError:  # the outer ones may be there
            continue
        except OSError:  # something is in it
            return


def is_full(error: OSError) -> bool:
    """Whether an error says that there is no room."""
    return isinstance(error, LibraryFull) or error.errno in disk.DISK_FULL_ERRORS
