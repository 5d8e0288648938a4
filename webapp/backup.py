"""A backup: the database and the secret key as one file, and when the last one was made.

For SQLite. A PostgreSQL server is backed up by its own tools, and the page says how. Saved files
are not in it: they go after hours, and their rows say so after a restore.
"""

from __future__ import annotations

import io
import os
import tarfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from django.conf import settings
from django.db import DatabaseError, connection

from jobs import VERSION

DATABASE_NAME: Final = "storykeep.sqlite3"
KEY_NAME: Final = "secret-key"
README_NAME: Final = "RESTORE.txt"
README: Final = """Storykeep {version}, backed up {at:%Y-%m-%d %H:%M} UTC.

To restore: stop Storykeep, and move storykeep.sqlite3, storykeep.sqlite3-wal and
storykeep.sqlite3-shm out of its data folder. Unpack this file there:

    tar -xf THIS-FILE.tar -C data

If the saved files did not come along, mark their new folder, or nothing can be saved:

    mkdir -p data/artifacts && touch data/artifacts/.storykeep

Start Storykeep of this version or a newer one. Keep this file as safe as a password:
with the key in it, anybody can sign in as anyone.
"""
CHUNK_BYTES: Final = 1024 * 1024
STALE_S: Final = 60 * 60
"""A copy that a process left behind when it died is removed once it is so old."""
_COPY: Final = "backup-"

_copying = threading.Lock()


class BackupFailed(Exception):
    """There is no backup. reason: `busy` (one is being made), `no_room`, `other_database`, or the
    type of the database's error."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Backup:
    """A backup to be sent: its bytes, once, the last of which is noted: it was made then, and not
    where the sending broke off. Closing it gives the room of the copy back.

    name: of the file; size_bytes: of all of it.
    """

    def __init__(self, at: datetime, members: Sequence[tuple[str, IO[bytes], int]]) -> None:
        """members: (name, file, bytes)."""
        self.name = f"storykeep-{at:%Y-%m-%d-%H%M}.tar"
        self._at = int(at.timestamp())
        self._members = members
        blocks = sum(1 + -(-size // tarfile.BLOCKSIZE) for _name, _file, size in members) + 2
        self.size_bytes = blocks * tarfile.BLOCKSIZE

    def __iter__(self) -> Iterator[bytes]:
        for name, file, size in self._members:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = size, self._at, 0o600
            yield entry.tobuf(tarfile.USTAR_FORMAT)
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
            yield b"\0" * (-size % tarfile.BLOCKSIZE)
        yield b"\0" * 2 * tarfile.BLOCKSIZE
        record()

    def close(self) -> None:
        """Close the copy, which has no name any more and is gone then."""
        for _name, file, _size in self._members:
            file.close()


def is_possible() -> bool:
    """Whether this instance's database is a file that can be copied here."""
    return connection.vendor == "sqlite"


def expected_bytes() -> int | None:
    """About the bytes of a backup made now; None where none can be made.

    Its copy of the database leaves out what the file keeps in reserve, and the log beside the file,
    whose pages count once.
    """
    if not is_possible():
        return None
    pages, page_bytes = _pages()
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA freelist_count")
        (empty,) = cursor.fetchone()
    return int((pages - empty) * page_bytes)


def _pages() -> tuple[int, int]:
    """The database's number of pages, empty ones too, and the bytes of each."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA page_count")
        (pages,) = cursor.fetchone()
        cursor.execute("PRAGMA page_size")
        (page_bytes,) = cursor.fetchone()
    return pages, page_bytes


def make(now: datetime) -> Backup:
    """Copy the database as it is at this moment, and give it with the key, as a tar archive.

    Others go on reading and writing meanwhile. The copy has no name any more when it is sent, so it
    is gone when the sending ends, however that may be. Raises BackupFailed.
    """
    if not is_possible():
        raise BackupFailed("other_database")
    if not _copying.acquire(blocking=False):
        raise BackupFailed("busy")
    try:
        database = _copy_of_database()
    finally:
        _copying.release()
    at = now.astimezone(UTC)
    readme, key = README.format(version=VERSION, at=at).encode(), settings.SECRET_KEY.encode()
    members: list[tuple[str, IO[bytes], int]] = [
        (README_NAME, io.BytesIO(readme), len(readme)),
        (KEY_NAME, io.BytesIO(key), len(key)),
        (DATABASE_NAME, database, os.fstat(database.fileno()).st_size),
    ]
    return Backup(at, members)


def _copy_of_database() -> IO[bytes]:
    """A copy of the database, in a file that has no name any more."""
    folder = settings.STORYKEEP.data_dir
    _remove_stale(folder)
    path = folder / f"{_COPY}{os.getpid()}-{time.monotonic_ns()}"
    try:
        pages, page_bytes = _pages()
        free = os.statvfs(folder)
        if free.f_bavail * free.f_frsize < 2 * pages * page_bytes:
            raise BackupFailed("no_room")
        path.touch(mode=0o600)  # it may be there if it is empty, and is nobody else's then
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [str(path)])
        return path.open("rb")
    except (DatabaseError, OSError) as error:
        raise BackupFailed(type(error).__name__) from error
    finally:
        path.unlink(missing_ok=True)


def _remove_stale(folder: Path) -> None:
    for path in folder.glob(f"{_COPY}*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_S:
                path.unlink()


# --- when the last one was made -------------------------------------------------------------------


def _marker() -> Path:
    """Whoever makes backups in another way touches this file, and the admin's pages know."""
    return Path(settings.STORYKEEP.data_dir) / "last-backup"


def record() -> None:
    """Note that a backup was made just now."""
    with suppress(OSError):
        _marker().touch(mode=0o600)


def last_at() -> datetime | None:
    """When the last backup was made; None for never, as far as is known."""
    try:
        return datetime.fromtimestamp(_marker().stat().st_mtime, UTC)
    except OSError:
        return None
