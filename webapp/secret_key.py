"""The secret key in the data folder, which a restore in another web process replaces."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.signals import request_started

from webapp.backups.keys import SECRET_KEY

logger = logging.getLogger(__name__)

_SHORTEST: Final = 32
"""A shorter key is none, as at the start (webapp/settings.py)."""


class KeyFile:
    """Has this process go on with the key its file holds, looked at before each request.

    Else, of several web processes, only the one that restored a backup knew its key, and threw out
    whom another one had just signed in. For threads. path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._key = ""

    def install(self) -> None:
        """Begin to look."""
        request_started.connect(self.look, weak=False)

    def uninstall(self) -> None:
        """Undo `install`."""
        request_started.disconnect(self.look)

    def look(self, **_: Any) -> None:
        """Take the key if it is another one; without a file that has one, this process keeps its
        own."""
        try:
            stat = self._path.stat()
            seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if seen != self._seen:
                self._key = self._path.read_text().strip()
                self._seen = seen
        except (OSError, ValueError):
            return
        # Compared each time: settings remember what another thread read a moment before.
        if len(self._key) >= _SHORTEST and self._key != settings.SECRET_KEY:
            settings.SECRET_KEY = self._key
            logger.warning("the secret key is another one now, as after a restore")


def follow() -> None:
    """Have this process go on with the key of the data folder, unless a setting names another."""
    if settings.STORYKEEP.secret_key is None:
        KeyFile(Path(settings.STORYKEEP.data_dir) / SECRET_KEY).install()
