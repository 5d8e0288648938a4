"""Large uploads: a body that goes to the disk while it arrives, for an address that is open for it.

The site opens an address by a file in the run folder, which every web process of this host sees.
All other large bodies are refused unread, and one at a time is taken by a process.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from django.conf import settings
from gunicorn.http.unreader import Unreader

_ADDRESS: Final = re.compile(r"/setup/([\w-]{20,100})/restore/")
_OPEN_S: Final = 24 * 60 * 60
_READ_BYTES: Final = 64 * 1024
ROOM: Final = 5
"""So many times an upload has to fit on the disk: it is copied, checked and restored there."""

_one_at_a_time = threading.Lock()


def open_for(token: str) -> None:
    """Take a large body at the address of this set-up link, for a day. Raises OSError."""
    path = _mark(token)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)


def close_for(token: str) -> None:
    """Take none any more."""
    with suppress(OSError):
        _mark(token).unlink(missing_ok=True)


def _mark(token: str) -> Path:
    digest = hashlib.sha256(token.encode()).hexdigest()
    return Path(settings.STORYKEEP.run_dir) / f"upload-{digest}"


def is_open(path: str) -> bool:
    """Whether a large body is taken at this path of a request."""
    match = _ADDRESS.search(path)
    if not match or match.end() != len(path):
        return False
    try:
        return time.time() - _mark(match[1]).stat().st_mtime < _OPEN_S
    except OSError:
        return False


def begin(path: str, length: int) -> Upload | None:
    """A large body to be taken at this path; None when it is refused. length: its bytes."""
    if not is_open(path) or not _one_at_a_time.acquire(blocking=False):
        return None
    folder = Path(settings.STORYKEEP.data_dir)
    try:
        if shutil.disk_usage(folder).free >= ROOM * length:
            return Upload(tempfile.TemporaryFile(dir=folder), length)
    except OSError:
        pass
    _one_at_a_time.release()
    return None


class Upload:
    """A body that arrives, in a file without a name. length: its bytes; received: how many came.

    failed: the disk did not take it; what still comes is thrown away.
    """

    def __init__(self, file: IO[bytes], length: int) -> None:
        self._file, self.length = file, length
        self.received, self.failed, self._is_closed = 0, False, False

    @property
    def is_whole(self) -> bool:
        """Whether all of it has come."""
        return self.received == self.length

    def feed(self, data: bytes | bytearray | memoryview) -> int:
        """Take what belongs to it; how many bytes that were."""
        piece = bytes(data[: self.length - self.received])
        self.received += len(piece)
        if not self.failed:
            try:
                self._file.write(piece)
            except OSError:
                self.failed = True
        return len(piece)

    def reader(self) -> Unreader:
        """Its bytes, from the first, as Gunicorn reads them."""
        self._file.seek(0)
        return _FromFile(self._file)

    def close(self) -> None:
        """Let go of the file, and let another one come."""
        if not self._is_closed:
            self._is_closed = True
            with suppress(OSError):
                self._file.close()
            _one_at_a_time.release()


class _FromFile(Unreader):  # type: ignore[misc]  # the library has no types
    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._source = file

    def chunk(self, size_hint: int | None = None) -> bytes:
        """The next bytes; none at the end."""
        return self._source.read(_READ_BYTES)
