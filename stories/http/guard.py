"""The guard: a proxy on this machine through which other programs reach TikTok, and nothing else.

A browser and a helper have their own ideas of whom to ask. They reach the network through this
CONNECT-only proxy: https to TikTok's hosts, at addresses that were checked here or through the
configured proxy, with the name of that host in the TLS handshake. docs/decisions/0046.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from http import HTTPStatus
from typing import Final

from stories.config import ClientConfig
from stories.hosts import plain_host_name
from stories.http.client_hello import ClientHelloReader, NoClientHello
from stories.http.connect_head import (
    HEAD_END,
    MAX_HEAD_BYTES,
    HeadRefused,
    answer,
    connect_host,
    may_begin_head,
)
from stories.http.resolver import Resolve
from stories.http.way_out import CHUNK_BYTES, Connection, WayOut

MAX_CONNECTIONS: Final = 64
MAX_TURNED_AWAY: Final = 64
"""Connections beyond those that are told so, at once; any further one is just closed."""
HEAD_S: Final = 10.0
"""Seconds that a request's head may take, and again the first message of TLS."""
IDLE_S: Final = 60.0
"""Seconds without a byte after which a tunnel is closed."""
HALF_CLOSED_IDLE_S: Final = 10.0
"""The same once one side has said that nothing more will come from it."""
REFUSAL_S: Final = 1.0
"""Seconds that are waited for a refused client to have read the answer."""
REFUSED_KEPT: Final = 50
_TOUCH_S: Final = 0.5
_PORT: Final = 443


class Guard:
    """A CONNECT-only proxy on 127.0.0.1, on the event loop that starts it.

    config: its proxy, extra authority and time limit to connect. resolve: how host names become
    addresses. refused: names that somebody asked for in vain, latest last, each once.
    sent_bytes, received_bytes: carried in all tunnels so far, to TikTok and back.
    """

    def __init__(self, config: ClientConfig, resolve: Resolve) -> None:
        self._way_out = WayOut(config, resolve)
        self._server: asyncio.Server | None = None
        self._starting = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self.refused: deque[str] = deque(maxlen=REFUSED_KEPT)
        self.sent_bytes = self.received_bytes = 0

    async def start(self) -> None:
        """Listen, if it does not yet. Raises OSError."""
        async with self._starting:
            if self._server is None:
                self._server = await asyncio.start_server(
                    self._accept, "127.0.0.1", 0, limit=MAX_HEAD_BYTES
                )

    @property
    def url(self) -> str:
        """Where it listens, as a proxy's address. Raises RuntimeError when it does not."""
        if self._server is None:
            raise RuntimeError("the guard is not started")
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._tasks)

    async def aclose(self) -> None:
        """Stop listening and end every tunnel; fine when it was never started."""
        async with self._starting:
            if self._server is not None:
                self._server.close()
                self._server = None
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Connection(reader, writer)
        if len(self._tasks) >= MAX_CONNECTIONS + MAX_TURNED_AWAY:
            client.abort()
            return
        if len(self._tasks) >= MAX_CONNECTIONS:
            task = asyncio.create_task(_refuse(client, HTTPStatus.SERVICE_UNAVAILABLE))
        else:
            task = asyncio.create_task(self._serve(client))
        self._tasks.add(task)

        def end(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            client.abort()  # also when it was cancelled before it began

        task.add_done_callback(end)

    async def _serve(self, client: Connection) -> None:
        try:
            await self._carry(client, await _asked_host(client.reader))
        except (OSError, asyncio.IncompleteReadError, NoClientHello):
            pass  # it hung up, said nothing in time, or spoke no TLS
        except HeadRefused as refusal:
            self._note(refusal.host)
            await _refuse(client, refusal.status)

    def _note(self, host: str) -> None:
        name = plain_host_name(host)
        if name is not None:
            with suppress(ValueError):
                self.refused.remove(name)
            self.refused.append(name)

    async def _carry(self, client: Connection, host: str) -> None:
        try:
            site = await self._way_out.connect(host, _PORT)
        except OSError as error:
            raise HeadRefused(HTTPStatus.BAD_GATEWAY) from error
        try:
            client.writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await client.writer.drain()
            hello, name = await _client_hello(client.reader)
            if name != host:
                self._note(name)
                return
            self.sent_bytes += len(hello)
            site.writer.write(hello)
            await _Tunnel(self, client, site).carry()
        finally:
            site.abort()


async def _refuse(client: Connection, status: HTTPStatus) -> None:
    """Answer and close, so that the answer arrives although more may have been sent to us."""
    with suppress(OSError):
        async with asyncio.timeout(REFUSAL_S):
            client.writer.write(answer(status))
            client.writer.write_eof()
            while await client.reader.read(CHUNK_BYTES):
                pass


async def _asked_host(reader: asyncio.StreamReader) -> str:
    """The host that a client asks for. Raises HeadRefused, also when it is too slow or too long."""
    head = bytearray()
    try:
        async with asyncio.timeout(HEAD_S):
            head += await reader.readexactly(1)
            if not may_begin_head(head):
                raise HeadRefused(HTTPStatus.BAD_REQUEST)
            head += await reader.readuntil(HEAD_END)
    except TimeoutError as error:
        raise HeadRefused(HTTPStatus.REQUEST_TIMEOUT) from error
    except asyncio.LimitOverrunError as error:
        raise HeadRefused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from error
    return connect_host(bytes(head))


async def _client_hello(reader: asyncio.StreamReader) -> tuple[bytes, str]:
    """(What the client sent first, the name in it). Raises NoClientHello, OSError."""
    hello = ClientHelloReader()
    async with asyncio.timeout(HEAD_S):
        while chunk := await reader.read(CHUNK_BYTES):
            name = hello.feed(chunk)
            if name is not None:
                return bytes(hello.data), name
    raise NoClientHello("it ended before it was whole")


class _Tunnel:
    """Bytes carried between a client and a site, in both directions."""

    def __init__(self, guard: Guard, client: Connection, site: Connection) -> None:
        self._guard, self._client, self._site = guard, client, site
        self._idle_s = IDLE_S
        self._touched_at = 0.0
        self._deadline = asyncio.timeout(None)

    async def carry(self) -> None:
        """Carry until both sides ended, one broke, or nothing came for a while."""
        try:
            async with self._deadline:
                self._touch()
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._send())
                    group.create_task(self._receive())
        except* OSError:
            pass  # idle, or one side broke
        else:
            for side in (self._site, self._client):
                await side.close(HALF_CLOSED_IDLE_S)

    def _touch(self, *, now: bool = False) -> None:
        time = asyncio.get_running_loop().time()
        # Not for each chunk: setting a clock costs as much as carrying one.
        if (now or time >= self._touched_at + _TOUCH_S) and not self._deadline.expired():
            self._touched_at = time
            self._deadline.reschedule(time + self._idle_s)

    async def _send(self) -> None:
        while data := await self._client.reader.read(CHUNK_BYTES):
            self._guard.sent_bytes += len(data)
            await self._pass_on(data, self._site)
        self._end(self._site)

    async def _receive(self) -> None:
        while data := await self._site.reader.read(CHUNK_BYTES):
            self._guard.received_bytes += len(data)
            await self._pass_on(data, self._client)
        self._end(self._client)

    async def _pass_on(self, data: bytes, to: Connection) -> None:
        self._touch()
        to.writer.write(data)
        await to.writer.drain()

    def _end(self, to: Connection) -> None:
        """Hand on that one side has ended."""
        self._idle_s = HALF_CLOSED_IDLE_S
        self._touch(now=True)
        if to.writer.can_write_eof():
            to.writer.write_eof()
