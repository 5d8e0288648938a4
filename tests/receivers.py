"""HTTP servers on loopback that take what is posted: push services, webhooks, channels."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpcore
import pytest
import trustme

PUBLIC = "93.184.215.14"
"""An address that is not of this machine, for names to resolve to."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A request as it arrived. headers: names in lower case."""

    method: str
    host: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """A server. statuses: of its answers, the last one for good. headers: of each answer."""

    port: int = 0
    ca_path: str = ""
    taken: list[Taken] = field(default_factory=list)
    statuses: list[int] = field(default_factory=lambda: [201])
    headers: dict[str, str] = field(default_factory=dict)
    answering: threading.Event = field(default_factory=threading.Event)

    def take(self, taken: Taken) -> int:
        """Keep a request; the status of its answer."""
        self.taken.append(taken)
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            receiver.answering.wait(30)
            status = receiver.take(
                Taken(
                    method=self.command,
                    host=self.headers.get("Host", ""),
                    path=self.path,
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=body,
                )
            )
            self.send_response(status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing is printed."""

    return Handler


@contextmanager
def receiving(tls_names: Sequence[str] = (), folder: Path | None = None) -> Iterator[Receiver]:
    """A receiver on loopback. tls_names: whom its certificate is for; none = http. folder: for the
    certificate of its authority, which is at `ca_path`."""
    receiver = Receiver()
    receiver.answering.set()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(receiver)) as server:
        if tls_names:
            authority = trustme.CA()
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert(*tls_names).configure_cert(context)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            assert folder is not None
            authority.cert_pem.write_to_path(str(folder / "ca.pem"))
            receiver.ca_path = str(folder / "ca.pem")
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.answering.set()
            server.shutdown()
            thread.join()


async def resolve_publicly(_host: str, _port: int) -> Sequence[str]:
    """Every name is at PUBLIC."""
    return (PUBLIC,)


def lead_to(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have connections to PUBLIC end at the receiver: all that is checked before was checked."""
    connect = httpcore.AnyIOBackend.connect_tcp

    async def connect_tcp(self: Any, host: str, port: int, *rest: Any, **more: Any) -> Any:
        assert host == PUBLIC
        return await connect(self, "127.0.0.1", receiver.port, *rest, **more)

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect_tcp)
