"""Saved files by artifact id, and the workspaces they are made in.

    <artifacts>/<first two hex digits of the id>/<id>      a saved file
    <artifacts>/work/<item or package id>.<attempt>/       a workspace; `<n>.part` inside

Names are ids and numbers only, folders belong to us alone (0700), and no symbolic link below the
artifact folder is followed: everything is opened relative to a folder that was itself opened.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from uuid import UUID

from django.conf import settings

from jobs.errors import DiskFull
from jobs.files import capacity, disk
from jobs.files.disk import WORK, disk_errors, new_file

_SHARD = re.compile(r"[0-9a-f]{2}", re.ASCII)
_WORKSPACE = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,99}", re.ASCII)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def _opened(name: str, *, within: int | None = None, make: bool = False) -> Iterator[int]:
    """A folder's descriptor. FileNotFoundError, or NotADirectoryError for a symbolic link."""
    flags = _FOLDER if within is not None else _FOLDER & ~os.O_NOFOLLOW
    try:
        folder = os.open(name, flags, dir_fd=within)
    except FileNotFoundError:
        if not make:
            raise
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=within)
        folder = os.open(name, flags, dir_fd=within)
    try:
        yield folder
    finally:
        os.close(folder)


@contextlib.contextmanager
def _shard(artifact_id: UUID | str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """The folder an artifact lies in, and its name there. ValueError when that is no id."""
    name = str(artifact_id if isinstance(artifact_id, UUID) else UUID(artifact_id))
    with _opened(str(disk.root())) as root, _opened(name[:2], within=root, make=make) as shard:
        yield shard, name


# --- saved files --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stored:
    """A saved file as the disk knows it. modified_at: Unix seconds."""

    id: UUID
    size_bytes: int
    modified_at: float


def open_artifact(artifact_id: UUID | str) -> BinaryIO:
    """A saved file, open for reading. FileNotFoundError when it is not there."""
    try:
        with _shard(artifact_id) as (shard, name):
            file = os.open(name, _READ, dir_fd=shard)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:  # a symbolic link: not a file of ours
            raise FileNotFoundError(errno.ENOENT, "not a saved file", str(artifact_id)) from error
        raise
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise FileNotFoundError(errno.ENOENT, "not a saved file", str(artifact_id))
    return os.fdopen(file, "rb")


def size(artifact_id: UUID | str) -> int | None:
    """A saved file's length in bytes; None when it is not there."""
    try:
        with _shard(artifact_id) as (shard, name):
            found = os.stat(name, dir_fd=shard, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def remove(artifact_id: UUID | str) -> bool:
    """Delete a saved file; False when it was not there. Readers that have it open finish."""
    try:
        with _shard(artifact_id) as (shard, name):
            os.unlink(name, dir_fd=shard)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def stored() -> Iterator[list[Stored]]:
    """Every saved file, a folder (a 256th of all) at a time. What is not named by us is skipped."""
    with _opened(str(disk.root())) as root:
        with os.scandir(root) as entries:
            names = sorted(entry.name for entry in entries if _SHARD.fullmatch(entry.name))
        for shard_name in names:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                with _opened(shard_name, within=root) as shard:
                    found = list(_files(shard, shard_name))
                if found:
                    yield found


def _files(shard: int, prefix: str) -> Iterator[Stored]:
    with os.scandir(shard) as entries:
        for entry in entries:
            try:
                artifact_id = UUID(entry.name)
                facts = entry.stat(follow_symlinks=False)
            except (ValueError, FileNotFoundError):
                continue
            ours = str(artifact_id) == entry.name and entry.name.startswith(prefix)
            if ours and stat.S_ISREG(facts.st_mode):
                yield Stored(artifact_id, facts.st_size, facts.st_mtime)


# --- workspaces ---------------------------------------------------------------------------------


class Workspace:
    """A folder of one claim's unfinished files; leaving the block removes what is left of it.

    `create`, `discard` and `reserve` may be called from one thread while `commit` runs in another.
    name: `<item id>.<attempt>`, so a worker presumed dead and its successor never share one.
    owner_id, max_bytes: whose files these become, and how many bytes of files they may have in
    all; None = as many as the disk takes.
    """

    def __init__(
        self, name: str, *, owner_id: int | None = None, max_bytes: int | None = None
    ) -> None:
        if not _WORKSPACE.fullmatch(name):
            raise ValueError("a workspace is named by an id and an attempt")
        self.name = name
        self.owner_id = owner_id
        self.max_bytes = max_bytes if owner_id is not None else None
        self._lock = threading.Lock()
        self._count = 0
        self._open: dict[str, BinaryIO] = {}
        self._reserved = 0

    @property
    def path(self) -> Path:
        """The folder."""
        return settings.STORYKEEP.artifacts / WORK / self.name

    def __enter__(self) -> Self:
        with disk_errors():
            work = disk.root() / WORK
            work.mkdir(mode=0o700, exist_ok=True)
            _remove_tree(self.path)
            self.path.mkdir(mode=0o700)
        capacity.keeper.enter(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        capacity.keeper.leave(self)
        with self._lock:
            left = list(self._open.values())
            self._open.clear()
        for file in left:
            with contextlib.suppress(OSError, DiskFull):
                file.close()
        with contextlib.suppress(OSError):  # the sweep takes what we cannot
            _remove_tree(self.path)

    def create(self) -> tuple[str, BinaryIO]:
        """A new empty file open for reading and writing, and its key. Raises DiskFull."""
        with self._lock:
            self._count += 1
            key = f"{self._count}.part"
        file = new_file(self.path / key, _private)
        with self._lock:
            self._open[key] = file
        return key, file

    def link_existing(self, artifact_id: UUID | str) -> str:
        """A saved file as a finished one of this workspace, and its key. The bytes are shared where
        the disk can do that, and stay until the last of their names goes.

        Raises FileNotFoundError when it was deleted meanwhile, and DiskFull.
        """
        with disk_errors(), open_artifact(artifact_id) as source:
            with self._lock:
                self._count += 1
                key = f"{self._count}.part"
            path = self._inside(key)
            try:
                with _shard(artifact_id) as (shard, name):
                    os.link(name, path, src_dir_fd=shard, follow_symlinks=False)
            except FileNotFoundError:
                raise
            except OSError:  # this file system knows no links, or has as many as it takes
                with os.fdopen(
                    _private(str(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb"
                ) as to:
                    shutil.copyfileobj(source, to)
            # New here: a file without a row is swept when it is old.
            os.utime(path)
        return key

    def open(self, key: str) -> BinaryIO:
        """A file made here, opened once more for reading, whole: what was written is flushed."""
        self._flush(key)
        return os.fdopen(os.open(self._inside(key), _READ), "rb")

    def discard(self, key: str) -> None:
        """Forget a file and give its room back. Twice is harmless."""
        path = self._inside(key)
        held = self._let_go(key)
        if held is not None:
            with contextlib.suppress(OSError, DiskFull, ValueError):
                held.close()
        with contextlib.suppress(FileNotFoundError):
            self._give_back(path.stat().st_size)
            path.unlink()

    def reserve(self, size_bytes: int) -> None:
        """Ask before writing this many more bytes. Raises DiskFull when there is no room, and
        QuotaExceeded when there is none for its owner.

        What is reserved counts as used until the file is kept or discarded. Costs no query when
        called on an event loop: the last known count is used, which every kept file corrects.
        """
        capacity.keeper.reserve(self, size_bytes)

    def commit(self, key: str, artifact_id: UUID | str, *, durable: bool = True) -> int:
        """Move a finished file into place under its artifact's id; its size in bytes.

        The file stays open for whoever reads it still. durable: survive a power cut, too; leave
        it out for what can be made again. Raises DiskFull, FileNotFoundError.
        """
        path = self._inside(key)
        self._flush(key)
        with disk_errors():
            file = os.open(path, _READ)
            try:
                size_bytes = os.fstat(file).st_size
                if durable:
                    os.fsync(file)
            finally:
                os.close(file)
            with _shard(artifact_id, make=True) as (shard, name):
                os.rename(path, name, dst_dir_fd=shard)
        self._let_go(key)
        self._give_back(size_bytes)
        capacity.keeper.kept(self, size_bytes)
        return size_bytes

    def reserved(self, size_bytes: int) -> None:
        """Count what was just reserved; for the room keeper alone."""
        with self._lock:
            self._reserved += size_bytes

    @property
    def in_flight_bytes(self) -> int:
        """Admitted, and neither kept nor discarded yet."""
        return self._reserved

    def unwritten_bytes(self) -> int:
        """Admitted, and not on the disk yet."""
        with self._lock:
            keys = list(self._open)
        written = 0
        for key in keys:
            with contextlib.suppress(OSError):
                written += (self.path / key).stat().st_size
        return max(0, self._reserved - written)

    def _inside(self, key: str) -> Path:
        if not re.fullmatch(r"[0-9]{1,9}\.part", key):
            raise ValueError("that is not a key of a workspace")
        return self.path / key

    def _flush(self, key: str) -> None:
        with self._lock:
            file = self._open.get(key)
        if file is not None and not file.closed:
            with disk_errors(), contextlib.suppress(ValueError):  # closed by its maker just now
                file.flush()

    def _let_go(self, key: str) -> BinaryIO | None:
        with self._lock:
            return self._open.pop(key, None)

    def _give_back(self, size_bytes: int) -> None:
        with self._lock:
            # What was announced and never came is given back when nothing is being written.
            self._reserved = max(0, self._reserved - size_bytes) if self._open else 0


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _remove_tree(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)  # does not follow links


def workspaces(*, older_than_s: float, now: float | None = None) -> Iterator[str]:
    """Names of workspaces in which nothing was made or removed for so long. now: Unix seconds."""
    limit = (time.time() if now is None else now) - older_than_s
    work = disk.root() / WORK
    if work.is_symlink() or not work.is_dir():
        return
    for path in sorted(work.iterdir()):
        with contextlib.suppress(FileNotFoundError):
            if path.lstat().st_mtime < limit:
                yield path.name


def remove_workspace(name: str) -> None:
    """Delete what a dead worker left, whatever it is. OSError when the disk says no."""
    if "/" in name or name in {"", ".", ".."}:
        raise ValueError("a workspace is named by an id and an attempt")
    path = settings.STORYKEEP.artifacts / WORK / name
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path)
