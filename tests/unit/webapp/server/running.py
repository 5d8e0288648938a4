"""A loop in a thread of the test, with a small application instead of the site."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gunicorn.glogging import Logger

from webapp import web
from webapp.processes import listening
from webapp.server.loop import Loop

App = Callable[[dict[str, Any], Any], Any]


class TestedLoop(Loop):
    """A loop that takes no signals and has its application given."""

    __test__ = False
    application: App
    address: Any
    has_loaded: threading.Event

    def init_signals(self) -> None:
        """None: signals are the main thread's."""

    def load_wsgi(self) -> None:
        """The application of the test."""
        self.wsgi = self.application
        self.has_loaded.set()

    def notify(self) -> None:
        """Nobody watches."""

    def end(self) -> None:
        """As SIGTERM would."""
        self.alive = False
        os.write(self.PIPE[1], b".")


def plain(text: bytes = b"ok", status: str = "200 OK") -> App:
    """An application with one answer."""

    def application(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response(status, [("Content-Length", str(len(text)))])
        return [text]

    return application


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """An application that answers with method, path and body."""
    body = environ["wsgi.input"].read()
    answer = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} ".encode() + body
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]


@contextmanager
def running(application: App, threads: int = 4) -> Iterator[TestedLoop]:
    """A loop that serves `application` at `loop.address`; ended in the end."""
    config = web.configuration(threads)
    listener = listening.bind("127.0.0.1", 0)
    listener.listen(1024)
    loop = TestedLoop(1, os.getppid(), [listener], None, 60, config, Logger(config))
    loop.application = application
    loop.has_loaded = threading.Event()
    loop.address = listener.getsockname()
    thread = threading.Thread(target=loop.init_process)
    thread.start()
    try:
        yield loop
    finally:
        loop.has_loaded.wait(30)
        loop.end()
        thread.join(30)
        loop.tmp.close()
        for end in loop.PIPE:
            os.close(end)
        for connection in loop.connections:
            connection.sock.close()


def call(loop: TestedLoop, sent: bytes = b"") -> socket.socket:
    """A connection that has sent this."""
    caller = socket.create_connection(loop.address, timeout=20)
    caller.sendall(sent)
    return caller


def read(caller: socket.socket, size: int | None = None) -> bytes:
    """What comes until the other end closes, or `size` bytes of it."""
    got = bytearray()
    while size is None or len(got) < size:
        data = caller.recv(1 << 20 if size is None else min(1 << 20, size - len(got)))
        if not data:
            break
        got += data
    return bytes(got)


def answer(caller: socket.socket) -> tuple[bytes, bytes]:
    """One answer of announced length: its head and its body."""
    got = b""
    while b"\r\n\r\n" not in got:
        data = caller.recv(1)
        if not data:
            return got, b""
        got += data
    for line in got.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return got, read(caller, int(line.partition(b":")[2]))
    return got, b""
