"""A key of this instance in a file of the data folder, made once and on the disk before it is used.

Whoever starts first makes it, of several processes and hosts at once.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

STALE_S: Final = 3600.0
"""Older than this, what lies beside a key was left by a process that was killed."""


def make(path: Path, new: Callable[[], str]) -> None:
    """Put a key there; one that is there by then stays. new: makes the text. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_urlsafe(6)}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(new())
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was quicker: theirs counts
            os.link(fresh, path)
        _keep_names(path.parent)
    finally:
        with suppress(OSError):
            fresh.unlink()


def remove_begun(path: Path) -> None:
    """Remove what killed processes left beside a key: each holds one, perhaps this very one."""
    left = re.compile(rf"{re.escape(path.name)}\.[0-9]+(-[A-Za-z0-9_-]{{8}})?")
    with suppress(OSError), os.scandir(path.parent) as entries:
        for entry in entries:
            if left.fullmatch(entry.name):
                _remove_stale(entry)


def _remove_stale(entry: os.DirEntry[str]) -> None:
    with suppress(OSError):
        if time.time() - entry.stat(follow_symlinks=False).st_mtime > STALE_S:
            Path(entry.path).unlink()


def _keep_names(folder: Path) -> None:
    """Have the names in a folder outlast a power cut, where its disk can do so."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
