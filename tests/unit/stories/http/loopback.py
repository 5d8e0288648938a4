"""A real HTTPS server on this machine, reached as a proxy or directly: for what a mock cannot show.

Every byte of an answer is the test's own, so that it can lie, stall and break off.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import trustme


@dataclass
class Asked:
    """A request as it arrived. host: what the proxy was asked to connect to, "" when direct."""

    host: str
    line: str
    lines: list[str]
    connection: int

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]

    @property
    def headers(self) -> dict[str, str]:
        pairs = (line.partition(":") for line in self.lines)
        return {name.lower(): value.strip() for name, _, value in pairs}


Answer = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Loopback:
    """The server. asked: every request, in order. connects: what the proxy was asked for."""

    port: int = 0
    ca_path: str = ""
    asked: list[Asked] = field(default_factory=list)
    connects: list[str] = field(default_factory=list)
    proxy_lines: list[str] = field(default_factory=list)
    credentials: str = ""

    @property
    def proxy(self) -> str:
        return f"http://{self.credentials}127.0.0.1:{self.port}"


def reply(body: bytes = b"ok", status: str = "200 OK", *headers: str) -> bytes:
    """A whole answer."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


@asynccontextmanager
async def loopback(
    folder: Path,
    answer: Answer,
    *,
    direct: bool = False,
    names: tuple[str, ...] = (),
    valid: tuple[datetime | None, datetime | None] = (None, None),
) -> AsyncIterator[Loopback]:
    """Serve `answer` for every request, on every host name.

    valid: from when to when its certificates are.
    """
    authority = trustme.CA()
    path = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    contexts: dict[str, ssl.SSLContext] = {}
    here = Loopback(ca_path=str(path))
    tasks: set[asyncio.Task[None]] = set()

    def context(host: str) -> ssl.SSLContext:
        if host not in contexts:
            contexts[host] = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            certificate = authority.issue_cert(
                *(names or (host,)), not_before=valid[0], not_after=valid[1]
            )
            certificate.configure_cert(contexts[host])
        return contexts[host]

    async def head(reader: asyncio.StreamReader) -> list[str]:
        return (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        connection = len(tasks)
        host = ""
        with suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError):
            if not direct:
                connect, *rest = await head(reader)
                host, _, port = connect.split(" ")[1].partition(":")
                here.connects.append(f"{host}:{port}")
                here.proxy_lines.extend(rest)
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await writer.start_tls(context(host))
            while not writer.is_closing():
                line, *lines = await head(reader)
                asked = Asked(host, line, lines, connection)
                here.asked.append(asked)
                await answer(asked, writer)
                await writer.drain()
        with suppress(OSError, ssl.SSLError):
            writer.close()

    tls = context("") if direct else None
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    here.port = server.sockets[0].getsockname()[1]
    try:
        yield here
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
