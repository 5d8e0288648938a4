"""What stands in front of an instance: a reverse proxy, and a sign-in of its own elsewhere.

`localhost` and `127.0.0.1` are two origins of one machine: the site is at the first, the sign-in at
the second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "date", "server"})

PATIENCE = b"PATIENCE_MS = 30000;"
"""How long the service worker waits for an answer, as its source says it."""

Guard = Callable[[str, str], bool]
"""Whether a request is let through: by method and path."""


@dataclass
class Front:
    """A reverse proxy that can be told to let nobody in.

    closed: how a request that is not let in is answered: "elsewhere" (302 to another origin),
    "401", "page" (a sign-in page with status 200), or "" (let in). spares: requests that pass all
    the same. prefix: the sub-path the site is at; strips: the prefix is cut off on the way.
    silent: paths that contain this are never answered. patience_ms: how long the service worker
    waits for an answer, in place of PATIENCE_MS. refused: (method, path) of whoever was not
    let in; statuses: (status, method, path) of what the instance answered.
    """

    port: int
    prefix: str = ""
    strips: bool = False
    closed: str = ""
    silent: str = ""
    patience_ms: int = 0
    spares: Guard = lambda _method, _path: False
    url: str = ""
    door: str = ""
    refused: list[tuple[str, str]] = field(default_factory=list)
    statuses: list[tuple[int, str, str]] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)

    def answers(self, status: int) -> list[str]:
        """The paths the instance answered with this status."""
        return [path for code, _, path in self.statuses if code == status]


def _send(handler: BaseHTTPRequestHandler, status: int, body: str, **headers: str) -> None:
    content = f"<!doctype html><title>Door</title>{body}".encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "text/html; charset=utf-8")
    handler.send_header("Content-Length", str(len(content)))
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(content)


class _Site(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    front: Front

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        front = self.front
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        if front.silent and front.silent in self.path:
            front.ending.wait()
            self.close_connection = True
            return
        if front.closed and not front.spares(self.command, self.path):
            front.refused.append((self.command, self.path))
            self._refuse()
            return
        path = self.path
        if front.strips and urlsplit(path).path.startswith(front.prefix):
            path = path.removeprefix(front.prefix) or "/"
        self._pass_on(path, body)

    def do_POST(self) -> None:
        self.do_GET()

    def do_HEAD(self) -> None:
        self.do_GET()

    def _refuse(self) -> None:
        back = quote(f"{self.front.url}{self.path}" if self.command == "GET" else self.front.url)
        if self.front.closed == "elsewhere":
            _send(self, 302, "", Location=f"{self.front.door}/?back={back}")
        else:
            status = 401 if self.front.closed == "401" else 200
            _send(self, status, f"<h1>Who is there?</h1><a href='{self.front.door}/'>Sign in</a>")

    def _pass_on(self, path: str, body: bytes | None) -> None:
        instance = HTTPConnection("127.0.0.1", self.front.port, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name != "Connection"}
        impatient = self.front.patience_ms and "/static/service-worker." in path
        if impatient:
            headers.pop("Accept-Encoding", None)
        try:
            instance.request(self.command, path, body, headers)
            answer = instance.getresponse()
            content = answer.read()
            if impatient:
                content = content.replace(
                    PATIENCE, PATIENCE.replace(b"30000", b"%d" % self.front.patience_ms)
                )
        finally:
            instance.close()
        self.front.statuses.append((answer.status, self.command, self.path))
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP | {"content-length"}:
                self.send_header(name, value)
        whole = answer.getheader("Content-Length") if self.command == "HEAD" else None
        if answer.status not in {204, 304}:
            self.send_header("Content-Length", whole or str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    front: Front

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        back = parse_qs(address.query).get("back", [self.front.url])[0]
        if address.path == "/enter":
            self.front.closed = ""
            _send(self, 302, "", Location=back)
        else:
            _send(self, 200, f"<h1>Who is there?</h1><a href='/enter?back={quote(back)}'>Me</a>")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A browser that went away in the middle is none of a test's business."""


@contextmanager
def standing_before(port: int, *, prefix: str = "", strips: bool = False) -> Iterator[Front]:
    """A proxy before the instance at a port of this machine, as long as the block runs."""
    front = Front(port=port, prefix=prefix, strips=strips)
    handlers = [type(kind.__name__, (kind,), {"front": front}) for kind in (_Site, _Door)]
    servers = [_Server(("127.0.0.1", 0), handler) for handler in handlers]
    front.url = f"http://localhost:{servers[0].server_port}{prefix}"
    front.door = f"http://127.0.0.1:{servers[1].server_port}"
    threads = [threading.Thread(target=server.serve_forever, args=(0.05,)) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield front
    finally:
        front.ending.set()
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()
