"""The folder as a store of saved files, by artifact id.

    <artifacts>/<first two hex digits of the id>/<id>      a saved file

Names are ids only, folders belong to us alone (0700), and no symbolic link below the artifact
folder is followed: everything is opened relative to a folder that was itself opened.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Final
from uuid import UUID

from jobs.files import disk
from jobs.files.stores import StoredFile, parse_id

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READ_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def _open_folder(path: str, *, within: int | None = None) -> Iterator[int]:
    """The descriptor of a folder; of a symbolic link NotADirectoryError. Raises FileNotFoundError.

    within: the descriptor of the folder above.
    """
    folder = os.open(path, _FOLDER, dir_fd=within)
    try:
        yield folder
    finally:
        os.close(folder)


@contextlib.contextmanager
def shard(artifact_id: UUID | str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """The descriptor of the folder an artifact lies in, and its name there.

    make: create the folder when it is missing. Raises ValueError when that is no id,
    FileNotFoundError, and StorageNotMounted.
    """
    name = parse_id(artifact_id)
    # Above its last part a path is the owner's own affair, links included; opened in one step.
    path = f"{disk.root()}/{name[:2]}"
    if make and not os.path.lexists(path):
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)  # noqa: PTH102  # asked for every file
    with _open_folder(path) as folder:
        yield folder, name


def put(path: str, artifact_id: UUID | str, *, durable: bool, pulse: Callable[[], None]) -> int:
    """Move a finished file to its place; its size in bytes. Nothing of it takes long.

    durable: sync it first, so that it survives a power cut.
    """
    file = os.open(path, READ_FLAGS)
    try:
        size_bytes = os.fstat(file).st_size
        if durable:
            os.fsync(file)
    finally:
        os.close(file)
    with shard(artifact_id, make=True) as (folder, name):
        os.rename(path, name, dst_dir_fd=folder)
    return size_bytes


def open_artifact(artifact_id: UUID | str) -> BinaryIO:
    """A saved file, open for reading. FileNotFoundError when it is not there."""
    try:
        with shard(artifact_id) as (folder, name):
            file = os.open(name, READ_FLAGS, dir_fd=folder)
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
        with shard(artifact_id) as (folder, name):
            facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return facts.st_size if stat.S_ISREG(facts.st_mode) else None


def identity(artifact_id: UUID | str) -> tuple[int, int] | None:
    """What tells a file from all others on the disk, and is equal for its hard links; None when it
    is not there."""
    try:
        with shard(artifact_id) as (folder, name):
            facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return facts.st_dev, facts.st_ino


def link(artifact_id: UUID | str, path: str) -> bool:
    """Share a saved file's bytes by a hard link; False where the file system knows no links, or has
    as many as it takes. Raises FileNotFoundError when it is not there."""
    try:
        with shard(artifact_id) as (folder, name):
            os.link(name, path, src_dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        raise
    except OSError:
        return False
    return True


def remove(artifact_id: UUID | str) -> bool:
    """Delete a saved file; False when it was not there. Readers that have it open finish."""
    try:
        with shard(artifact_id) as (folder, name):
            os.unlink(name, dir_fd=folder)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def walk(shards: Sequence[str]) -> Iterator[list[StoredFile]]:
    """Saved files, one folder (about a 256th of them all) at a time; foreign files are left out.

    shards: those of `disk.SHARDS` to look into; ones without files yield nothing.
    """
    root = str(disk.root())
    with contextlib.ExitStack() as stack:
        above = os.open(root, _FOLDER & ~os.O_NOFOLLOW)
        stack.callback(os.close, above)
        for shard_name in shards:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                with _open_folder(shard_name, within=above) as folder:
                    files = list(_stored_files(folder, shard_name))
                if files:
                    yield files


def _stored_files(folder: int, prefix: str) -> Iterator[StoredFile]:
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                artifact_id = UUID(entry.name)
                facts = entry.stat(follow_symlinks=False)
            except (ValueError, FileNotFoundError):
                continue
            ours = str(artifact_id) == entry.name and entry.name.startswith(prefix)
            if ours and stat.S_ISREG(facts.st_mode):
                yield StoredFile(artifact_id, facts.st_size, facts.st_mtime)
