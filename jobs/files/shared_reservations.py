"""What the workers of an instance have reserved, each told to the others through a small file.

Each process keeps one in `<data>/run/reserved`, locked for as long as it lives: a file whose lock
can be had is of a process that is gone, and counts no more. All of it may be deleted.

A process writes what it is about to take before it looks at the others. So of two that reserve at
once, at least one sees the other, and together they never take more than there is.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from django.conf import settings

logger = logging.getLogger(__name__)

_READS: Final = 5
"""Times a file is read that is just being written."""


@dataclass(frozen=True, slots=True)
class Reserved:
    """Bytes announced and not stored yet. room_bytes: those that take room on the disk. by_owner:
    id of an owner who has a limit -> bytes of theirs, those of linked files included."""

    room_bytes: int = 0
    by_owner: Mapping[int, int] = field(default_factory=dict)


class SharedReservations:
    """What this process has reserved, for the others to see, and what the others have."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._fd = -1
        self._pid = 0
        self._published = Reserved()
        self._failed = False

    def publish(self, reserved: Reserved) -> None:
        """Tell the others. Where that cannot be written, as on a full disk, this process goes on
        alone; the instance's limit is also looked at when a file is stored."""
        if reserved == self._published and self._pid == os.getpid():
            return
        owners = {str(owner): size for owner, size in reserved.by_owner.items()}
        body = json.dumps([reserved.room_bytes, owners]).encode()
        data = b"%08x%s" % (zlib.crc32(body), body)
        try:
            fd = self._open()
            os.pwrite(fd, data, 0)
            os.ftruncate(fd, len(data))
        except OSError as error:
            if not self._failed:
                logger.warning("other workers cannot be told: %s", error.strerror)
            self._failed = True
            return
        self._published, self._failed = reserved, False

    def others(self) -> Reserved:
        """What all other processes have reserved. What cannot be read counts as nothing."""
        room_bytes, by_owner = 0, Counter[int]()
        with suppress(OSError):
            for entry in os.scandir(_folder()):
                if self._path is not None and entry.name == self._path.name:
                    continue
                for reserved in _read_living(entry.path):
                    room_bytes += reserved.room_bytes
                    by_owner.update(reserved.by_owner)
        return Reserved(room_bytes, by_owner)

    def close(self) -> None:
        """Take this process's file away."""
        if self._fd >= 0 and self._path is not None:
            with suppress(OSError):
                self._path.unlink()
            os.close(self._fd)
        self._fd, self._path, self._published = -1, None, Reserved()

    def _open(self) -> int:
        """The file of this process, made and locked when it is first needed. Raises OSError."""
        if self._pid != os.getpid() or self._path is None or not self._path.exists():
            self.close()
            folder = _folder()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = folder / f"{os.getpid()}-{secrets.token_urlsafe(6)}"
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(fd, fcntl.LOCK_EX)
            self._fd, self._path, self._pid = fd, path, os.getpid()
        return self._fd


def _folder() -> Path:
    folder: Path = settings.STORYKEEP.run_dir / "reserved"
    return folder


def _read_living(path: str) -> Iterator[Reserved]:
    """What the process of a file has reserved; nothing, and no file any more, when it is gone."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            yield from _parse(fd)
        else:
            # Its owner may have made it a moment ago, and lock it next; then it is empty.
            if os.fstat(fd).st_size:
                with suppress(OSError):
                    os.unlink(path)  # noqa: PTH108 (a path of scandir)
    finally:
        os.close(fd)


def _parse(fd: int) -> Iterator[Reserved]:
    for _ in range(_READS):
        data = os.pread(fd, 1 << 20, 0)
        checksum, body = data[:8], data[8:]
        if checksum == b"%08x" % zlib.crc32(body):
            room_bytes, owners = json.loads(body)
            yield Reserved(room_bytes, {int(owner): size for owner, size in owners.items()})
            return


shared = SharedReservations()
