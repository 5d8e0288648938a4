"""The page transports of one client: one for each TLS target, made when it is first needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from stories.config import ClientConfig
from stories.http.resolver import Resolve
from stories.http.tls import CaFile
from stories.http.transports import Transport, create_page_transport
from stories.identity import Identity, TlsTarget, identity_ladder

IDLE_S: Final = 60.0
"""Seconds after its last request that a transport other than the usual one is closed."""

MakeTransport = Callable[[TlsTarget | None], Transport]
"""Makes the transport of a TLS target; None is plain httpx. May raise OSError."""


@dataclass(slots=True, kw_only=True)
class _Pooled:
    """An open transport. users: requests under way. closing: set while nobody uses it."""

    transport: Transport
    resources: AsyncExitStack
    users: int = 0
    closing: asyncio.TimerHandle | None = None


class PageTransports:
    """Page transports by TLS target. usual: the identity whose transport stays open.

    Two identities with one TLS target share a transport: they differ in their headers alone.
    """

    def __init__(self, make: MakeTransport, *, usual: Identity) -> None:
        self._make = make
        self._usual = usual.tls_target
        self._open: dict[TlsTarget | None, _Pooled] = {}
        self._closes: set[asyncio.Task[None]] = set()

    async def open_usual(self) -> None:
        """Make the transport of the usual identity. Raises what `make` raises."""
        await self._pooled(self._usual)

    @asynccontextmanager
    async def lease(self, identity: Identity) -> AsyncIterator[Transport]:
        """An identity's transport, which stays open within the block."""
        target = identity.tls_target
        pooled = await self._pooled(target)
        pooled.users += 1
        if pooled.closing is not None:
            pooled.closing.cancel()
            pooled.closing = None
        try:
            yield pooled.transport
        finally:
            pooled.users -= 1
            if not pooled.users and target != self._usual:
                loop = asyncio.get_running_loop()
                pooled.closing = loop.call_later(IDLE_S, self._close_idle, target)

    @property
    def open_targets(self) -> frozenset[TlsTarget | None]:
        """The TLS targets whose transports are open."""
        return frozenset(self._open)

    async def _pooled(self, target: TlsTarget | None) -> _Pooled:
        pooled = self._open.get(target)
        if pooled is None:
            # Nothing is awaited before the entry is there: two requests never make it twice.
            pooled = _Pooled(transport=self._make(target), resources=AsyncExitStack())
            self._open[target] = pooled
            await pooled.resources.enter_async_context(pooled.transport)
        return pooled

    def _close_idle(self, target: TlsTarget | None) -> None:
        task = asyncio.ensure_future(self._open.pop(target).resources.aclose())
        self._closes.add(task)
        task.add_done_callback(self._closes.discard)

    async def aclose(self) -> None:
        """Close every transport; what still runs on them fails."""
        while self._open:
            _, pooled = self._open.popitem()
            if pooled.closing is not None:
                pooled.closing.cancel()
            await pooled.resources.aclose()
        await asyncio.gather(*self._closes)


@asynccontextmanager
async def open_page_transports(
    config: ClientConfig, ca_file: CaFile, resolve: Resolve
) -> AsyncIterator[PageTransports]:
    """The page transports that a configuration describes, the usual one made.

    ca_file: every authority, which stays its maker's to close. resolve: how host names become
    addresses. Raises OSError when the CA bundle cannot be read.
    """

    def make(tls_target: TlsTarget | None) -> Transport:
        return create_page_transport(
            tls_target=tls_target,
            proxy=config.proxy,
            ca_file=ca_file,
            ca_bundle=config.ca_bundle,
            max_bytes=config.max_page_bytes,
            resolve=resolve,
        )

    transports = PageTransports(make, usual=identity_ladder(config.page_transport)[0])
    try:
        await transports.open_usual()
        yield transports
    finally:
        await transports.aclose()


class GivenTransport(PageTransports):
    """One transport for every identity, which stays its maker's to close."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def open_usual(self) -> None:
        """Do nothing: the transport is there."""

    @asynccontextmanager
    async def lease(self, identity: Identity) -> AsyncIterator[Transport]:
        """The transport, whoever asks."""
        yield self._transport

    async def aclose(self) -> None:
        """Do nothing: the maker closes it."""
