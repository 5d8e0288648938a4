"""Objects of a bucket, and what a store that misbehaves is taken for."""

from __future__ import annotations

import errno
import io
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from jobs.errors import NoSpaceLeft, StorageUnavailable
from jobs.files import bucket as bucket_module
from jobs.files import bucket_requests, damage, disk
from jobs.files.bucket import PART_BYTES, Bucket
from jobs.files.bucket_access import bucket
from jobs.files.bucket_address import address
from tests import buckets
from tests.buckets import Answer, says

LARGE = 2 * PART_BYTES + 1000


@pytest.fixture
def at(set_env: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Bucket]:
    """The bucket at an endpoint, which nobody waits for as long as a person might have to."""
    for name in ("SILENT_S", "REQUEST_S", "CONNECT_S", "RETRIES"):
        monkeypatch.setattr(bucket_module, name, 1)

    def opened(endpoint: str) -> Bucket:
        set_env(**buckets.settings_of(endpoint, "p"))
        return bucket()

    return opened


@pytest.fixture(autouse=True)
def _quick_pulse(monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload gives signs of life all the time."""
    monkeypatch.setattr(bucket_module, "PULSE_S", 0.05)


FAULTS = [
    (says(503, "SlowDown"), errno.EREMOTEIO),
    (says(500, "InternalError"), errno.EREMOTEIO),
    (says(403, "AccessDenied"), errno.EACCES),
    (says(403, "RequestTimeTooSkewed"), errno.EACCES),
    (says(404, "NoSuchBucket"), errno.ENODEV),
    (says(507, "XMinioStorageFull"), errno.ENOSPC),
]


@pytest.mark.parametrize(("answer", "code"), FAULTS)
def test_a_fault_of_the_store_is_one_of_a_disk(
    answer: Answer, code: int, at: Callable[[str], Bucket]
) -> None:
    with buckets.misbehaving(answer) as (endpoint, _asked):
        store = at(endpoint)
        with pytest.raises(OSError, match=r"\S") as caught:
            store.upload("ab/x", io.BytesIO(b"hello"), 5)
        assert caught.value.errno in disk.DISK_FAULTS | disk.DISK_FULL_ERRORS
        with pytest.raises(OSError, match=r"\S") as caught:
            store.read("ab/x")
        assert caught.value.errno == code
        assert caught.value.errno not in damage.BAD_BLOCK
        expected = NoSpaceLeft if code == errno.ENOSPC else StorageUnavailable
        with pytest.raises(expected), disk.translate_disk_errors():
            store.read("ab/x")


def test_a_store_that_is_silent_ends_within_its_limits(at: Callable[[str], Bucket]) -> None:
    done = threading.Event()
    with buckets.misbehaving(buckets.silent(done)) as (endpoint, _asked):
        store = at(endpoint)
        for call in (store.open, store.size, store.read):
            with pytest.raises(TimeoutError):
                call("ab/x")
        done.set()


def test_a_store_that_is_not_there(at: Callable[[str], Bucket]) -> None:
    with pytest.raises(OSError, match="reached") as caught:
        at("http://127.0.0.1:1").open("ab/x")
    assert caught.value.errno in disk.DISK_FAULTS


def test_a_connection_that_breaks_in_the_middle_is_no_shorter_file(
    at: Callable[[str], Bucket],
) -> None:
    def half(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(206)
        handler.send_header("Content-Length", "1000")
        handler.send_header("Content-Range", "bytes 0-999/5000000")
        handler.send_header("ETag", '"x"')
        handler.send_header("Last-Modified", "Mon, 30 Nov 2026 10:00:00 GMT")
        handler.end_headers()
        handler.wfile.write(b"x" * 500)
        handler.wfile.flush()
        handler.connection.close()

    with buckets.misbehaving(half) as (endpoint, _asked):
        store = at(endpoint)
        with pytest.raises(OSError, match=r"\S") as caught:
            store.open("ab/x")
        assert caught.value.errno not in damage.BAD_BLOCK
        with pytest.raises(OSError, match=r"\S"):
            store.read_range("ab/x", 0, 1000)


def test_what_the_store_has_not_kept_as_it_was_sent_is_not_kept_at_all(
    at: Callable[[str], Bucket],
) -> None:
    facts = {"ETag": '"0"', "Last_Modified": "Mon, 30 Nov 2026 10:00:00 GMT"}
    with buckets.misbehaving(says(200, **facts)) as found:
        endpoint, asked = found
        with pytest.raises(OSError, match="not kept") as caught:
            at(endpoint).upload("ab/x", io.BytesIO(b"hello"), 5)
        assert caught.value.errno in disk.DISK_FAULTS
        assert asked[-1].startswith(("DELETE ", "POST "))


@pytest.fixture
def store(in_bucket: str) -> Bucket:
    """A bucket that behaves."""
    return bucket()


def test_a_store_whose_tags_are_no_checksums_is_read_back(
    store: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module._Sent, "tag", "of-another-kind")
    store.upload("ab/x", io.BytesIO(b"hello"), 5)
    assert store.read("ab/x") == b"hello"
    monkeypatch.setattr(bucket_module._Sent, "sha256", "0" * 64)
    with pytest.raises(OSError, match="not kept"):
        store.upload("ab/y", io.BytesIO(b"hello"), 5)
    assert store.size("ab/y") is None


def test_a_file_that_became_shorter_while_it_was_sent_is_not_kept(store: Bucket) -> None:
    with pytest.raises(OSError, match="not kept"):
        store.upload("ab/x", io.BytesIO(b"hell"), 5)
    assert store.size("ab/x") is None


class Slow(io.BytesIO):
    """A file that takes its time, and tells how far it is."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        time.sleep(0.2)
        return super().read(size)


def test_a_large_upload_gives_signs_of_life_and_is_whole(store: Bucket) -> None:
    pulses: list[str] = []
    content = bytes(LARGE)
    store.upload(
        "ab/x", Slow(content), LARGE, lambda: pulses.append(threading.current_thread().name)
    )
    assert store.size("ab/x") == LARGE
    assert set(pulses) == {threading.current_thread().name}
    assert bucket_requests.begun_uploads(address()) == []


def test_an_upload_that_is_stopped_leaves_no_object_and_no_part(store: Bucket) -> None:
    class Lost(Exception):
        pass

    def stop() -> None:
        raise Lost

    with pytest.raises(Lost):
        store.upload("ab/x", Slow(bytes(LARGE)), LARGE, stop)
    deadline = time.monotonic() + 10
    while bucket_requests.begun_uploads(address()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert bucket_requests.begun_uploads(address()) == []
    assert store.size("ab/x") is None


def test_a_file_that_cannot_be_read_on_leaves_no_part(store: Bucket) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > PART_BYTES:
                raise OSError(errno.EIO, "a bad block")
            return super().read(size)

    with pytest.raises(OSError, match="bad block"):
        store.upload("ab/x", Broken(bytes(LARGE)), LARGE)
    assert bucket_requests.begun_uploads(address()) == []
    assert store.size("ab/x") is None


def test_deleting_what_is_not_there_is_no_error(store: Bucket) -> None:
    store.write("ab/x", b"1")
    store.write("ab/y", b"2")
    store.delete(["ab/x", "ab/none", "ab/y"])
    store.delete(["ab/none"])
    store.delete([])
    assert list(store.list("ab")) == []


REFUSALS = [
    says(501, "NotImplemented"),
    says(400, "MalformedXML"),
    says(403, "AccessDenied"),
    says(404, "NoSuchKey"),
    says(405, "MethodNotAllowed"),
    says(411, "MissingContentLength"),
    says(200),
]


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_store_that_takes_no_lists_is_asked_for_each_and_remembered(
    refusal: Answer, at: Callable[[str], Bucket]
) -> None:
    there = {f"p/ab/{number}" for number in range(30)}
    with buckets.misbehaving(buckets.without_lists(there, refusal)) as (endpoint, asked):
        store = at(endpoint)
        store.delete([f"ab/{number}" for number in (*range(10), 99, *range(10, 20))])
        assert there == {f"p/ab/{number}" for number in range(20, 30)}
        assert any(line.startswith("POST ") for line in asked)
        asked.clear()
        store.delete([f"ab/{number}" for number in range(20, 30)])
        assert not there
        assert sorted(asked) == [f"DELETE /saved/p/ab/{number}" for number in range(20, 30)]


@pytest.mark.parametrize(("answer", "code"), FAULTS)
def test_what_cannot_be_deleted_is_a_fault_and_no_store_without_lists(
    answer: Answer, code: int, at: Callable[[str], Bucket]
) -> None:
    with buckets.misbehaving(answer) as (endpoint, asked):
        store = at(endpoint)
        for keys in (["ab/1"], ["ab/1", "ab/2"]):
            with pytest.raises(OSError, match=r"\S") as caught:
                store.delete(keys)
            assert caught.value.errno == code
        asked.clear()
        with pytest.raises(OSError, match=r"\S"):
            store.delete(["ab/1", "ab/2"])
        assert asked[0].startswith("POST "), "a list is tried again"


def test_one_fault_among_many_deletions_is_not_lost(at: Callable[[str], Bucket]) -> None:
    there = {f"p/ab/{number}" for number in range(40)}
    each = buckets.without_lists(there, says(501, "NotImplemented"))

    def answer(handler: BaseHTTPRequestHandler) -> None:
        (says(403, "AccessDenied") if handler.path.endswith("/5") else each)(handler)

    with buckets.misbehaving(answer) as (endpoint, _asked):
        with pytest.raises(PermissionError):
            at(endpoint).delete([f"ab/{number}" for number in range(40)])
        assert "p/ab/5" in there


def test_a_copy_of_what_is_not_there(store: Bucket) -> None:
    with pytest.raises(FileNotFoundError):
        store.copy("ab/none", "ab/x")


def keys(found: Iterator[bucket_module.StoredObject]) -> list[str]:
    """The keys of objects."""
    return sorted(entry.key for entry in found)


def test_a_list_has_all_of_a_folder_and_no_other(store: Bucket) -> None:
    for key in ("ab/1", "ab/2", "abc/3", "cd/4"):
        store.write(key, b"x")
    assert keys(store.list("ab")) == ["ab/1", "ab/2"]
