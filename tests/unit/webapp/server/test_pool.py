"""The pool: files are sent, closed once, and a slow reader of one holds no thread."""

from __future__ import annotations

import logging
import socket
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.webapp.server.running import answer, call, read, running
from webapp.server.connections import Connection
from webapp.server.pace import ENVIRON_KEY
from webapp.server.pool import Pool

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
CONTENT = bytes(range(256)) * 20_000


class Files:
    """An application that answers with one file, and counts how many of its copies are closed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.opened = self.closed = 0
        self.lock = threading.Lock()
        self.threads: set[str] = set()
        self.sent = 0
        self.all_sent = threading.Semaphore(0)

    def note_sent(self) -> None:
        with self.lock:
            self.sent += 1
            self.threads.add(threading.current_thread().name)
        self.all_sent.release()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", str(len(CONTENT)))])
        environ[ENVIRON_KEY].when_sent = self.note_sent
        if environ["PATH_INFO"] == "/parts":
            return [CONTENT[:1_000_000], CONTENT[1_000_000:]]
        if environ["PATH_INFO"] == "/broken":
            raise RuntimeError
        file = self.path.open("rb")
        wrapped = environ["wsgi.file_wrapper"](file, 8192)
        close = wrapped.close
        with self.lock:
            self.opened += 1

        def count() -> None:
            with self.lock:
                self.closed += 1
                self.threads.add(threading.current_thread().name)
            close()

        wrapped.close = count
        return wrapped


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """The application, with a file of 5 MB."""
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return Files(path)


def test_slow_phones_hold_no_thread_and_get_all_of_it(files: Files) -> None:
    with running(files, threads=1) as loop:
        slow = [call(loop, GET) for _ in range(10)]
        with call(loop, GET) as fast:
            assert answer(fast)[1] == CONTENT
            fast.sendall(GET)
            assert answer(fast)[1] == CONTENT
        for caller in slow:
            assert answer(caller)[1] == CONTENT
            caller.close()
    assert files.opened == files.closed == 12
    assert "sender" not in files.threads  # it runs nothing of the site's


def test_who_leaves_in_the_middle_leaves_no_file_open(files: Files) -> None:
    with running(files, threads=1) as loop:
        with call(loop, GET) as caller:
            read(caller, 100_000)
        with call(loop, GET) as caller:
            assert answer(caller)[1] == CONTENT
    assert files.opened == files.closed == 2


@pytest.mark.parametrize("path", [b"/", b"/parts"])
def test_the_site_is_told_once_the_last_byte_of_an_answer_was_handed_over(
    files: Files, path: bytes
) -> None:
    get = GET.replace(b"/", path, 1)
    with running(files, threads=1) as loop:
        with call(loop, get) as caller:
            read(caller, 10)
            assert files.sent == 0
            read(caller, len(CONTENT))
            assert files.all_sent.acquire(timeout=20)
        with call(loop, get) as caller:
            for _ in range(2):
                assert answer(caller)[1] == CONTENT
                assert files.all_sent.acquire(timeout=20)
                caller.sendall(get)
            assert answer(caller)[1] == CONTENT
    assert files.all_sent.acquire(timeout=20)
    assert files.sent == 4
    assert "sender" not in files.threads


@pytest.mark.parametrize("path", [b"/", b"/parts", b"/broken"])
def test_the_site_is_not_told_of_an_answer_that_was_not_sent(files: Files, path: bytes) -> None:
    with running(files, threads=1) as loop, call(loop, GET.replace(b"/", path, 1)) as caller:
        read(caller, 10)
    with running(files, threads=1) as loop, call(loop, GET) as caller:
        assert answer(caller)[1] == CONTENT
        assert files.all_sent.acquire(timeout=20)
    assert files.sent == 1


def test_addresses_take_turns_where_requests_wait() -> None:
    go_on, all_done = threading.Event(), threading.Event()
    order: list[str] = []

    def answer(_connection: Connection, request: str) -> bool:
        order.append(request)
        return False

    def done(_connection: Connection) -> None:
        if len(order) == 6:
            all_done.set()

    pool = Pool(SimpleNamespace(log=logging.getLogger(__name__)), 1, done)
    pool._answering = SimpleNamespace(answer=answer)  # type: ignore[assignment]
    pool._threads.submit(go_on.wait, 20)
    with socket.socket() as sock:
        for request in ("a1", "a2", "a3", "b1", "c1", "b2"):
            pool.submit(Connection(sock, (request[0], 1), "", None, 0.0), request)
        go_on.set()
        assert all_done.wait(20)
        pool.end()
    assert order == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_a_sent_file_is_taken_off_its_connection_before_that_brings_another() -> None:
    all_at_work, closed = threading.Event(), threading.Event()
    found: list[object] = []
    server = SimpleNamespace(log=logging.getLogger(__name__))
    pool = Pool(server, 1, lambda done: found.append(done.outgoing.take_close_file()))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = Connection(ours, "", "", None, 0.0)
        connection.outgoing.attach(-1, 0, 0, closed.set)
        pool._threads.submit(all_at_work.wait, 20)
        pool._when_sent(connection)
        assert found == [None]
        all_at_work.set()
        assert closed.wait(20)
        pool.end()


def test_a_file_that_cannot_be_closed_is_logged_and_the_rest_goes_on(
    files: Files, capfd: pytest.CaptureFixture[str]
) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Any:
        wrapped = files(environ, start_response)
        close = wrapped.close

        def fail() -> None:
            close()
            raise ValueError

        wrapped.close = fail
        return wrapped

    with running(application, threads=1) as loop, call(loop, GET + GET) as caller:
        assert answer(caller)[1] == CONTENT
        assert answer(caller)[1] == CONTENT
