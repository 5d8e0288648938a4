"""The bucket as a store of saved files, by artifact id.

    <prefix>/<first two hex digits of the id>/<id>      a saved file
    <prefix>/work/<workspace>/<n>.part                  one that a workspace has reused

Files have the keys of their place in the folder. A file is missing only in a bucket that is ours:
before that is said, its mark is looked at. Others may keep objects in the same bucket: what has no
key that we give is never deleted, and no upload to one is ended.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID

from jobs.files import bucket_requests, disk
from jobs.files.bucket_access import bucket
from jobs.files.bucket_address import address
from jobs.files.bucket_mark import WORK, looks
from jobs.files.stores import StoredFile, parse_id

UPLOAD_LONGEST: Final = timedelta(hours=6)
"""An upload begun longer ago than this is a dead worker's."""
_STAGED: Final = re.compile(
    rf"{WORK}/(?P<workspace>[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}\.[0-9]{{1,10}})"
    r"/[0-9]{1,9}\.part"
)


def _key(artifact_id: UUID | str) -> str:
    name = parse_id(artifact_id)
    return f"{name[:2]}/{name}"


def _saved_as(key: str) -> UUID | None:
    """The id of the file whose key this is; None for one that is none of ours."""
    with contextlib.suppress(ValueError):
        artifact_id = UUID(key.rpartition("/")[2])
        if _key(artifact_id) == key:
            return artifact_id
    return None


def _staged(path: str) -> str:
    """The key of a workspace's file. path: the one it would have in the folder."""
    return "/".join((WORK, *Path(path).parts[-2:]))


@contextlib.contextmanager
def _watched(*, missing_is_said: bool = True) -> Iterator[None]:
    """Look at the bucket again after a fault, and before a file is called missing."""
    disk.require_bucket()
    try:
        yield
    except FileNotFoundError:
        if missing_is_said and disk.is_unmounted(again=True):
            looks.doubt()
            disk.require_bucket()
        raise
    except OSError:
        looks.doubt()
        raise


def put(path: str, artifact_id: UUID | str, *, durable: bool, pulse: Callable[[], None]) -> int:
    """Upload a finished file, and delete it here; its size in bytes."""
    with open(path, "rb") as file:  # noqa: PTH123  # for every file
        size_bytes = os.fstat(file.fileno()).st_size
        with _watched():
            bucket().upload(_key(artifact_id), file, size_bytes, pulse)
    os.unlink(path)  # noqa: PTH108
    return size_bytes


def open_artifact(artifact_id: UUID | str) -> BinaryIO:
    """A saved file, open for reading. FileNotFoundError when it is not there."""
    key = _key(artifact_id)
    with _watched():
        return bucket().open(key)


def size(artifact_id: UUID | str) -> int | None:
    """A saved file's length in bytes; None when it is not there."""
    key = _key(artifact_id)
    with contextlib.suppress(FileNotFoundError), _watched():
        size_bytes = bucket().size(key)
        if size_bytes is None:
            raise FileNotFoundError
        return size_bytes
    return None


def identity(artifact_id: UUID | str) -> None:
    """None: in a bucket every file has bytes of its own."""
    parse_id(artifact_id)


def link(artifact_id: UUID | str, path: str) -> bool:
    """Copy a saved file within the store for a workspace. Raises FileNotFoundError."""
    key = _key(artifact_id)
    with _watched():
        bucket().copy(key, _staged(path))
    return True


def commit_staged(path: str, artifact_id: UUID | str) -> int:
    """Give a file that `link` made its place; its size in bytes. path: as `link` had it."""
    staged = _staged(path)
    with _watched():
        size_bytes = bucket().copy(staged, _key(artifact_id))
        bucket().delete([staged])
    return size_bytes


def open_staged(path: str) -> BinaryIO:
    """A file that `link` made, open for reading."""
    with _watched():
        return bucket().open(_staged(path))


def discard_staged(paths: Sequence[str]) -> None:
    """Delete files that `link` made. What the store keeps is left to the sweep."""
    with contextlib.suppress(OSError), _watched():
        bucket().delete([_staged(path) for path in paths])


def remove(artifact_id: UUID | str) -> bool:
    """Delete a saved file. The store does not say whether it was there, so True."""
    key = _key(artifact_id)
    with _watched():
        bucket().delete([key])
    return True


def remove_all(artifact_ids: Sequence[UUID]) -> None:
    """Delete saved files with few requests."""
    keys = [_key(artifact_id) for artifact_id in artifact_ids]
    with _watched():
        bucket().delete(keys)


def walk(shards: Sequence[str]) -> Iterator[list[StoredFile]]:
    """Saved files, those of one shard at a time; foreign objects are left out. Shards are listed in
    one go from the first to the last."""
    files: dict[str, list[StoredFile]] = {shard: [] for shard in sorted(shards)}
    if not files:
        return
    first, last = min(files), max(files)
    with _watched():
        # From within the folder: after its bare name SeaweedFS begins behind all that is in it.
        for found in bucket().list_between(f"{first}/{first}", f"{last}0"):  # "0" follows "/"
            artifact_id = _saved_as(found.key)
            if artifact_id is not None and found.key[:2] in files:
                stored = StoredFile(artifact_id, found.size_bytes, found.modified_at)
                files[found.key[:2]].append(stored)
    yield from filter(None, files.values())


def stale_workspaces(before: float) -> list[str]:
    """Names of workspaces with files in the store, all of them older than this; foreign objects are
    left out. before: Unix seconds."""
    latest: dict[str, float] = {}
    with _watched():
        for found in bucket().list(WORK):
            if staged := _STAGED.fullmatch(found.key):
                name = staged["workspace"]
                latest[name] = max(found.modified_at, latest.get(name, 0.0))
    return sorted(name for name, modified_at in latest.items() if modified_at < before)


def remove_workspace(name: str) -> None:
    """Delete the files that a dead worker's workspace has in the store, and no foreign objects."""
    with _watched():
        found = [one.key for one in bucket().list(f"{WORK}/{name}")]
        if keys := [key for key in found if _STAGED.fullmatch(key)]:
            bucket().delete(keys)


def abort_stale_uploads(now: float | None = None) -> int:
    """Delete the parts of uploads that dead workers began; how many uploads. now: Unix seconds.

    An upload to a key that none of our files has is somebody else's.
    """
    where = address()
    limit = datetime.fromtimestamp(time.time() if now is None else now, UTC) - UPLOAD_LONGEST
    stale = [
        upload
        for upload in bucket_requests.begun_uploads(where)
        if upload.begun_at < limit and _saved_as(upload.key) is not None
    ]
    for upload in stale:
        bucket_requests.abort_upload(where, upload)
    return len(stale)


def download_url(artifact_id: UUID, *, seconds: int, disposition: str, content_type: str) -> str:
    """An address from which anybody can download a file for so many seconds."""
    return bucket_requests.signed_url(
        address(),
        _key(artifact_id),
        seconds=seconds,
        query={
            "response-content-disposition": disposition,
            "response-content-type": content_type,
            "response-cache-control": "private, no-store",
        },
    )
