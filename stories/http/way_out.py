"""The way out of a guard: a connection to a host's checked address, or through the proxy."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from stories.config import ClientConfig
from stories.http.connect_head import HEAD_END, MAX_HEAD_BYTES, is_success
from stories.http.happy_eyeballs import CONNECTION_ATTEMPT_DELAY_S, first_connected
from stories.http.resolver import Resolve, public_addresses
from stories.http.tls import client_context

CHUNK_BYTES: Final = 32 * 1024
"""Bytes that are read at once; a connection holds a few times as many."""


@dataclass(slots=True)
class Connection:
    """Both ends of a stream of bytes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    _is_closed: bool = False

    def abort(self) -> None:
        """Close it at once, if it is not yet; what was not sent yet is lost."""
        # asyncio's own transport fails when it is aborted after it has sent all and closed.
        if not self._is_closed:
            self.writer.transport.abort()

    async def close(self, within_s: float) -> None:
        """Close it once everything is sent, or after so many seconds."""
        with suppress(OSError):
            async with asyncio.timeout(within_s):
                self.writer.close()
                await self.writer.wait_closed()
                self._is_closed = True
        self.abort()


class WayOut:
    """Opens connections to hosts. config: its proxy, extra authority and time limit to connect."""

    def __init__(self, config: ClientConfig, resolve: Resolve) -> None:
        self._config, self._resolve = config, resolve
        self._context: ssl.SSLContext | None = None

    async def connect(self, host: str, port: int) -> Connection:
        """A connection to one of the public addresses of `host`, or through the proxy.

        With a proxy it is the proxy that resolves. Raises OSError, also when it takes too long.
        """
        async with asyncio.timeout(self._config.connect_timeout_s):
            if self._config.proxy is not None:
                return await self._through_proxy(host, port, self._config.proxy)
            addresses = await public_addresses(host, port, self._resolve)
            return await first_connected([_open(address, port) for address in addresses], _drop)

    async def _through_proxy(self, host: str, port: int, proxy: str) -> Connection:
        parts = urlsplit(proxy)
        tls = parts.scheme == "https"
        try:
            reader, writer = await asyncio.open_connection(
                parts.hostname,
                parts.port or (443 if tls else 80),
                limit=MAX_HEAD_BYTES,
                ssl=await self._proxy_context() if tls else None,
                happy_eyeballs_delay=CONNECTION_ATTEMPT_DELAY_S,
            )
        except UnicodeError as error:  # idna gives up on some names before asking anyone
            raise ConnectionError("the proxy's name is not a host name") from error
        connection = Connection(reader, writer)
        try:
            writer.write(_connect_head(host, port, parts))
            await _read_success(reader)
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _proxy_context(self) -> ssl.SSLContext:
        if self._context is None:
            # Reading the authorities takes some time.
            self._context = await asyncio.to_thread(client_context, self._config.ca_bundle)
        return self._context


async def _open(address: str, port: int) -> Connection:
    return Connection(*await asyncio.open_connection(address, port, limit=CHUNK_BYTES))


async def _drop(connection: Connection) -> None:
    connection.abort()


def _connect_head(host: str, port: int, proxy: SplitResult) -> bytes:
    lines = [f"CONNECT {host}:{port} HTTP/1.1", f"Host: {host}:{port}"]
    if proxy.username is not None:
        pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        lines.append(f"Proxy-Authorization: Basic {b64encode(pair.encode()).decode()}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


async def _read_success(reader: asyncio.StreamReader) -> None:
    """Read a proxy's answer to a CONNECT. Raises OSError unless the tunnel is open."""
    try:
        head = await reader.readuntil(HEAD_END)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise ConnectionError("the proxy gave no answer to a CONNECT") from error
    if not is_success(head):
        raise ConnectionError("the proxy refused a CONNECT")
