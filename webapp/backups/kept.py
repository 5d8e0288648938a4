"""The backups that are kept: their folder, the newest of each kind, and when the last was made."""

from __future__ import annotations

import fcntl
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, get_args

from django.conf import settings

from jobs.ephemeral import backups as told
from jobs.ephemeral.connection import RedisUnavailable
from webapp.backups import failures
from webapp.backups.failures import BackupFailed

BackupKind = Literal["manual", "daily", "upgrade", "replaced"]
"""Made by hand, every day, before migrations, or before a restore over what was there."""
PARTIAL: Final = ".partial"
"""How the name of a backup ends while it is written."""
_NAME: Final = re.compile(
    rf"storykeep-(\d{{4}}-\d\d-\d\d-\d{{6}})-({'|'.join(get_args(BackupKind))})\.tar"
)
_LOCK: Final = ".lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBackup:
    """A backup in the folder. name: of its file."""

    name: str
    at: datetime
    kind: str
    size_bytes: int


def folder() -> Path:
    """The folder of backups, which need not be there yet."""
    return Path(settings.STORYKEEP.backups)


def file_name(at: datetime, kind: BackupKind) -> str:
    """The name of a backup's file."""
    return f"storykeep-{at.astimezone(UTC):%Y-%m-%d-%H%M%S}-{kind}.tar"


def kept() -> list[KeptBackup]:
    """The backups there are, newest first; none where the folder is away."""
    found = []
    with suppress(OSError):
        for entry in os.scandir(folder()):
            match = _NAME.fullmatch(entry.name)
            if not match or not entry.is_file(follow_symlinks=False):
                continue
            with suppress(OSError, ValueError):
                at = datetime.strptime(match[1], "%Y-%m-%d-%H%M%S").replace(tzinfo=UTC)
                size = entry.stat().st_size
                found.append(KeptBackup(name=entry.name, at=at, kind=match[2], size_bytes=size))
    return sorted(found, key=lambda backup: backup.name, reverse=True)


def path_of(name: str) -> Path | None:
    """The path of a kept backup; None for whatever is none."""
    path = folder() / name
    is_one = _NAME.fullmatch(name) and path.is_file() and not path.is_symlink()
    return path if is_one else None


def remove_surplus(kind: BackupKind, now: datetime) -> None:
    """Remove all but the newest of a kind, as many as the settings keep.

    What is dated after now counts as the oldest: the clock was ahead once, and would otherwise have
    each new one removed as soon as it is made.
    """
    most = max(1, settings.STORYKEEP.backup_keep)
    of_kind = [backup for backup in kept() if backup.kind == kind]
    newest_first = sorted(of_kind, key=lambda backup: backup.at > now)
    for backup in newest_first[most:]:
        with suppress(OSError):
            (folder() / backup.name).unlink()


@contextmanager
def locked() -> Iterator[Path]:
    """The folder, made if need be, for whoever makes a backup there: one at a time on this host.

    What a process left that was killed goes then. Raises BackupFailed.
    """
    place = folder()
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(place / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BackupFailed("disk", f"{place}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise failures.busy() from error
        for left in (*place.glob(f"*{PARTIAL}"), *place.glob(".copy-*")):
            with suppress(OSError):
                left.unlink()
        yield place
    finally:
        os.close(lock)


# --- when the last one was made -------------------------------------------------------------------


def _marker() -> Path:
    """Whoever makes backups in another way touches this file, and the admin's pages know."""
    return Path(settings.STORYKEEP.data_dir) / "last-backup"


def record(kind: BackupKind, at: datetime | None = None) -> None:
    """Note that a backup was made just now."""
    with suppress(OSError):
        _marker().touch(mode=0o600)
    if redis_may_answer():
        told.record_made(at or datetime.now(UTC), kind, socket.gethostname())


def redis_may_answer() -> bool:
    """Whether there is a Redis to ask: the embedded one is there only while Storykeep runs."""
    env = settings.STORYKEEP
    return not env.embedded_redis or env.redis_socket.exists()


def last_at() -> datetime | None:
    """When the last backup was made, on whichever host; None for never, as far as is known."""
    times = []
    with suppress(OSError):
        times.append(datetime.fromtimestamp(_marker().stat().st_mtime, UTC))
    with suppress(RedisUnavailable):
        if made := told.last_made():
            times.append(made.at)
    return max(times, default=None)
