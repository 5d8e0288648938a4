"""Immich's API over a real connection: files are streamed, and no answer is trusted."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest

from jobs.library import immich as client
from jobs.library.immich import (
    ImmichError,
    KeyNotTaken,
    NoRoom,
    NotInAlbum,
    NotNow,
    NotTaken,
    NotThere,
    Unreachable,
    Upload,
)
from jobs.queue.shutdown import ShutdownRequested
from tests import immich
from tests.immich import KEY, Immich


@pytest.fixture
def server(set_env: Callable[..., None]) -> Iterator[Immich]:
    with immich.serving() as state:
        set_env(immich_url=state.url)
        yield state


def nothing() -> None:
    """What is done meanwhile."""


class Pieces(io.BytesIO):
    """Remembers the longest piece that was read."""

    longest = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.longest = max(self.longest, len(data))
        return data


def upload(data: bytes = b"a picture", file: io.BytesIO | None = None) -> Upload:
    return Upload(
        key="storykeep-7-1",
        name='größer " name.jpg',
        content_type="image/jpeg",
        file=file or io.BytesIO(data),
        size_bytes=len(data),
        sidecar=b"<x/>",
        at=datetime(2026, 11, 20, 14, 3, tzinfo=UTC),
        sha1=hashlib.sha1(data, usedforsecurity=False).hexdigest(),
    )


def test_a_file_is_taken_and_then_known(server: Immich) -> None:
    with client.connected(KEY, nothing) as there:
        first = there.upload(upload())
        second = there.upload(upload())
    assert not first.is_duplicate
    assert second.is_duplicate
    assert first.id == second.id
    assert server.assets[first.id].data == b"a picture"


def test_a_large_file_is_read_in_pieces(server: Immich) -> None:
    data = bytes(8 * 1024 * 1024)
    file = Pieces(data)
    with client.connected(KEY, nothing) as there:
        asset = there.upload(upload(data, file))
    assert server.assets[asset.id].data == data
    assert 0 < file.longest <= 1024 * 1024


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, KeyNotTaken), (403, KeyNotTaken), (400, NotNow), (413, NotTaken),
     (415, NotTaken), (422, NotNow), (302, ImmichError), (404, NotThere),
     (500, Unreachable), (503, Unreachable), (429, Unreachable), (200, ImmichError)],
)  # fmt: skip
def test_answers_as_errors(server: Immich, status: int, error: type[ImmichError]) -> None:
    server.fail = [status]
    with client.connected(KEY, nothing) as there, pytest.raises(ImmichError) as caught:
        there.upload(upload())
    assert type(caught.value) is error


def test_a_quota_that_is_used_up_is_told_from_other_refusals(server: Immich) -> None:
    server.quota = 20
    with client.connected(KEY, nothing) as there:
        there.upload(upload())
        with pytest.raises(NoRoom):
            there.upload(upload(bytes(12)))
        there.upload(upload())  # there already
        there.upload(upload(bytes(11)))


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"message": "Quota has been exceeded!"}', NoRoom),
        (b'{"message": ["Quota Has Been Exceeded"]}', NoRoom),
        (b'{"message": "Unsupported file type quota.jpg"}', NotNow),
        (b"x" * 10_000_000 + b"quota has been exceeded", NotNow),
        (b"", NotNow),
    ],
)
def test_of_a_refusal_the_first_words_are_read(
    set_env: Callable[..., None], body: bytes, error: type[ImmichError]
) -> None:
    head = b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n" % len(body)
    with answering(head + body) as url:
        set_env(immich_url=url)
        with client.connected(KEY, nothing) as there, pytest.raises(ImmichError) as caught:
            there.upload(upload())
    assert type(caught.value) is error


def test_an_id_that_would_lead_elsewhere_is_refused(
    server: Immich, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(immich, "uuid4", lambda: "../../users")
    with client.connected(KEY, nothing) as there, pytest.raises(ImmichError, match="no id"):
        there.upload(upload())


def test_an_album_is_found_by_its_name(server: Immich) -> None:
    with client.connected(KEY, nothing) as there:
        made = there.album("Stories")
        assert there.album("Stories") == made
        assert there.album("stories") != made


def test_in_an_album_already_is_as_good(server: Immich) -> None:
    with client.connected(KEY, nothing) as there:
        asset, album = there.upload(upload()), there.album("Stories")
        there.add_to_album(album, asset.id)
        there.add_to_album(album, asset.id)
        server.not_mine = {asset.id}
        with pytest.raises(NotInAlbum, match="no_permission"):
            there.add_to_album(there.album("Others"), asset.id)


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b"null", b'["a"]', b'[{"success": false}]', b'[{"success": 1}]']
)
def test_what_says_nothing_of_the_file_does_not_count(
    server: Immich, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    with client.connected(KEY, nothing) as there:
        monkeypatch.setattr(there, "_ask", lambda *_args, **_options: json.loads(body))
        with pytest.raises(ImmichError, match="no answer"):
            there.add_to_album("1", "2")


def test_an_answer_that_is_too_long_is_not_read(
    server: Immich, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MOST_ANSWER_BYTES", 10)
    with client.connected(KEY, nothing) as there, pytest.raises(ImmichError, match="too long"):
        there.upload(upload())


@contextmanager
def answering(*pieces: bytes, every_s: float = 0.0) -> Iterator[str]:
    """A server that answers whatever is asked with these bytes, the last of them for ever where
    `every_s` says how often. Its address."""
    over = threading.Event()

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            asked = b""
            while not asked.endswith(b"--\r\n"):  # of the form's end
                asked += self.request.recv(65536)
            with suppress(OSError):
                for piece in pieces:
                    self.request.sendall(piece)
                while every_s and not over.wait(every_s):
                    self.request.sendall(pieces[-1])

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        over.set()
        server.shutdown()


CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n"
ID = b'"id": "11111111-2222-3333-4444-555555555555"'
LIES = {
    "a status that is a list": b'{"status": ["created"], %s}' % ID,
    "a status that is an object": b'{"status": {"a": 1}, %s}' % ID,
    "brackets without end": b"[" * 200_000,
    "no text": b"\xff\xfe\x00",
    "a list": b"[1]",
    "an id that is a number": b'{"status": "created", "id": 5}',
}


@pytest.mark.parametrize("body", LIES.values(), ids=LIES)
def test_an_answer_that_lies_is_not_understood(set_env: Callable[..., None], body: bytes) -> None:
    with answering(CREATED % len(body) + body) as url:
        set_env(immich_url=url)
        with client.connected(KEY, nothing) as there, pytest.raises(ImmichError) as caught:
            there.upload(upload())
    assert type(caught.value) is ImmichError


def test_of_a_status_nobody_knows_nothing_more_is_read(set_env: Callable[..., None]) -> None:
    with answering(b"HTTP/1.1 999 x\r\n\r\n", b" ", every_s=0.05) as url:
        set_env(immich_url=url)
        with (
            client.connected(KEY, nothing) as there,
            pytest.raises(Unreachable, match="999"),
        ):
            there.upload(upload())


DRIPS = {
    "body": (CREATED % 100_000, b" "),
    "head": (b"HTTP/1.1 201 Created\r\n", b"X: y\r\n"),
    "status line": (b"H",),
    "other answers first": (b"HTTP/1.1 100 Continue\r\n\r\n",),
}


@pytest.mark.parametrize(
    ("kind", "limit"), [*((kind, "ANSWER_S") for kind in DRIPS), ("body", "BODY_S")]
)
def test_an_answer_that_drips_has_its_time(
    set_env: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    limit: str,
) -> None:
    """Each piece comes in time; all of them never do."""
    monkeypatch.setattr(client, limit, 0.6)
    with answering(*DRIPS[kind], every_s=0.2) as url:
        set_env(immich_url=url)
        with client.connected(KEY, nothing) as there, pytest.raises(Unreachable):
            there.upload(upload())


def test_whatever_the_pulse_raises_ends_a_question(set_env: Callable[..., None]) -> None:
    count = 0

    def pulse() -> None:
        nonlocal count
        count += 1
        if count == 3:
            raise ShutdownRequested

    file = io.BytesIO(b"a picture")
    with answering(*DRIPS["body"], every_s=0.05) as url:
        set_env(immich_url=url)
        with client.connected(KEY, pulse) as there, pytest.raises(ShutdownRequested):
            there.upload(upload(file=file))
    assert count == 3
    assert not [one for one in threading.enumerate() if one.name == "immich"]


def test_httpx_is_not_loaded_before_something_is_sent() -> None:
    code = (
        "import sys, django; django.setup(); import jobs.library.sending, jobs.library.run; "
        "sys.exit('httpx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
