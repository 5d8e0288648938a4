"""How a request physically leaves: pools, proxy, trusted authorities, pinned addresses, curl.

Two carriers, both plain httpx transports. Media goes over httpx's own HTTP/1.1 pool. Pages and
lists go over curl with a browser's TLS fingerprint, or over httpx by setting. What is sent, to
whom, and what the answers mean is transport.py's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import httpcore
import httpx
from curl_cffi import CurlError, CurlOpt
from httpx_curl_cffi import AsyncCurlTransport

from stories.http.network_backend import Backend
from stories.http.resolver import Resolve, public_addresses
from stories.http.tls import AuthorityFile, trust

Carrier = httpx.AsyncBaseTransport

# One fixed browser: "chrome" would move with every release of curl_cffi, away from USER_AGENT.
BROWSER: Final = "chrome150"
PAGES_AT_ONCE = 64
KEEPALIVE_S = 30
# A name with several addresses: how long one may stay silent before the next is tried beside it.
HEAD_START_S = 0.25


class TooBig(httpx.TransportError):
    """The body went over the limit, announced or not, compressed or not."""


def media_carrier(
    *, proxy: str | None, ca_bundle: str | None, connections: int, resolve: Resolve
) -> Carrier:
    """Plain httpx over HTTP/1.1: correct flow control, one connection per file."""
    return PooledCarrier(proxy=proxy, ca_bundle=ca_bundle, connections=connections, resolve=resolve)


def page_carrier(
    *,
    curl: bool,
    proxy: str | None,
    authorities: AuthorityFile,
    ca_bundle: str | None,
    max_bytes: int,
    resolve: Resolve,
) -> Carrier:
    """What carries pages and lists: curl looking like a browser, or plain httpx."""
    if not curl:
        return media_carrier(
            proxy=proxy, ca_bundle=ca_bundle, connections=PAGES_AT_ONCE, resolve=resolve
        )
    return CurlCarrier(proxy=proxy, authorities=authorities, max_bytes=max_bytes, resolve=resolve)


class PooledCarrier(httpx.AsyncHTTPTransport):
    """httpx's transport on sockets of our own choosing.

    Directly, it connects only to addresses that were checked; with a proxy, only to that.
    """

    def __init__(
        self, *, proxy: str | None, ca_bundle: str | None, connections: int, resolve: Resolve
    ) -> None:
        context = trust(ca_bundle)
        super().__init__(verify=context, trust_env=False)
        # httpx has no way to hand a network backend to its pool; httpcore does.
        self._pool: httpcore.AsyncConnectionPool
        if proxy is None:
            self._pool = httpcore.AsyncConnectionPool(
                ssl_context=context,
                max_connections=connections,
                max_keepalive_connections=connections,
                keepalive_expiry=KEEPALIVE_S,
                network_backend=PinnedBackend(resolve),
            )
            return
        named = httpx.Proxy(proxy)
        self._pool = httpcore.AsyncHTTPProxy(
            proxy_url=str(named.url),
            proxy_auth=named.raw_auth,
            proxy_ssl_context=trust(ca_bundle) if named.url.scheme == "https" else None,
            ssl_context=context,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=KEEPALIVE_S,
            network_backend=Backend(),
        )


class PinnedBackend(Backend):
    """Resolves a name once and connects to one of exactly the addresses that passed the check."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first checked address of `host` that answers."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await public_addresses(host, port, self._resolve)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host} was not resolved in time") from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error

        connect = super().connect_tcp
        return await _first_to_answer([connect(address, port, timeout) for address in addresses])


async def _first_to_answer(attempts: list[Any]) -> httpcore.AsyncNetworkStream:
    """Start the attempts one after the other, each with a head start; keep the first that works."""
    waiting = attempts[::-1]
    running: set[asyncio.Task[httpcore.AsyncNetworkStream]] = set()
    failure: Exception = httpcore.ConnectError("no address")
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.ensure_future(waiting.pop()))
            done, running = await asyncio.wait(
                running,
                timeout=HEAD_START_S if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            winner: httpcore.AsyncNetworkStream | None = None
            for task in done:
                error = task.exception()
                if isinstance(error, Exception):
                    failure = error
                elif winner is None:
                    winner = task.result()
                else:
                    await task.result().aclose()
            if winner is not None:
                return winner
        raise failure
    finally:
        for unused in waiting:
            unused.close()
        for task in running:
            task.cancel()
        for result in await asyncio.gather(*running, return_exceptions=True):
            if isinstance(result, httpcore.AsyncNetworkStream):
                await result.aclose()


class CurlCarrier(AsyncCurlTransport):
    """The curl transport with its known faults fenced in; for whole, small bodies only.

    Bodies are read at once (no streaming), so that cancelling a request ends it, nothing piles up
    in a queue, and every error comes before the response does.
    """

    _stream_enabled = False

    def __init__(
        self,
        *,
        proxy: str | None,
        authorities: AuthorityFile,
        max_bytes: int,
        resolve: Resolve,
    ) -> None:
        # A fresh dict: the transport writes into the one it is given, and reads it again for
        # each request, which is how the pins below reach curl.
        self._options: dict[CurlOpt, Any] = {
            # Without this the proxy environment variables are obeyed.
            CurlOpt.NOPROXY: "" if proxy else "*",
            # Announced, unannounced and expanded sizes alike: curl stops by itself.
            CurlOpt.MAXFILESIZE_LARGE: max_bytes,
            CurlOpt.CAINFO: authorities.path,
            CurlOpt.PROXY_CAINFO: authorities.path,
        }
        self._pins: dict[tuple[str, int], tuple[str, ...]] = {}
        self._resolve = None if proxy else resolve
        super().__init__(
            impersonate=BROWSER,
            # The headers are ours: the defaults would make every list request look like a click.
            default_headers=False,
            proxy=proxy,
            max_connections=PAGES_AT_ONCE,
            curl_options=self._options,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, and come back with the whole body. Raises httpx.TransportError or DecodingError."""
        given = request.extensions.get("timeout", {})
        request.extensions = {
            **request.extensions,
            # curl takes no None here; the caller bounds the whole exchange anyway.
            "timeout": {"connect": given.get("connect") or 10, "read": given.get("read") or 20},
        }
        if self._resolve is not None:
            await self._pin(request, self._resolve)
        try:
            response: httpx.Response = await super().handle_async_request(request)
        except CurlError as error:
            raise httpx_error(error, request) from error
        return response

    async def _pin(self, request: httpx.Request, resolve: Resolve) -> None:
        host, port = request.url.host, request.url.port or 443
        try:
            self._pins[host, port] = await public_addresses(host, port, resolve)
        except OSError as error:
            raise httpx.ConnectError(str(error), request=request) from error
        # All pins every time: whichever request curl is set up for next, it finds its own here,
        # and each entry is one that was checked. The hosts are few (the page allow-list).
        self._options[CurlOpt.RESOLVE] = [
            f"{name}:{number}:" + ",".join(f"[{a}]" if ":" in a else a for a in addresses)
            for (name, number), addresses in self._pins.items()
        ]

    def _create_error(self, req: httpx.Request, exc: CurlError) -> httpx.RequestError:
        return httpx_error(exc, req)


_CURL_CODES: dict[int, type[httpx.RequestError]] = {
    1: httpx.RemoteProtocolError,
    5: httpx.ProxyError,
    6: httpx.ConnectError,
    7: httpx.ConnectError,
    8: httpx.RemoteProtocolError,
    16: httpx.RemoteProtocolError,
    18: httpx.RemoteProtocolError,
    26: httpx.ReadError,
    35: httpx.ConnectError,
    52: httpx.RemoteProtocolError,
    55: httpx.WriteError,
    60: httpx.ConnectError,
    61: httpx.DecodingError,
    63: TooBig,
    77: httpx.ConnectError,
    92: httpx.RemoteProtocolError,
    97: httpx.ProxyError,
}
_TIMED_OUT, _RECEIVE_FAILED = 28, 56


def httpx_error(error: CurlError, request: httpx.Request) -> httpx.RequestError:
    """curl's error as the httpx one that means the same."""
    text, code = str(error), int(getattr(error, "code", 0) or 0)
    kind = _CURL_CODES.get(code, httpx.TransportError)
    if code == _TIMED_OUT:
        connecting = "onnection timed out" in text
        kind = httpx.ConnectTimeout if connecting else httpx.ReadTimeout
    elif code == _RECEIVE_FAILED:
        kind = httpx.ProxyError if "CONNECT" in text else httpx.ReadError
    return kind(f"curl {code}", request=request)
