"""Answers of the site: files are left to the sender, and what fails is seen to."""

from __future__ import annotations

import errno
import io
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from webapp import web
from webapp.server import answering
from webapp.server.answering import Answering
from webapp.server.connections import Connection

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Log:
    """Counts what is logged as an error."""

    errors = 0

    def exception(self, *_args: object) -> None:
        """One more."""
        self.errors += 1


@pytest.fixture
def connection() -> Iterator[Connection]:
    """A connection whose other end is there, and reads nothing."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        yield Connection(
            ours, ("127.0.0.1", 50_000), ("127.0.0.1", 8000), web.configuration(4), 0.0
        )


@pytest.fixture(autouse=True)
def database(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often the thread was done with the database."""
    calls: list[str] = []
    monkeypatch.setattr(answering, "close_old_connections", lambda: calls.append("done"))
    return calls


def ask(
    connection: Connection,
    application: Callable[..., Any],
    sent: bytes = GET,
    *,
    alive: bool = True,
) -> tuple[bool, bytes, Any]:
    """Whether another request may follow; the bytes that were not sent yet; the server."""
    refused: list[Exception] = []
    server = SimpleNamespace(
        cfg=web.configuration(4),
        wsgi=application,
        alive=alive,
        log=Log(),
        refused=refused,
        handle_error=lambda _request, _sock, _client, error: refused.append(error),
    )
    connection.incoming.feed(sent)
    keep = Answering(server).answer(connection, connection.incoming.take())
    return keep, b"".join(bytes(part) for part in connection.outgoing._parts), server


def file_application(opened: Any, size: int | None) -> Callable[..., Any]:
    """An application that answers with a file."""

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", str(size))] if size is not None else [])
        return environ["wsgi.file_wrapper"](opened, 8192)

    return application


def test_a_file_is_left_to_the_sender_from_where_it_stands(
    connection: Connection, tmp_path: Path, database: list[str]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with path.open("rb") as opened:
        opened.seek(3)
        keep, head, _server = ask(connection, file_application(opened, 4))
        assert keep
        assert head.endswith(b"Content-Length: 4\r\n\r\n")
        assert not opened.closed
        assert database == ["done"]
        close = connection.outgoing.take_close_file()
        assert close
        close()
        assert opened.closed


def test_a_file_is_not_sent_to_who_asks_for_the_head(
    connection: Connection, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with path.open("rb") as opened:
        keep, head, _server = ask(
            connection, file_application(opened, 10), GET.replace(b"GET", b"HEAD")
        )
        assert keep
        assert head.endswith(b"Content-Length: 10\r\n\r\n")
        assert connection.outgoing.take_close_file() is None
        assert opened.closed


@pytest.mark.parametrize("size", [10, None])
def test_what_is_no_file_of_the_system_or_has_no_length_is_read(
    connection: Connection, size: int | None, database: list[str]
) -> None:
    opened = io.BytesIO(b"0123456789")
    keep, sent, _server = ask(connection, file_application(opened, size))
    assert keep
    assert b"0123456789" in sent
    assert opened.closed
    assert database == []


def test_when_the_server_ends_so_does_the_connection(connection: Connection) -> None:
    def application(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("204 No Content", [])
        return []

    keep, head, _server = ask(connection, application, alive=False)
    assert not keep
    assert b"Connection: close" in head
    assert b"Server" not in head


@pytest.mark.parametrize(
    ("error", "logged"),
    [
        (BrokenPipeError(errno.EPIPE, "gone"), 0),
        (ConnectionResetError(errno.ECONNRESET, "gone"), 0),
        (TimeoutError(errno.ETIMEDOUT, "nobody takes it"), 0),
        (OSError(errno.EIO, "the disk"), 1),
    ],
)
def test_an_answer_that_cannot_be_sent_ends_the_connection(
    connection: Connection, error: OSError, logged: int
) -> None:
    def application(_environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"x"
        raise error

    keep, _sent, server = ask(connection, application)
    assert not keep
    assert connection.outgoing.error is error
    assert server.log.errors == logged


def test_an_error_before_the_answer_began_is_answered(connection: Connection) -> None:
    error = ValueError("x")

    def application(_environ: dict[str, Any], _start_response: Any) -> list[bytes]:
        raise error

    keep, _sent, server = ask(connection, application)
    assert not keep
    assert server.refused == [error]
    assert connection.outgoing.error is None
