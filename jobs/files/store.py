"""The store of saved files that the settings name: a folder of this machine, or a bucket."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import BinaryIO, Final
from uuid import UUID

from jobs.files import bucket_address, bucket_store, disk, folder_store
from jobs.files.stores import Store, StoredFile

_FOLDER: Final[Store] = folder_store
_BUCKET: Final[Store] = bucket_store


def is_remote() -> bool:
    """Whether the store is a bucket: each file there has bytes of its own, and each look at one is
    a request."""
    return bucket_address.is_set()


def _store() -> Store:
    return _BUCKET if bucket_address.is_set() else _FOLDER


def put(path: str, artifact_id: UUID | str, *, durable: bool, pulse: Callable[[], None]) -> int:
    """Bring a finished file into the store; its size in bytes. As `Store.put`."""
    return _store().put(path, artifact_id, durable=durable, pulse=pulse)


def open_artifact(artifact_id: UUID | str) -> BinaryIO:
    """A saved file, open for reading anywhere in it. FileNotFoundError when it is not there."""
    return _store().open_artifact(artifact_id)


def size(artifact_id: UUID | str) -> int | None:
    """A saved file's length in bytes; None when it is not there."""
    return _store().size(artifact_id)


def identity(artifact_id: UUID | str) -> tuple[int, int] | None:
    """What tells a file from all others in the store, and is equal for those that share its bytes;
    None when it is not there, or shares with none."""
    return _store().identity(artifact_id)


def link(artifact_id: UUID | str, path: str) -> bool:
    """Make a saved file one of a workspace as well. As `Store.link`."""
    return _store().link(artifact_id, path)


def remove(artifact_id: UUID | str) -> bool:
    """Delete a saved file; False when it was seen not to be there. Readers that have it open
    finish, where the store is a folder."""
    return _store().remove(artifact_id)


def remove_all(artifact_ids: Sequence[UUID]) -> bool:
    """Delete saved files of a bucket with few requests; False where they are to be deleted one by
    one: in a folder, and where one of a bucket resists."""
    if not bucket_address.is_set():
        return False
    try:
        bucket_store.remove_all(artifact_ids)
    except OSError:
        return False
    return True


def discard(artifact_id: UUID | str) -> None:
    """Delete a file that has no row; where the store keeps it, the sweep finds it as an orphan."""
    with contextlib.suppress(OSError):
        remove(artifact_id)


def abort_stale_uploads(now: datetime) -> int:
    """Delete the parts of uploads to a bucket that dead workers began; how many uploads."""
    return bucket_store.abort_stale_uploads(now.timestamp()) if bucket_address.is_set() else 0


def walk(shards: Sequence[str] = disk.SHARDS) -> Iterator[list[StoredFile]]:
    """Saved files, one folder (about a 256th of them all) at a time; foreign files are left out.

    shards: those of `disk.SHARDS` to look into; ones without files yield nothing.
    """
    return _store().walk(shards)
