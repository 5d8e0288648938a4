"""A large body goes to the disk, at an address that was opened for it, and is refused elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from webapp import web
from webapp.server import limits, uploads
from webapp.server.incoming import Body, Incoming

TOKEN = "abcdefghijklmnopqrstuvwxyz_-0123"
ADDRESS = f"/keep/setup/{TOKEN}/restore/"
LARGE = limits.MAX_BODY_BYTES + 5000
CONFIG = web.configuration(4)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, set_env: Callable[..., None]) -> Path:
    """The data folder."""
    set_env(data_dir=tmp_path)
    return tmp_path


@pytest.fixture
def taken() -> Iterator[uploads.Upload]:
    """A body that is about to arrive."""
    uploads.open_for(TOKEN)
    upload = uploads.begin(ADDRESS, 10)
    assert upload
    yield upload
    upload.close()


def test_an_address_is_open_for_a_day_or_until_it_is_closed(folder: Path) -> None:
    assert not uploads.is_open(ADDRESS)
    uploads.open_for(TOKEN)
    assert uploads.is_open(ADDRESS)
    assert TOKEN not in " ".join(path.name for path in (folder / "run").iterdir())
    for other in (
        f"/setup/{TOKEN}x/restore/", f"{ADDRESS}more", f"/setup/{TOKEN}/", "/", f"{ADDRESS}\n",
        f"/setup/../{TOKEN}/restore/",
    ):  # fmt: skip
        assert not uploads.is_open(other), other
    (mark,) = (folder / "run").iterdir()
    yesterday = time.time() - 25 * 3600
    os.utime(mark, (yesterday, yesterday))
    assert not uploads.is_open(ADDRESS)
    uploads.open_for(TOKEN)
    uploads.close_for(TOKEN)
    assert not uploads.is_open(ADDRESS)


def test_one_at_a_time_and_only_what_fits(
    taken: uploads.Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert uploads.begin(ADDRESS, 10) is None
    taken.close()
    assert uploads.begin(ADDRESS, 2**60) is None
    again = uploads.begin(ADDRESS, 10)
    assert again
    again.close()
    again.close()


def test_it_takes_what_belongs_to_it(taken: uploads.Upload) -> None:
    assert taken.feed(b"12345") == 5
    assert taken.received == 5
    assert taken.feed(b"67890GET /") == 5
    assert taken.is_whole
    assert taken.feed(b"more") == 0
    assert taken.reader().read(100) == b"1234567890"


def test_a_disk_that_fills_is_noticed(
    taken: uploads.Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def write(self, _piece: bytes) -> None:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            pass

    taken._file.close()
    monkeypatch.setattr(taken, "_file", Full())
    assert taken.feed(b"1234567890") == 10
    assert taken.failed
    assert taken.is_whole


# --- a request ------------------------------------------------------------------------------------


def send(path: str, body: bytes, piece_bytes: int = 60_000) -> tuple[Incoming, Any]:
    """What a connection has gathered, and the request that came of it."""
    head = f"POST {path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    gathered, request = Incoming(CONFIG, ("127.0.0.1", 50_000)), None
    sent = head + body
    for start in range(0, len(sent), piece_bytes):
        gathered.feed(sent[start : start + piece_bytes])
        assert len(gathered) < 2 * piece_bytes, "it is not held in memory"
        request = gathered.take()
        if request is not None:
            break
    return gathered, request


@pytest.mark.parametrize("piece_bytes", [700, 60_000])
def test_a_request_has_its_body_from_the_disk(piece_bytes: int) -> None:
    uploads.open_for(TOKEN)
    body = os.urandom(1000) * (LARGE // 1000)
    gathered, request = send(ADDRESS, body, piece_bytes)
    assert gathered.body is Body.WHOLE
    assert gathered.body_bytes == len(body)
    pieces = iter(lambda: request.body.read(65_536), b"")
    assert b"".join(pieces) == body
    gathered.close_upload()


def test_elsewhere_it_is_refused_unread() -> None:
    uploads.open_for(TOKEN)
    for path in ("/", f"/setup/{TOKEN}/", f"/setup/{'x' * 32}/restore/"):
        gathered, request = send(path, b"x" * LARGE)
        assert request is not None
        assert gathered.body is Body.TOO_LARGE
        assert gathered.upload is None


def test_one_that_breaks_off_makes_room_for_the_next() -> None:
    uploads.open_for(TOKEN)
    gathered = Incoming(CONFIG, ("127.0.0.1", 50_000))
    gathered.feed(f"POST {ADDRESS} HTTP/1.1\r\nContent-Length: {LARGE}\r\n\r\n12345".encode())
    assert gathered.take() is None
    assert gathered.upload
    assert gathered.body_bytes == 5
    gathered.forget()
    upload = uploads.begin(ADDRESS, 10)
    assert upload
    upload.close()
