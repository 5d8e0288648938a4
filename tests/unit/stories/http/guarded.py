"""A guard with a site behind it that takes any bytes, and a client that says any bytes to it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from stories.config import ClientConfig
from stories.http import guard as guard_module
from stories.http import resolver
from stories.http.guard import Guard
from tests.unit.stories.http.client_hellos import GREASE, message, name_extension, records

HOST = "www.tiktok.com"
CONNECT = f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode()
OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"
HELLO = records(message(GREASE, name_extension(HOST.encode())))

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Site:
    """A server on this machine. connections: how many came. received: everything they said."""

    port: int = 0
    connections: int = 0
    received: bytearray = field(default_factory=bytearray)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say everything back, to the end."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def running_site(
    serve: Serve = echo, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Site]:
    """Listen on the loopback address, for bytes of any kind."""
    site = Site()
    tasks: set[asyncio.Task[None]] = set()

    async def arrive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        site.connections += 1
        read = reader.read

        async def noted(size: int = -1) -> bytes:
            data = await read(size)
            site.received += data
            return data

        reader.read = noted  # type: ignore[assignment, method-assign]  # listens in
        with suppress(OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            await serve(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(arrive, "127.0.0.1", 0, ssl=tls)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def resolve_here(host: str, port: int) -> Sequence[str]:
    """Every name is this machine's."""
    return ("127.0.0.1",)


async def resolve_nowhere(host: str, port: int) -> Sequence[str]:
    """No name may be looked up."""
    raise AssertionError(f"{host} must not be resolved here")


@asynccontextmanager
async def running_guard(
    config: ClientConfig | None = None, resolve: resolver.Resolve = resolve_here
) -> AsyncIterator[Guard]:
    """A guard that listens."""
    guard = Guard(config or ClientConfig(connect_timeout_s=2), resolve)
    await guard.start()
    try:
        yield guard
    finally:
        await guard.aclose()


@asynccontextmanager
async def guarded(
    monkeypatch: pytest.MonkeyPatch, serve: Serve = echo
) -> AsyncIterator[tuple[Guard, Site]]:
    """A guard for which this machine is public, and the site that every name leads to."""
    monkeypatch.setattr(resolver, "is_public", lambda address: address == "127.0.0.1")
    async with running_site(serve) as site, running_guard() as guard:
        monkeypatch.setattr(guard_module, "_PORT", site.port)
        yield guard, site


@dataclass
class Client:
    """A connection to a guard."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self, size: int) -> bytes:
        async with asyncio.timeout(5):
            return await self.reader.readexactly(size)

    async def to_the_end(self) -> bytes:
        """Everything until the other side closes, however it does."""
        heard = bytearray()
        async with asyncio.timeout(20):
            with suppress(ConnectionError):
                while data := await self.reader.read(65536):
                    heard += data
        return bytes(heard)

    async def tunnel(self, hello: bytes = HELLO) -> None:
        """Open a tunnel and hear the ClientHello come back."""
        await self.say(CONNECT)
        assert await self.hear(len(OPEN)) == OPEN
        await self.say(hello)
        assert await self.hear(len(hello)) == hello

    def close(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def client_of(guard: Guard) -> AsyncIterator[Client]:
    """Connect."""
    address = urlsplit(guard.url)
    client = Client(*await asyncio.open_connection(address.hostname, address.port))
    try:
        yield client
    finally:
        client.close()


async def said_to(guard: Guard, data: bytes) -> bytes:
    """Everything the guard answers."""
    async with client_of(guard) as client:
        with suppress(ConnectionError):
            await client.say(data)
        return await client.to_the_end()


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)
