"""The mark in the library's folder, by which folder and database know each other.

It is a file with a number that the database has, too. A process may end, or the power go, between
any two steps of marking: the file is first and the database second, so that what is left is a
folder that the next one adopts, and never one that nobody takes for the library.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import UUID

from django.db import connection

from jobs.models import LibraryMark

SENTINEL: Final = ".storykeep-library"
"""The file that marks the library as ours."""

_TEXT: Final = (
    b"Storykeep keeps stories for good here. A folder without this file is taken for another one.\n"
)
_BEGUN: Final = re.compile(rb"[0-9a-f-]{0,35}")
"""A number that was not written to its end."""
_UUID: Final = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PART: Final = re.compile(re.escape(SENTINEL) + r"\.[0-9a-f]{16}")
_MOST_BYTES: Final = 4096
_MODE: Final = 0o644
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class LibraryAway(OSError):
    """The folder is not the one the library is in, or is not there. Nothing was changed."""


def read(folder: Path) -> UUID | str | None:
    """The number in a folder; "" for an empty mark, None for none or another text.

    An empty mark says that the folder is ours, whoever put it there. So does the beginning of ours.
    Raises OSError.
    """
    try:
        with (folder / SENTINEL).open("rb") as file:
            text = file.read(_MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    found = _UUID.search(text)
    if found:
        return UUID(found[0].decode())
    text = text.rstrip(b"\0")  # zeros: after a power cut
    begun = text.startswith(_TEXT) and _BEGUN.fullmatch(text.removeprefix(_TEXT))
    return "" if begun or _TEXT.startswith(text) or not text.strip(b"\0 \r\n") else None


def require(folder: Path, mark: UUID) -> None:
    """Raise LibraryAway unless a folder has this mark, or an empty one, which gets its number.

    Raises OSError for a disk that fails.
    """
    found = read(folder)
    if found == "":
        _write(folder, mark)
    elif found != mark:
        raise LibraryAway(errno.ENOENT, "not the folder the library is in", str(folder))


def adopt(folder: Path) -> None:
    """Have a folder be the library from now on; of several processes one decides its number.

    Raises LibraryAway, and OSError for a disk that fails.
    """
    if connection.in_atomic_block:  # the number could be rolled back while the file stays
        raise LibraryAway(errno.EAGAIN, "the library is not marked yet")
    found = read(folder)
    made = None
    if found is None:
        made = _create(folder)
        found = made or read(folder)
    if found is None:
        raise LibraryAway(errno.ENOENT, f"{SENTINEL} has another text", str(folder))
    defaults = {"mark": found} if isinstance(found, UUID) else {}
    row, _made = LibraryMark.objects.get_or_create(pk=1, defaults=defaults)
    if made is not None and made != row.mark:  # another process took the mark while it was empty
        _write(folder, row.mark)
    else:
        require(folder, row.mark)


def _create(folder: Path) -> UUID | None:
    """Mark a folder with a new number; None where it has a mark."""
    mark = uuid.uuid4()
    try:
        file = os.open(folder / SENTINEL, _NEW, _MODE)
    except FileExistsError:
        return None
    try:
        _fill(file, mark)
    finally:
        os.close(file)
    for place in (folder, folder.parent):
        _sync(place)
    return mark


def _write(folder: Path, mark: UUID) -> None:
    """Replace the mark, which may be another user's. Raises LibraryAway when another process, which
    writes the same, was faster."""
    _remove_parts(folder)
    part = folder / f"{SENTINEL}.{secrets.token_bytes(8).hex()}"
    try:
        file = os.open(part, _NEW, _MODE)
        try:
            _fill(file, mark)
        finally:
            os.close(file)
        part.replace(folder / SENTINEL)
    except FileNotFoundError:
        if read(folder) != mark:
            raise LibraryAway(errno.EAGAIN, "the library is not marked yet") from None
    finally:
        part.unlink(missing_ok=True)
    _sync(folder)


def _remove_parts(folder: Path) -> None:
    """Remove marks that were not written to their end: whoever was killed left them."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _PART.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with suppress(OSError):
                    Path(entry.path).unlink()


def _fill(file: int, mark: UUID) -> None:
    """Write a mark, and have it be on the disk. A disk that fills up may take a part of it."""
    text = _TEXT + f"{mark}\n".encode()
    while text:
        text = text[os.write(file, text) :]
    with suppress(OSError):  # some shares keep no modes
        os.fchmod(file, _MODE)
    os.fsync(file)


def _sync(folder: Path) -> None:
    """Have a folder's entries outlive a power cut, where that is to be had."""
    with suppress(OSError):
        at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(at)
        finally:
            os.close(at)
