"""The bucket: objects of an S3-compatible store, whose faults are those of a file system.

Every call ends: a store that is silent, slow or away raises OSError within the limits below. What
it says becomes an errno of `disk.DISK_FAULTS` or of a full disk, never one that means "this file is
damaged". Retries of single requests are made by the client, a few and within seconds.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import logging
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from jobs.files.bucket_address import BucketAddress

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from obstore import ObjectMeta
    from obstore.store import ClientConfig, RetryConfig

logger = logging.getLogger(__name__)

MULTIPART_BYTES: Final = 16 * 1024 * 1024
"""What is larger is uploaded in parts."""
PART_BYTES: Final = 8 * 1024 * 1024
PARTS_AT_ONCE: Final = 2
UPLOADS_AT_ONCE: Final = 3
"""Uploads of files over ALONE_BYTES under way in this process: their parts are in memory."""
ALONE_BYTES: Final = 1024 * 1024
WINDOW_BYTES: Final = 2 * 1024 * 1024
"""So much is read with one request."""
HEAD_BYTES: Final = 256 * 1024
"""So much is read when a file is opened, together with its length."""
DELETIONS_AT_ONCE: Final = 8
"""Requests of one call, where a store deletes one object with each."""
PULSE_S: Final = 5.0

CONNECT_S: Final = 3
SILENT_S: Final = 15
REQUEST_S: Final = 60
RETRIES: Final = 2
RETRY_WITHIN_S: Final = 20

_FULL: Final = ("InsufficientStorage", "QuotaExceeded", "StorageFull", "507 ")
_NO_BUCKET: Final = "NoSuchBucket"
_LIST_REFUSED: Final = re.compile(
    r"status code: (?:400|403|404|405|411|415|501)\b|invalid DeleteObjects response"
)
"""What the client says when a store does not delete by a list: there is no one way to refuse it."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as the store lists it. key: without the prefix; modified_at: Unix seconds, by the
    store's clock."""

    key: str
    size_bytes: int
    modified_at: float


def no_pulse() -> None:
    """The pulse of an upload whose caller has nothing to do meanwhile."""


class Bucket:
    """The objects below a prefix of a bucket. All methods may be called from any thread, and raise
    OSError: FileNotFoundError for an object that is not there, others for faults of the store."""

    def __init__(self, address: BucketAddress) -> None:
        self.address = address
        self._store = _client(address, request_s=REQUEST_S, silent_s=SILENT_S, retries=RETRIES)
        self._singly = _client(
            address, request_s=REQUEST_S, silent_s=SILENT_S, retries=RETRIES, lists=False
        )
        self._takes_lists = True
        self._quick = _client(address, request_s=CONNECT_S, silent_s=CONNECT_S, retries=1)
        self._uploads = ThreadPoolExecutor(UPLOADS_AT_ONCE, thread_name_prefix="upload")

    def read(self, key: str) -> bytes:
        """A small object's bytes, within seconds."""
        with _as_os_errors(key):
            return bytes(obstore.get(self._quick, key).bytes())

    def write(self, key: str, data: bytes) -> None:
        """Write a small object, within seconds."""
        with _as_os_errors(key):
            obstore.put(self._quick, key, data, use_multipart=False)

    def upload(
        self, key: str, file: BinaryIO, size_bytes: int, pulse: Callable[[], None] = no_pulse
    ) -> None:
        """Upload a file from its beginning, in parts when it is large, and see that it arrived.

        What the store says it has is compared with what was sent; where its tag is no checksum it
        is read back. pulse: called every few seconds meanwhile, in this thread; may raise to stop.
        Whatever is raised, no object and no part is left, unless the store cannot be reached.
        """
        if size_bytes <= ALONE_BYTES:
            self._upload(key, file, size_bytes, threading.Event())
            return
        stop = threading.Event()
        upload = self._uploads.submit(self._upload, key, file, size_bytes, stop)
        try:
            while not wait([upload], PULSE_S).done:
                pulse()
        except BaseException:
            stop.set()
            if not upload.cancel():
                upload.add_done_callback(lambda done: self._take_back(key, done))
                wait([upload], 2 * PULSE_S)
            raise
        upload.result()

    def _take_back(self, key: str, upload: Future[None]) -> None:
        """Delete what a stopped upload has brought to its end all the same."""
        if upload.exception() is None:
            self._discard(key)

    def _discard(self, key: str) -> None:
        """Delete an object; where the store keeps it, the sweep finds it as an orphan."""
        with contextlib.suppress(OSError):
            self.delete([key])

    def _upload(self, key: str, file: BinaryIO, size_bytes: int, stop: threading.Event) -> None:
        file.seek(0)
        sent = _Sent(file, size_bytes, stop)
        with _as_os_errors(key):
            if size_bytes > MULTIPART_BYTES:
                result = obstore.put(
                    self._store,
                    key,
                    iter(sent),
                    use_multipart=True,
                    chunk_size=PART_BYTES,
                    max_concurrency=PARTS_AT_ONCE,
                )
            else:
                result = obstore.put(self._store, key, b"".join(sent), use_multipart=False)
        if sent.size_bytes == size_bytes and (result["e_tag"] or "").strip('"') == sent.tag:
            return
        if sent.size_bytes == size_bytes and self._has(key, size_bytes, sent.sha256):
            return
        self._discard(key)
        raise OSError(errno.EREMOTEIO, "the store has not kept what was sent", key)

    def _has(self, key: str, size_bytes: int, sha256: str) -> bool:
        """Whether an object has this length and hash. It is read to its end."""
        digest, position = hashlib.sha256(), 0
        if self.size(key) != size_bytes:
            return False
        while position < size_bytes:
            piece = self.read_range(key, position, min(position + WINDOW_BYTES, size_bytes))
            digest.update(piece)
            position += len(piece)
        return digest.hexdigest() == sha256

    def open(self, key: str) -> BinaryIO:
        """An object, open for reading anywhere in it. Nothing is held at the store meanwhile."""
        try:
            with _as_os_errors(key):
                result = obstore.get(self._store, key, options={"range": (0, HEAD_BYTES)})
                head, size_bytes = bytes(result.bytes()), int(result.meta["size"])
        except FileNotFoundError:
            raise
        except OSError:
            # Of an empty object no range can be had; others have to say so themselves.
            size = self.size(key)
            if size is None:
                raise FileNotFoundError(errno.ENOENT, "not in the bucket", key) from None
            if size:
                raise
            head, size_bytes = b"", 0
        raw = _RemoteFile(self, key, size_bytes, head)
        return cast("BinaryIO", io.BufferedReader(raw, WINDOW_BYTES))

    def read_range(self, key: str, start: int, end: int) -> memoryview:
        """The bytes of an object from `start` to before `end`; some at least."""
        with _as_os_errors(key):
            piece = memoryview(obstore.get_range(self._store, key, start=start, end=end))
        if not piece:
            raise OSError(errno.EREMOTEIO, "the store sent nothing", key)
        return piece

    def size(self, key: str) -> int | None:
        """An object's length in bytes; None when it is not there."""
        try:
            with _as_os_errors(key):
                return int(obstore.head(self._store, key)["size"])
        except FileNotFoundError:
            return None

    def copy(self, key: str, to: str) -> int:
        """Copy an object within the store; its length in bytes. Raises FileNotFoundError."""
        size_bytes = self.size(key)
        if size_bytes is None:
            raise FileNotFoundError(errno.ENOENT, "not in the bucket", key)
        with _as_os_errors(key):
            obstore.copy(self._store, key, to)
        if self.size(to) != size_bytes:
            self._discard(to)
            raise OSError(errno.EREMOTEIO, "the store has not copied it whole", key)
        return size_bytes

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects, in one request where they are a thousand at most; it is no error when
        one is not there.

        A store that refuses such a request gets one for each object, and from then on only those.
        """
        if len(keys) < 2 or not self._takes_lists:
            self._delete_each(keys)
            return
        try:
            obstore.delete(self._store, keys)
        except (FileNotFoundError, BaseError) as error:
            if not _LIST_REFUSED.search(str(error)):
                with _as_os_errors(keys[0]):
                    raise
        else:
            return
        # If these are refused too, it was not for the list, and the next call tries one again.
        self._delete_each(keys)
        self._takes_lists = False
        logger.info("the object store takes no lists of what to delete: one request for each")

    def _delete_each(self, keys: Sequence[str]) -> None:
        """Delete objects one by one, a few at the same time; ends with the first fault."""
        if len(keys) < 2:
            for key in keys:
                self._delete_one(key)
            return
        with ThreadPoolExecutor(DELETIONS_AT_ONCE, thread_name_prefix="delete") as pool:
            deletions = [pool.submit(self._delete_one, key) for key in keys]
            try:
                for deletion in deletions:
                    deletion.result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _delete_one(self, key: str) -> None:
        with contextlib.suppress(FileNotFoundError), _as_os_errors(key):
            obstore.delete(self._singly, key)

    def list(self, folder: str) -> Iterator[StoredObject]:
        """The objects below a folder: part of a key, up to a slash."""
        with _as_os_errors(folder):
            for page in obstore.list(self._store, prefix=folder):
                yield from map(_stored, page)

    def list_between(self, after: str, before: str) -> Iterator[StoredObject]:
        """The objects with keys between two texts, in order, with a request for each thousand."""
        with _as_os_errors(after):
            for page in obstore.list(self._store, offset=after, chunk_size=1000):
                for found in map(_stored, page):
                    if found.key >= before:
                        return
                    yield found


def _client(
    address: BucketAddress, *, request_s: int, silent_s: int, retries: int, lists: bool = True
) -> S3Store:
    """A client. lists: whether it deletes by a list of keys, also where there is only one."""
    options: ClientConfig = {
        "allow_http": True,
        "connect_timeout": timedelta(seconds=CONNECT_S),
        "read_timeout": timedelta(seconds=silent_s),
        "timeout": timedelta(seconds=request_s),
        "user_agent": "storykeep",
    }
    if address.authority:
        options["root_certificate"] = Path(address.authority).read_bytes()
    retry: RetryConfig = {
        "max_retries": retries,
        "retry_timeout": timedelta(seconds=min(RETRY_WITHIN_S, request_s)),
        "backoff": {
            "init_backoff": timedelta(milliseconds=200),
            "max_backoff": timedelta(seconds=2),
            "base": 3,
        },
    }
    return S3Store(
        address.bucket,
        prefix=address.prefix or None,
        endpoint=address.endpoint,
        region=address.region,
        access_key_id=address.key_id,
        secret_access_key=address.secret_key,
        client_options=options,
        retry_config=retry,
        disable_bulk_delete=not lists,
    )


class _Sent:
    """The pieces of a file on its way, and their checksums. tag: the ETag a store gives that makes
    one of MD5 sums, which most do. size_bytes: of what was sent so far."""

    def __init__(self, file: BinaryIO, size_bytes: int, stop: threading.Event) -> None:
        self._file, self._stop = file, stop
        self._in_parts = size_bytes > MULTIPART_BYTES
        self._sha256 = hashlib.sha256()
        self._md5s: list[bytes] = []
        self.size_bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        while piece := self._file.read(PART_BYTES if self._in_parts else MULTIPART_BYTES):
            if self._stop.is_set():
                raise OSError(errno.ECANCELED, "the upload was stopped")
            self._sha256.update(piece)
            self._md5s.append(hashlib.md5(piece, usedforsecurity=False).digest())
            self.size_bytes += len(piece)
            yield piece

    @property
    def tag(self) -> str:
        if not self._in_parts:
            return (self._md5s or [hashlib.md5(usedforsecurity=False).digest()])[0].hex()
        sums = hashlib.md5(b"".join(self._md5s), usedforsecurity=False)
        return f"{sums.hexdigest()}-{len(self._md5s)}"

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()


class _RemoteFile(io.RawIOBase):
    """An object read in ranges. head: its first bytes."""

    def __init__(self, bucket: Bucket, key: str, size_bytes: int, head: bytes) -> None:
        self._bucket, self._key, self._size, self._head = bucket, key, size_bytes, head
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise OSError(errno.EINVAL, "before the beginning of the file")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        target = memoryview(buffer).cast("B")
        end = min(self._position + len(target), self._size)
        if end <= self._position:
            return 0
        if self._position < len(self._head):
            piece = memoryview(self._head)[self._position : end]
        else:
            piece = self._bucket.read_range(self._key, self._position, end)
        target[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)


def _stored(found: ObjectMeta) -> StoredObject:
    return StoredObject(found["path"], int(found["size"]), found["last_modified"].timestamp())


@contextlib.contextmanager
def _as_os_errors(key: str) -> Iterator[None]:
    """Raise OSError for what the client raises."""
    try:
        yield
    except FileNotFoundError as error:
        if _NO_BUCKET in str(error):
            raise OSError(errno.ENODEV, "there is no such bucket", key) from None
        raise FileNotFoundError(errno.ENOENT, "not in the bucket", key) from None
    except (PermissionDeniedError, UnauthenticatedError):
        raise PermissionError(errno.EACCES, "the store refuses the key", key) from None
    except BaseError as error:
        raise _os_error(str(error), key) from None


def _os_error(said: str, key: str) -> OSError:
    """What a store said, or that it said nothing, as an error of a disk."""
    if any(word in said for word in _FULL):
        return OSError(errno.ENOSPC, "the store is full", key)
    if "kind: Timeout" in said or "timed out" in said:
        return TimeoutError(errno.ETIMEDOUT, "the store does not answer in time", key)
    if "kind: Connect" in said:
        return OSError(errno.EHOSTDOWN, "the store cannot be reached", key)
    return OSError(errno.EREMOTEIO, "the store answers with an error", key)
