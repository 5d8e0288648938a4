"""Files that arrive in the library, and what is left of those whose worker died.

    <library>/.storykeep-arriving/<row>-<random>.note   says into which folder one arrives
    <library>/…/.storykeep-<row>-<random>.part          the file, beside its place

The note is there before the file, and goes after it: so whoever comes later finds what a worker
that died has left, in whichever folder, also once its row is gone. Nothing is overwritten.
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
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Final

from django.conf import settings

from jobs.files import library_folder
from jobs.files.library_folder import FOLDER

NOTES: Final = ".storykeep-arriving"
"""The folder of notes in the library."""
STALE_AFTER_S: Final = 24 * 3600.0
"""A part as old as this was left by a worker that died."""

_PART: Final = re.compile(r"\.storykeep-(\d{1,18})-[0-9a-f]{16}\.part")
_NOTE: Final = re.compile(r"(\d{1,18})-[0-9a-f]{16}\.note")
_END: Final = "\n"
_NOTES_MODE: Final = 0o700
_MOST_NOTE_BYTES: Final = 4096
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_LINKS: Final = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL}
)
_NOREPLACE: Final = 1
_FILE_BITS: Final = 0o666


class NameTaken(Exception):
    """Something else has this name."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file as it was written. sha256, sha1: in hex."""

    size_bytes: int
    sha256: str
    sha1: str


# --- notes ----------------------------------------------------------------------------------------


def are_noted() -> bool:
    """Whether files arrive in the library, or were left by workers that died. Makes nothing."""
    folder = settings.STORYKEEP.library_dir
    if folder is None:
        return False
    try:
        with os.scandir(folder / NOTES) as entries:
            return any(True for _ in entries)
    except OSError:
        return False


def tidy(library: int, in_work: Callable[[Collection[int]], Collection[int]]) -> None:
    """Remove parts and notes of rows that nobody works on, and folders that are empty then.

    library: descriptor of the library's folder. in_work: which of these rows somebody works on,
    asked after their notes were seen: who takes a row does so before they write.
    """
    try:
        notes = os.open(NOTES, FOLDER, dir_fd=library)
    except OSError:
        return
    try:
        with os.scandir(notes) as entries:
            found = [note for entry in entries if (note := _NOTE.fullmatch(entry.name))]
        busy = in_work({int(note[1]) for note in found}) if found else ()
        for note in found:
            if int(note[1]) not in busy:
                with suppress(OSError):  # the next run goes on
                    _settle(library, notes, note[0], int(note[1]))
    finally:
        os.close(notes)


def _settle(library: int, notes: int, name: str, number: int) -> None:
    """Remove what a note tells of, then the note. Raises OSError."""
    folders = _noted_folders(notes, name)
    with (
        suppress(FileNotFoundError, NotADirectoryError),
        library_folder.opened(library, folders) as folder,
    ):
        if _remove_parts(folder, lambda part, _facts: part == number):
            os.fsync(folder)
    library_folder.remove_if_empty(library, folders)
    os.unlink(name, dir_fd=notes)


def _noted_folders(notes: int, name: str) -> list[str]:
    """The folders a note names; [] for one that was not finished: nothing arrived there yet.

    Raises OSError for what is no file, which stays.
    """
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=notes)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise FileExistsError(errno.EEXIST, "not a note", name)
        text = os.read(file, _MOST_NOTE_BYTES).decode(errors="replace")
    finally:
        os.close(file)
    try:
        folders, end = library_folder.split(text)
    except ValueError:
        return []
    return folders if end == _END else []


def _note(library: int, folders: Sequence[str], number: int) -> str:
    """Note that a file arrives, on the disk before it does; the note's name. Raises OSError."""
    name = f"{number}-{secrets.token_bytes(8).hex()}.note"
    with suppress(FileExistsError):
        os.mkdir(NOTES, _NOTES_MODE, dir_fd=library)
        os.fsync(library)
    notes = os.open(NOTES, FOLDER, dir_fd=library)
    try:
        file = os.open(name, _NEW, 0o600, dir_fd=notes)
        try:
            with os.fdopen(file, "wb") as opened:
                opened.write("/".join([*folders, _END]).encode())
                opened.flush()
                os.fsync(file)
            os.fsync(notes)
        except OSError:
            with suppress(OSError):
                os.unlink(name, dir_fd=notes)
            raise
    finally:
        os.close(notes)
    return name


def _drop_note(library: int, name: str) -> None:
    """Remove a note; one that stays is for `tidy`."""
    with suppress(OSError):
        notes = os.open(NOTES, FOLDER, dir_fd=library)
        try:
            os.unlink(name, dir_fd=notes)
        finally:
            os.close(notes)


def _remove_parts(folder: int, is_left: Callable[[int, os.stat_result], bool]) -> int:
    """Remove parts in a folder; how many. is_left: of a row's number, and what is known of the
    file. Raises OSError."""
    count = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            part = _PART.fullmatch(entry.name)
            if part is None:
                continue
            with suppress(FileNotFoundError):  # somebody else was faster
                facts = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(facts.st_mode) and is_left(int(part[1]), facts):
                    os.unlink(entry.name, dir_fd=folder)
                    count += 1
    return count


# --- writing --------------------------------------------------------------------------------------


class Part:
    """A file that is arriving in a folder of the library; closed and gone when it is left.

    A context manager. library: descriptor of the library's folder. number: of the row it is for, by
    which what a dead worker left is told. alone: False for one that arrives in the same folder
    while another of its row does, which has a note already.
    """

    def __init__(
        self, library: int, folders: Sequence[str], number: int, *, alone: bool = True
    ) -> None:
        self._library, self._folders = library, folders
        self._context = library_folder.opened(library, folders, make=True)
        self._number, self._alone = number, alone
        self._name = f".storykeep-{number}-{secrets.token_bytes(8).hex()}.part"
        self._note = ""
        self._folder = -1
        self._file: BinaryIO
        self._sha256, self._sha1 = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
        self._size_bytes = 0

    def __enter__(self) -> Part:
        if self._alone:
            self._note = _note(self._library, self._folders, self._number)
        try:
            self._folder = self._context.__enter__()
            try:
                self._file = self._begun()
            except BaseException:
                self._context.__exit__(None, None, None)
                raise
        except BaseException:
            self._drop_note()
            raise
        return self

    def _begun(self) -> BinaryIO:
        if self._alone:
            with suppress(OSError):
                _remove_parts(self._folder, self._is_left)
        file = os.fdopen(os.open(self._name, _NEW, 0o600, dir_fd=self._folder), "wb")
        with suppress(OSError):
            os.fchmod(file.fileno(), os.fstat(self._folder).st_mode & _FILE_BITS)
        return file

    def _is_left(self, number: int, facts: os.stat_result) -> bool:
        """Whether a dead worker left a part: of this row's earlier tries, and what is old."""
        return number == self._number or time.time() - facts.st_mtime > STALE_AFTER_S

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._file.close()
        is_gone = True
        try:
            os.unlink(self._name, dir_fd=self._folder)
            os.fsync(self._folder)
        except FileNotFoundError:  # it has its name
            pass
        except OSError:
            is_gone = False
        self._context.__exit__(None, None, None)
        if is_gone:
            self._drop_note()

    def _drop_note(self) -> None:
        if self._note:
            _drop_note(self._library, self._note)

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
        if (
            library_folder.digest_of(self._folder, name, self._size_bytes)
            != self._sha256.hexdigest()
        ):
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
    with suppress(OSError):  # who leaves the part tries again
        os.unlink(part, dir_fd=folder)
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
        os.close(os.open(name, _NEW, 0o600, dir_fd=folder))
    except FileExistsError:
        return False
    try:
        os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        os.unlink(name, dir_fd=folder)
        raise
    return True
