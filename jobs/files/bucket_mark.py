"""Whether the bucket can be used, and is ours: looked at now and then, and not for every file.

A mark in it, the object `.storykeep`, is what the file of that name is in a folder (`marks`). While
the store does not answer, one thread in a few seconds finds that out, and the others are told.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Final

from jobs.files import marks
from jobs.files.bucket_access import bucket
from jobs.files.bucket_address import BucketAddress, address
from jobs.files.marks import Mark

KNOWN_S: Final = 60.0
"""For so long what was found well is believed."""
AWAY_S: Final = 5.0
"""For so long what was found to fail is not tried again."""
WORK: Final = "work"
"""The folder below the prefix for files that are not finished."""
PROBE: Final = f"{WORK}/probe"


@dataclass(frozen=True, slots=True)
class Look:
    """What was found. is_another: these are not the files of our database. read_fault: the store
    does not give us its objects; write_fault: it takes none."""

    at: float
    is_another: bool = False
    read_fault: OSError | None = None
    write_fault: OSError | None = None

    @property
    def is_well(self) -> bool:
        """Whether files can be read and written here."""
        return not (self.is_another or self.read_fault or self.write_fault)


class Looks:
    """What this process found last, by address."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[BucketAddress, Look] = {}

    def look(self, *, again: bool = False) -> Look:
        """Whether the bucket can be used. again: it is asked all the same, or at least its marks
        are, before something is given up."""
        where = address()
        last = self._last.get(where)
        if last is not None and not again and _is_fresh(last):
            return last
        if last is not None and not last.is_well and not again and self._lock.locked():
            return last
        with self._lock:
            known = self._last.get(where)
            if known is not None and known is not last and not again and _is_fresh(known):
                return known
            found = _look()
            self._last[where] = found
            return found

    def doubt(self) -> None:
        """Look again soon: the store failed."""
        for where, last in tuple(self._last.items()):
            if last.is_well:
                self._last.pop(where, None)

    def forget(self) -> None:
        """Know nothing."""
        self._last.clear()


def _is_fresh(look: Look) -> bool:
    return time.monotonic() - look.at < (KNOWN_S if look.is_well else AWAY_S)


def _look() -> Look:
    try:
        is_another = _is_another()
    except OSError as error:
        return Look(time.monotonic(), read_fault=error)
    if is_another:
        return Look(time.monotonic(), is_another=True)
    try:
        bucket().write(PROBE, b"x")
    except OSError as error:
        return Look(time.monotonic(), write_fault=error)
    return Look(time.monotonic())


def _is_another() -> bool:
    """Whether the bucket holds files of another database, or lacks all of ours; else it is marked
    as ours. Raises OSError."""
    try:
        mark = marks.judge(bucket().read(marks.SENTINEL))
    except FileNotFoundError:
        mark = Mark.NONE
    if mark is Mark.OURS:
        return False
    if marks.is_another(mark, exists=_exists, holds_files=_holds_files):
        return True
    marks.put_in(lambda text: bucket().write(marks.SENTINEL, text))
    return False


def adopt() -> None:
    """Have the bucket taken for the one in use, whatever its mark says; as `marks.adopt`."""
    try:
        mark = marks.judge(bucket().read(marks.SENTINEL))
    except FileNotFoundError:
        mark = Mark.NONE
    if mark is not Mark.OURS:
        bucket().write(marks.SENTINEL, b"")
    looks.forget()


def _exists(name: str) -> bool:
    return bucket().size(f"{name[:2]}/{name}") is not None


def _holds_files() -> bool:
    for found in bucket().list(""):
        if found.key != marks.SENTINEL and not found.key.startswith(f"{WORK}/"):
            return True
    return False


looks: Final = Looks()
"""This process's own."""
