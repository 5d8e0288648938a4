"""An httpcore network backend on asyncio's own transports and TLS.

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
from typing import Any, Final

import httpcore

# Received bytes that may wait unread before reading is paused.
HIGH_WATER_BYTES = 64 * 1024
# An aborted connection is closed by the loop's next turn; this is only so as never to hang.
CLOSE_TIMEOUT_S = 1.0
TLS_BUFFER_BYTES: Final = 32 * 1024
"""The read buffer of one TLS connection after limit_tls_buffers()."""


def limit_tls_buffers() -> None:
    """Shrink the read buffer of every TLS connection on asyncio, in the whole process.

    Each connection reads into a buffer of its own that it never gives back. By default that is half
    a megabyte, OpenSSL's share included, for each of dozens of connections. For a process that
    transfers files, before its first connection.
    """
    SSLProtocol.max_size = TLS_BUFFER_BYTES


class _StreamProtocol(asyncio.Protocol):
    """The asyncio protocol of one connection: buffers what arrives until it is read.

    Reading is paused above HIGH_WATER_BYTES and resumed below half of it.
    """

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._chunks: list[bytes] = []
        self._buffered_bytes = 0
        self._offset = 0  # of the first byte not yet read, in the first chunk
        self._reading_paused = False
        self._eof = False
        self._failure: Exception | None = None
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._chunks.append(data)
        self._buffered_bytes += len(data)
        if (
            self._buffered_bytes > HIGH_WATER_BYTES
            and not self._reading_paused
            and self.transport is not None
        ):
            self._reading_paused = True
            self.transport.pause_reading()
        self._readable.set()

    def eof_received(self) -> bool:
        self._eof = True
        self._readable.set()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._eof, self._failure = True, exc
        self._readable.set()
        self._writable.set()
        self.closed.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    @property
    def readable(self) -> bool:
        """Whether a read would return at once; an idle connection that is readable is spent."""
        return self._buffered_bytes > 0 or self._eof

    async def read(self, max_bytes: int) -> bytes:
        """Wait for data and return up to `max_bytes` of it; b"" at the end of the stream."""
        while not self._chunks:
            if self._failure is not None:
                raise self._failure
            if self._eof:
                return b""
            self._readable.clear()
            await self._readable.wait()
        chunk, start = self._chunks[0], self._offset
        data = chunk[start : start + max_bytes] if start or len(chunk) > max_bytes else chunk
        self._offset += len(data)
        if self._offset == len(chunk):
            self._chunks.pop(0)
            self._offset = 0
        self._buffered_bytes -= len(data)
        if (
            self._reading_paused
            and self._buffered_bytes <= HIGH_WATER_BYTES // 2
            and self.transport is not None
        ):
            self._reading_paused = False
            self.transport.resume_reading()
        return data

    async def drain(self) -> None:
        """Wait until the write buffer is low enough to write more.

        Raises OSError when the connection is lost.
        """
        await self._writable.wait()
        if self._failure is not None:
            raise self._failure
        if self.closed.is_set():
            raise ConnectionResetError("the connection is closed")


class AsyncioStream(httpcore.AsyncNetworkStream):
    """One connection, plain or encrypted."""

    def __init__(self, protocol: _StreamProtocol, transport: asyncio.Transport) -> None:
        self._protocol, self._transport = protocol, transport

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """Up to `max_bytes` as soon as there are any; b"" at the end of the stream."""
        try:
            async with asyncio.timeout(timeout):
                return await self._protocol.read(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout("nothing arrived in time") from error
        except OSError as error:
            raise httpcore.ReadError(type(error).__name__) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Send, waiting while the peer does not keep up."""
        try:
            async with asyncio.timeout(timeout):
                self._transport.write(buffer)
                await self._protocol.drain()
        except TimeoutError as error:
            raise httpcore.WriteTimeout("nothing was taken in time") from error
        except OSError as error:
            raise httpcore.WriteError(type(error).__name__) from error

    async def aclose(self) -> None:
        """Close at once; data not read by now is discarded."""
        self._transport.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._protocol.closed.wait()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        """Encrypt the connection; the returned stream replaces this one."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                secured = await loop.start_tls(
                    self._transport, self._protocol, ssl_context, server_hostname=server_hostname
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
        self._protocol.transport = secured
        return AsyncioStream(self._protocol, secured)

    def get_extra_info(self, info: str) -> Any:
        """A property of the connection by httpcore's name for it; None for an unknown name."""
        if info == "is_readable":
            return self._protocol.readable
        name = {
            "ssl_object": "ssl_object",
            "socket": "socket",
            "client_addr": "sockname",
            "server_addr": "peername",
        }.get(info)
        return self._transport.get_extra_info(name) if name else None


class AsyncioBackend(httpcore.AsyncNetworkBackend):
    """Connects to a host by name, as the system resolves it."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A TCP connection to `host`. Raises httpcore.ConnectTimeout or httpcore.ConnectError."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                transport, protocol = await loop.create_connection(_StreamProtocol, host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host} did not answer in time") from error
        except OSError as error:
            raise httpcore.ConnectError(f"{host}: {type(error).__name__}") from error
        return AsyncioStream(protocol, transport)

    async def sleep(self, seconds: float) -> None:
        """Wait; only httpcore's own retries would ask for it, and those are off."""
        await asyncio.sleep(seconds)
