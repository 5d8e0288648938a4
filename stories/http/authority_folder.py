"""A folder of certificate authorities in which curl looks up the one it needs.

curl parses a file of authorities anew for each connection and keeps the result as long as the
connection: 3 ms and 0.8 MiB each with the public ones. In a folder it reads the one that signed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")  # noqa: S108  # nosec B108  # a folder of our own in it, made by mkdtemp
_PREFIX: Final = "authorities-"
_YOUNG_S: Final = 60.0
"""Age of a folder from which on a missing lock says that its process is gone."""
_SEQUENCE: Final = 0x30
_SET: Final = 0x31
_UTF8: Final = 0x0C
_VERSION: Final = 0xA0
_ENCODINGS: Final = {
    0x0C: "utf-8",
    0x13: "ascii",
    0x14: "latin-1",
    0x16: "ascii",
    0x1A: "ascii",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}
"""Tags of the text types that a name is made of -> how each is written."""
_SPACE: Final = re.compile(r"[ \t\n\v\f\r]+")


class AuthorityFolder:
    """The folder: a file for each certificate, named by its subject's hash. path: of the folder.

    certificates: each in DER and in PEM. left: the PEM of those whose subject could not be read,
    which are not in it. parent: of the folder, None for the usual one. Raises OSError when no
    folder can be made.

    Others clear such folders up: at the end of a login session systemd removes what its user left
    in shared memory. is_whole and refill are for that.
    """

    def __init__(
        self, certificates: Sequence[tuple[bytes, str]], *, parent: Path | None = None
    ) -> None:
        parent = parent or _usual_parent()
        remove_abandoned(parent)
        self.path = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
        self._lock: int | None = None
        self._last = self.path  # written last: where it is, the others are
        self.left: list[str] = []
        try:
            self._lock = _locked(self.path, fcntl.LOCK_SH)
            self._fill(certificates)
        except BaseException:
            self.close()
            raise

    def is_whole(self) -> bool:
        """Whether the folder is as it was made."""
        return os.path.exists(self._last)  # noqa: PTH110 - for each request: twice as fast

    def refill(self, certificates: Sequence[tuple[bytes, str]]) -> None:
        """Put the certificates back where they were. Raises OSError."""
        path = Path(self.path)
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
        if status.st_uid != os.getuid() or status.st_mode & 0o077:
            raise PermissionError(f"{path} belongs to somebody else")
        lock = _locked(self.path, fcntl.LOCK_SH)
        if self._lock is not None:
            os.close(self._lock)
        self._lock = lock
        self._fill(certificates)

    def _fill(self, certificates: Sequence[tuple[bytes, str]]) -> None:
        counts: dict[str, int] = {}
        self.left, path = [], self.path
        for der, pem in certificates:
            try:
                name = f"{subject_hash(der):08x}"
            except ValueError:
                self.left.append(pem)
                continue
            number = counts[name] = counts.get(name, -1) + 1
            path = f"{self.path}/{name}.{number}"
            Path(path).write_text(pem, encoding="ascii")
        self._last = path

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _usual_parent() -> Path:
    # In memory: nothing clears it up while a worker runs for weeks, as happens to /tmp.
    in_memory = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)
    return _MEMORY if in_memory else Path(tempfile.gettempdir())


def remove_abandoned(parent: Path) -> None:
    """Remove folders in `parent` whose process is gone without having done so."""
    for path in parent.glob(f"{_PREFIX}*"):
        try:
            status = path.lstat()
            if status.st_uid != os.getuid() or time.time() - status.st_mtime < _YOUNG_S:
                continue
            lock = _locked(path, fcntl.LOCK_EX)
        except OSError:  # in use, or gone meanwhile
            continue
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def _locked(path: str | Path, how: int) -> int:
    """A descriptor of a folder that holds a lock on it. Raises OSError when it is in use."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def subject_hash(certificate: bytes) -> int:
    """The number by which OpenSSL and BoringSSL look up a certificate by its subject.

    certificate: in DER. Raises ValueError when it cannot be read.
    """
    try:
        canonical = b"".join(map(_canonical_part, _children(_subject(certificate))))
    except (IndexError, StopIteration) as error:
        raise ValueError("not a certificate") from error
    digest = hashlib.sha1(canonical, usedforsecurity=False).digest()
    return int.from_bytes(digest[:4], "little")


# An element of DER: its tag, and what is inside.
_Element = tuple[int, bytes]


def _children(data: bytes) -> Iterator[_Element]:
    """The elements that follow one another in `data`."""
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        if at + length > len(data):
            raise ValueError("an element that is cut off")
        yield tag, data[at : at + length]
        at += length


def _subject(certificate: bytes) -> bytes:
    """The subject's name: a sequence of sets of pairs."""
    _, outer = next(_children(certificate))
    _, signed = next(_children(outer))
    fields = [element for element in _children(signed) if element[0] != _VERSION]
    # serial number, algorithm, issuer, validity, subject
    tag, subject = fields[4]
    if tag != _SEQUENCE:
        raise ValueError("a subject that is no name")
    return subject


def _canonical_part(part: _Element) -> bytes:
    """One set of a name, as it is hashed: in UTF-8, lower case, single spaces."""
    pairs: list[bytes] = []
    for _, pair in _children(part[1]):
        (kind_tag, kind), (tag, value) = _children(pair)
        encoding = _ENCODINGS.get(tag)
        if encoding is not None:
            text = _SPACE.sub(" ", value.decode(encoding)).strip(" ")
            # ASCII alone: other letters keep their case.
            lowered = "".join(c.lower() if c.isascii() else c for c in text)
            tag, value = _UTF8, lowered.encode()
        pairs.append(_encoded(_SEQUENCE, _encoded(kind_tag, kind) + _encoded(tag, value)))
    return _encoded(_SET, b"".join(sorted(pairs)))


def _encoded(tag: int, value: bytes) -> bytes:
    length = len(value)
    if length < 0x80:
        return bytes([tag, length]) + value
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + value
