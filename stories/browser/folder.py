"""The folder a browser lives in: profile, home and temporary files, all of it thrown away."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

_PREFIX: Final = "storykeep-browser-"
_LONGEST_PARENT: Final = 32
_SHORT_PARENT: Final = Path("/tmp")  # noqa: S108  # nosec B108  # a folder of our own in it, made by mkdtemp
_YOUNG_S: Final = 60.0
"""Age of a folder from which on a missing lock says that its process is gone."""


class BrowserFolder:
    """A new folder, locked for as long as this process lives. path: of the folder.

    parent: where it is made, None for the usual place of temporary files, unless that is too long:
    a browser makes a Unix socket below it, whose path has to fit into 107 bytes. Folders of
    processes that were killed are removed on the way. Raises OSError when none can be made.
    """

    def __init__(self, parent: Path | None = None) -> None:
        parent = parent or _usual_parent()
        remove_abandoned(parent)
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        try:
            self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self._lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BaseException:
            shutil.rmtree(self.path, ignore_errors=True)
            raise

    def remove(self) -> None:
        """Remove it and what is in it. Blocks; raises nothing."""
        # A process that is just being killed may still write the last of its files.
        for _ in range(5):
            shutil.rmtree(self.path, ignore_errors=True)
            if not self.path.exists():
                break
            time.sleep(0.05)
        with suppress(OSError):
            os.close(self._lock)


def _usual_parent() -> Path:
    usual = Path(tempfile.gettempdir())
    return usual if len(os.fsencode(usual)) <= _LONGEST_PARENT else _SHORT_PARENT


def remove_abandoned(parent: Path) -> None:
    """Remove the folders of processes that are gone. Raises nothing."""
    for path in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if time.time() - path.lstat().st_mtime < _YOUNG_S or path.lstat().st_uid != os.getuid():
                continue
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)
