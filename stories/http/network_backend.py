"""Sockets for httpcore on asyncio's own transports.

httpcore's stock backend reads one TLS record at a time, 16 KiB at most, and pays for each one all
the way up; asyncio decrypts whatever has arrived and hands it over together. Measured on media
over loopback TLS it takes about half the CPU.
"""

from __future__ import annotations

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import httpcore

# How much may wait unread before the sender is held back.
HIGH_WATER_BYTES = 64 * 1024
# What each encrypted connection reads at once, into a buffer of its own that it never gives back.
# As it comes that is half a megabyte, OpenSSL's included, for each of dozens of connections.
SSLProtocol.max_size = 32 * 1024
# An aborted connection is gone by the loop's next turn; this is only so as never to hang.
CLOSING_S = 1.0


class _Inbox(asyncio.Protocol):
    """What has arrived and was not read yet."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._size = self._taken = 0
        self._held_back = False
        self._ended = False
        self._failure: Exception | None = None
        self._arrival = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        if self._size > HIGH_WATER_BYTES and not self._held_back and self.transport is not None:
            self._held_back = True
            self.transport.pause_reading()
        self._arrival.set()

    def eof_received(self) -> bool:
        self._ended = True
        self._arrival.set()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended, self._failure = True, exc
        self._arrival.set()
        self._may_write.set()
        self.closed.set()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    @property
    def readable(self) -> bool:
        """Whether a read would return at once: on an idle connection, that it is of no more use."""
        return self._size > 0 or self._ended

    async def take(self, most: int) -> bytes:
        """Wait for data and return up to `most` bytes of it; b"" at the end."""
        while not self._parts:
            if self._failure is not None:
                raise self._failure
            if self._ended:
                return b""
            self._arrival.clear()
            await self._arrival.wait()
        first, start = self._parts[0], self._taken
        data = first[start : start + most] if start or len(first) > most else first
        self._taken += len(data)
        if self._taken == len(first):
            self._parts.pop(0)
            self._taken = 0
        self._size -= len(data)
        if self._held_back and self._size <= HIGH_WATER_BYTES // 2 and self.transport is not None:
            self._held_back = False
            self.transport.resume_reading()
        return data

    async def flushed(self) -> None:
        """Wait until the peer keeps up with what we send."""
        await self._may_write.wait()
        if self._failure is not None:
            raise self._failure
        if self.closed.is_set():
            raise ConnectionResetError("the connection is closed")


class Stream(httpcore.AsyncNetworkStream):
    """One connection, plain or encrypted."""

    def __init__(self, inbox: _Inbox, transport: asyncio.Transport) -> None:
        self._inbox, self._transport = inbox, transport

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """Up to `max_bytes` as soon as there are any; b"" at the end."""
        try:
            async with asyncio.timeout(timeout):
                return await self._inbox.take(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout("nothing arrived in time") from error
        except OSError as error:
            raise httpcore.ReadError(type(error).__name__) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Send, waiting when the peer does not keep up."""
        try:
            async with asyncio.timeout(timeout):
                self._transport.write(buffer)
                await self._inbox.flushed()
        except TimeoutError as error:
            raise httpcore.WriteTimeout("nothing was taken in time") from error
        except OSError as error:
            raise httpcore.WriteError(type(error).__name__) from error

    async def aclose(self) -> None:
        """Close at once: what is not read by now is not wanted."""
        self._transport.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_S):
                await self._inbox.closed.wait()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        """The same connection, encrypted."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                secured = await loop.start_tls(
                    self._transport, self._inbox, ssl_context, server_hostname=server_hostname
                )
        except TimeoutError as error:
            self._transport.abort()
            raise httpcore.ConnectTimeout("no handshake in time") from error
        except OSError as error:
            self._transport.abort()
            raise httpcore.ConnectError(type(error).__name__) from error
        except BaseException:
            self._transport.abort()
            raise
        if secured is None:  # says the interface; no loop we run on does
            raise httpcore.ConnectError("no encrypted connection")
        self._inbox.transport = secured
        return Stream(self._inbox, secured)

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks a connection about."""
        if info == "is_readable":
            return self._inbox.readable
        name = {
            "ssl_object": "ssl_object",
            "socket": "socket",
            "client_addr": "sockname",
            "server_addr": "peername",
        }.get(info)
        return self._transport.get_extra_info(name) if name else None


class Backend(httpcore.AsyncNetworkBackend):
    """Connects by name, as the system resolves it."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to `host`."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                transport, inbox = await loop.create_connection(_Inbox, host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host} did not answer in time") from error
        except OSError as error:
            raise httpcore.ConnectError(f"{host}: {type(error).__name__}") from error
        return Stream(inbox, transport)

    async def sleep(self, seconds: float) -> None:
        """Wait; only httpcore's own retries would ask for it, and those are off."""
        await asyncio.sleep(seconds)
