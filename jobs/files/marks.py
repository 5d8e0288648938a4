"""The mark in the folder of saved files, by which folder and database know each other.

It is a file, or an object in a bucket, with a number that the database has as its last one. Every
marking has a new number, for the empty mount point of a disk may have been marked while nothing was
saved, and the folder of another database, or of this one before it was replaced by an empty one,
has a mark as well.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path
from typing import Final
from uuid import UUID

from django.db import DatabaseError, connection
from django.utils import timezone

from jobs.models import Artifact, FolderMark

SENTINEL: Final = ".storykeep"
"""The file that marks the artifact folder as ours."""
KEPT: Final = 20
"""Numbers the database keeps, the last one included."""
_TEXT: Final = (
    "Storykeep keeps saved files here. A folder without this file is taken for another one.\n"
    "{mark}\n"
)
_MOST_BYTES: Final = 4096
_SAMPLED: Final = 8
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

KNOWN_S: Final = 60.0
"""For so long the database is not asked for a mark again: another process may have marked anew."""

_known: dict[tuple[int, int, int], float] = {}
"""Marks this process has found to be ours, as the file system tells them apart → until when that
is believed, by the monotonic clock."""


class Mark(Enum):
    """What a folder's mark says."""

    NONE = auto()
    """Nothing: there is none, or one without a number, as versions before wrote it."""
    OURS = auto()
    """The folder in use; or it is empty, for whoever put it there says so."""
    FORMER = auto()
    """A folder this database has used before another one."""
    FOREIGN = auto()
    """A folder of another database."""


def look(folder: Path, *, again: bool = False) -> Mark:
    """What the mark of a folder says. One system call where it was found to be OURS lately.

    again: ask the database all the same. Errors of the disk are no mark.
    """
    path = f"{folder}/{SENTINEL}"
    try:
        facts = os.stat(path)  # noqa: PTH116  # asked for every file
    except OSError:
        return Mark.NONE
    seen = (facts.st_dev, facts.st_ino, facts.st_mtime_ns)
    is_known = time.monotonic() < _known.get(seen, 0.0)
    if not facts.st_size or (is_known and not again):
        return Mark.OURS
    _known.clear()
    found = _verdict(_read(path))
    if found is Mark.OURS:
        _known[seen] = time.monotonic() + KNOWN_S
    return found


def judge(text: bytes) -> Mark:
    """What a mark says that is not a file. Asks the database."""
    return _verdict(_number(text)) if text else Mark.OURS


def is_another(
    mark: Mark, *, exists: Callable[[str], bool], holds_files: Callable[[], bool]
) -> bool:
    """Whether a place with this mark holds other files than ours.

    exists: whether a saved file is there, by its name. holds_files: whether any file is.
    """
    if mark is Mark.OURS:
        return False
    newest = Artifact.objects.present(timezone.now()).order_by("-created_at")
    names = [str(artifact_id) for artifact_id in newest.values_list("pk", flat=True)[:_SAMPLED]]
    if names:
        return not any(map(exists, names))
    return mark is Mark.FOREIGN and holds_files()


def _verdict(number: UUID | None) -> Mark:
    if number is None:
        return Mark.NONE
    ours = list(FolderMark.objects.order_by("-pk").values_list("mark", flat=True))
    if number not in ours:
        return Mark.FOREIGN
    return Mark.OURS if number == ours[0] else Mark.FORMER


def _read(path: str) -> UUID | None:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            text = file.read(_MOST_BYTES)
    except OSError:
        return None
    return _number(text)


def _number(text: bytes) -> UUID | None:
    found = _UUID.search(text[:_MOST_BYTES].decode(errors="replace"))
    return UUID(found[0]) if found else None


def put(folder: Path) -> None:
    """Mark a folder as the one in use. Whoever may not write there leaves it to the others.

    In a transaction nothing is done, for the number could be rolled back while the file stays.
    """
    if connection.in_atomic_block:
        return
    with suppress(OSError, DatabaseError):
        _put(folder)


def put_in(write: Callable[[bytes], None]) -> None:
    """Mark a place that is no folder as the one in use; as `put`. write: replaces its mark."""
    if connection.in_atomic_block:
        return
    with suppress(OSError, DatabaseError):
        mark = FolderMark()
        mark.save()
        write(_TEXT.format(mark=mark.mark).encode())
        _drop_old()


def adopt(folder: Path) -> None:
    """Have a folder taken for the one in use, whatever its mark says: its database was restored.

    Raises OSError.
    """
    if look(folder, again=True) is not Mark.OURS:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / SENTINEL).write_text("")
        _known.clear()


def _put(folder: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=folder, prefix=SENTINEL, delete=False) as file:
        try:
            mark = FolderMark()
            file.write(_TEXT.format(mark=mark.mark).encode())
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
            mark.save()  # first: a number that nobody knows would be another database's
            Path(file.name).replace(folder / SENTINEL)
            _known.clear()
        except BaseException:
            with suppress(OSError):
                Path(file.name).unlink()
            raise
    _drop_old()


def _drop_old() -> None:
    kept = FolderMark.objects.order_by("-pk").values_list("pk", flat=True)[:KEPT]
    FolderMark.objects.exclude(pk__in=list(kept)).delete()
