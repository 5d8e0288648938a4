"""Workspaces: folders of files that are arriving or being made, one per claim.

`<item or package id>.<attempt>/<n>.part`, below the folder `work` of the artifacts.

A finished file is moved from here to its place in the store, so a reader never meets half a file.
Workspaces are on the worker's own disk also where the store is a bucket; what is reused of saved
files is copied within the bucket then, and never comes here.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from uuid import UUID

from django.conf import settings

from jobs.errors import DiskFull
from jobs.files import bucket_store, disk, store
from jobs.files.capacity import Reservation, counts_for_quota, reservations
from jobs.files.disk import WORK, create_file, translate_disk_errors
from jobs.files.folder_store import READ_FLAGS
from jobs.models import Artifact

_KEY = re.compile(r"[0-9]{1,9}\.part", re.ASCII)
_PULSE_EVERY_S = 5.0
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,99}", re.ASCII)


class Workspace:
    """A folder of one claim's unfinished files; leaving the block removes the folder.

    `create`, `discard` and `reserve` may be called from one thread while `commit` runs in another.
    name: `<item id>.<attempt>`, so a worker presumed dead and its successor never share one.
    owner_id, max_bytes: whose files these become, and how many bytes of files that user may have in
    all; None = as many as the disk takes. pulse: called every few seconds while files are uploaded;
    may raise to stop.
    """

    def __init__(
        self,
        name: str,
        *,
        owner_id: int | None = None,
        max_bytes: int | None = None,
        pulse: Callable[[], None] | None = None,
    ) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError("a workspace is named by an id and an attempt")
        self.name = name
        self._folder = f"{settings.STORYKEEP.artifacts}/{WORK}/{name}"
        self._lock = threading.Lock()
        self._count = 0
        self._open: dict[str, BinaryIO] = {}
        self._linked: dict[str, tuple[UUID, int]] = {}  # content id, bytes reserved
        self._copies = _CopiesInBucket()
        self._beat = _Pulse(pulse)
        self._reserved: Counter[str] = Counter()
        self._reservation = Reservation(
            owner_id=owner_id,
            max_bytes=max_bytes,
            written_bytes=self._written_bytes,
            is_idle=lambda: not self._open,
        )

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self._folder)

    def __enter__(self) -> Self:
        with translate_disk_errors(missing=True):
            work = disk.root() / WORK
            disk.require_usable()
            work.mkdir(mode=0o700, exist_ok=True)
            try:
                os.mkdir(self._folder, 0o700)  # noqa: PTH102  # for every line
            except FileExistsError:
                _remove_tree(self.path)
                self.path.mkdir(mode=0o700)
        reservations.enter(self._reservation)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        reservations.leave(self._reservation)
        with self._lock:
            files = list(self._open.values())
            self._open.clear()
        self._copies.discard_all()
        for file in files:
            with contextlib.suppress(OSError, DiskFull):
                file.close()
        with contextlib.suppress(OSError):  # the sweep takes what we cannot
            try:
                os.rmdir(self._folder)  # noqa: PTH106  # mostly all its files are in the store
            except OSError:
                _remove_tree(self.path)

    def create(self) -> tuple[str, BinaryIO]:
        """A new empty file open for reading and writing, and its key.

        Raises StorageUnavailable and NoSpaceLeft, as may reading and writing it.
        """
        key = self._next_key()
        file = create_file(self._path_of(key), _open_private)
        with self._lock:
            self._open[key] = file
        return key, file

    def link_existing(self, file: Artifact) -> str:
        """A saved file as a finished file of this workspace; its key.

        The bytes are shared by a hard link where the file system can, else copied, in a bucket by
        the store itself. A link takes no room and is not refused for want of it, a copy is; the
        owner's quota counts both, unless it is a preview. Raises FileNotFoundError when the file
        was deleted meanwhile, QuotaExceeded, and DiskFull.
        """
        key = self._next_key()
        if store.is_remote():
            with translate_disk_errors():
                self._stage(file, key)
            return key
        with translate_disk_errors(), store.open_artifact(file.pk) as source:
            size_bytes = os.fstat(source.fileno()).st_size
            if not self._link(file, key, size_bytes):
                self._copy(source, key, size_bytes)
            # New here: a file without a row is swept when it is old.
            os.utime(self._path_of(key))
        return key

    def _link(self, file: Artifact, key: str, size_bytes: int) -> bool:
        """Share a saved file's bytes; False where the file system knows no links, or has as many
        as it takes."""
        reserved = size_bytes if counts_for_quota(file.role) else 0
        reservations.reserve(self._reservation, reserved, linked=True)
        is_linked = False
        try:
            is_linked = store.link(file.pk, self._path_of(key))
        finally:
            if not is_linked:
                self._reservation.give_back(reserved, linked=True)
        if not is_linked:
            return False
        with self._lock:
            self._linked[key] = (file.content_id or file.pk, reserved)
        return True

    def _stage(self, file: Artifact, key: str) -> None:
        """Copy a saved file within the bucket."""
        self.reserve(file.size_bytes, key)
        try:
            self._copies.add(file.pk, self._path_of(key))
        except BaseException:
            self._give_back(key)
            raise

    def _copy(self, source: BinaryIO, key: str, size_bytes: int) -> None:
        self.reserve(size_bytes, key)
        descriptor = _open_private(self._path_of(key), os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(descriptor, "wb") as target:
            shutil.copyfileobj(source, target)

    def content_id(self, key: str) -> UUID | None:
        """The id of the bytes a linked file shares with others; None for any other file."""
        with self._lock:
            content_id, _reserved = self._linked.get(key, (None, 0))
        return content_id

    def open(self, key: str) -> BinaryIO:
        """Open a file of this workspace once more, for reading, with all that was written to it."""
        self._flush(key)
        with translate_disk_errors(missing=True):
            if self._path_of(key) in self._copies:
                return bucket_store.open_staged(self._path_of(key))
            return os.fdopen(os.open(self._path_of(key), READ_FLAGS), "rb")

    def discard(self, key: str) -> None:
        """Delete a file and give its reserved bytes back. Twice is harmless."""
        path = self._path_of(key)
        file = self._forget(key)
        if file is not None:
            with contextlib.suppress(OSError, DiskFull, ValueError):
                file.close()
        self._give_back(key)
        if path in self._copies:
            self._copies.discard(path)
            return
        with contextlib.suppress(OSError):  # it goes with the folder
            os.unlink(path)  # noqa: PTH108  # a string, for speed

    def reserve(self, size_bytes: int, key: str = "") -> None:
        """Reserve this many more bytes before they are written.

        key: of the file they are for. They count as used until it is committed or discarded; those
        for no file in particular, until nothing is being written. Raises DiskFull, or
        QuotaExceeded when the owner has no room. Costs no query when called on an event loop: the
        last known count is used, which every committed file corrects.
        """
        reservations.reserve(self._reservation, size_bytes)
        with self._lock:
            self._reserved[key] += size_bytes

    @property
    def in_flight_bytes(self) -> int:
        """Bytes reserved, and neither committed nor discarded yet."""
        return self._reservation.in_flight_bytes

    def commit(
        self, key: str, artifact_id: UUID | str, *, durable: bool = True, quota: bool = True
    ) -> int:
        """Move a finished file to its place in the store; its size in bytes.

        The file stays open for its readers. durable: sync it first, so that it survives a power
        cut; False for what can be made again. quota: it counts for its owner's. Raises
        StorageUnavailable, also where the workspace is not there any more, and NoSpaceLeft.
        """
        path = self._path_of(key)
        if store.is_remote():  # many small ones take as long as a large one
            self._beat()
        self._flush(key)
        with translate_disk_errors(missing=True):
            if path in self._copies:
                size_bytes = self._copies.commit(path, artifact_id)
            else:
                size_bytes = store.put(path, artifact_id, durable=durable, pulse=self._beat)
        self._forget(key)
        linked = self._give_back(key)
        reservations.committed(self._reservation, size_bytes, linked=linked, quota=quota)
        return size_bytes

    def _next_key(self) -> str:
        with self._lock:
            self._count += 1
            return f"{self._count}.part"

    def _written_bytes(self) -> int:
        with self._lock:
            keys = list(self._open)
        written = 0
        for key in keys:
            with contextlib.suppress(OSError):
                written += os.stat(self._path_of(key)).st_size  # noqa: PTH116  # of many files
        return written

    def _path_of(self, key: str) -> str:
        if not _KEY.fullmatch(key):
            raise ValueError("that is not a key of a workspace")
        return f"{self._folder}/{key}"

    def _flush(self, key: str) -> None:
        with self._lock:
            file = self._open.get(key)
        if file is not None and not file.closed:
            with (
                translate_disk_errors(),
                contextlib.suppress(ValueError),
            ):  # closed by its maker just now
                file.flush()

    def _give_back(self, key: str) -> bool:
        """Return what a file had reserved; whether it was linked."""
        with self._lock:
            link = self._linked.pop(key, None)
            _content_id, reserved = link or (None, self._reserved.pop(key, 0))
        self._reservation.give_back(reserved, linked=link is not None)
        return link is not None

    def _forget(self, key: str) -> BinaryIO | None:
        with self._lock:
            return self._open.pop(key, None)


class _Pulse:
    """Calls somebody back every few seconds at most. call: may raise."""

    def __init__(self, call: Callable[[], None] | None) -> None:
        self._call, self._at = call, time.monotonic() + _PULSE_EVERY_S

    def __call__(self) -> None:
        if self._call is not None and time.monotonic() >= self._at:
            self._at = time.monotonic() + _PULSE_EVERY_S
            self._call()


class _CopiesInBucket:
    """Files of a workspace that are copies within the bucket, by the paths they would have here.
    For threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paths: set[str] = set()

    def __contains__(self, path: str) -> bool:
        return path in self._paths

    def add(self, artifact_id: UUID, path: str) -> None:
        """Copy a saved file. Raises OSError, and nothing is left then that is not swept."""
        store.link(artifact_id, path)
        with self._lock:
            self._paths.add(path)

    def commit(self, path: str, artifact_id: UUID | str) -> int:
        """Give a copy its place among the saved files; its size in bytes. Raises OSError."""
        size_bytes = bucket_store.commit_staged(path, artifact_id)
        with self._lock:
            self._paths.discard(path)
        return size_bytes

    def discard(self, path: str) -> None:
        """Delete a copy."""
        with self._lock:
            self._paths.discard(path)
        bucket_store.discard_staged([path])

    def discard_all(self) -> None:
        """Delete all that are left."""
        with self._lock:
            paths = sorted(self._paths)
            self._paths.clear()
        if paths:
            bucket_store.discard_staged(paths)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _remove_tree(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)  # does not follow links


def stale_workspaces(*, older_than_s: float, now: float | None = None) -> Iterator[str]:
    """Names of workspaces in which nothing was made or removed for so long. now: Unix seconds."""
    limit = (time.time() if now is None else now) - older_than_s
    work = disk.root() / WORK
    if store.is_remote():
        yield from bucket_store.stale_workspaces(limit)
    if work.is_symlink() or not work.is_dir():
        return
    for path in sorted(work.iterdir()):
        with contextlib.suppress(FileNotFoundError):
            if path.lstat().st_mtime < limit:
                yield path.name


def remove_workspace(name: str) -> None:
    """Delete a workspace that a dead worker left. Raises OSError when it cannot be deleted."""
    if "/" in name or name in {"", ".", ".."}:
        raise ValueError("a workspace is named by an id and an attempt")
    if store.is_remote():
        bucket_store.remove_workspace(name)
    path = settings.STORYKEEP.artifacts / WORK / name
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path)
