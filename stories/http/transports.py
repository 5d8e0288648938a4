"""The transports of pages and lists: proxy, trusted authorities, pinned addresses, curl.

Pages and lists go over curl with a browser's TLS fingerprint, or over plain httpx by setting.
Headers, allow-list and the meaning of responses are left to session.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx
from curl_cffi import CurlError, CurlOpt
from httpx_curl_cffi import AsyncCurlTransport

from stories.http.body import BodyTooLarge
from stories.http.curl_loop import CurlLoop
from stories.http.happy_eyeballs import first_connected
from stories.http.pinning import resolve_entry
from stories.http.resolver import Resolve, public_addresses
from stories.http.tls import CaFile, client_context
from stories.identity import Identity, TlsTarget

Transport = httpx.AsyncBaseTransport


class IdentifiedTransport(httpx.AsyncBaseTransport):
    """A transport that sends every request as one identity, with headers of its own."""

    identity: Identity


MAX_PAGE_CONNECTIONS = 64
KEEPALIVE_S = 30


def create_page_transport(
    *,
    tls_target: TlsTarget | None,
    proxy: str | None,
    ca_file: CaFile,
    ca_bundle: str | None,
    max_bytes: int,
    resolve: Resolve,
) -> Transport:
    """The transport of pages and lists: curl looking like a browser, or plain httpx.

    tls_target: the browser curl looks like, None for httpx. ca_file: every authority, for curl.
    ca_bundle: the extra one, for httpx. max_bytes: of one body; curl stops there by itself.
    """
    if tls_target is None:
        return PooledTransport(proxy=proxy, ca_bundle=ca_bundle, resolve=resolve)
    return CurlTransport(
        tls_target=tls_target,
        proxy=proxy,
        ca_file=ca_file,
        max_bytes=max_bytes,
        resolve=resolve,
    )


class PooledTransport(httpx.AsyncHTTPTransport):
    """httpx's transport on a connection pool that connects to checked addresses only.

    With a proxy it connects only to the proxy.
    """

    def __init__(self, *, proxy: str | None, ca_bundle: str | None, resolve: Resolve) -> None:
        context = client_context(ca_bundle)
        super().__init__(verify=context, trust_env=False)
        # httpx has no way to hand a network backend to its pool; httpcore does.
        self._pool: httpcore.AsyncConnectionPool
        if proxy is None:
            self._pool = httpcore.AsyncConnectionPool(
                ssl_context=context,
                max_connections=MAX_PAGE_CONNECTIONS,
                max_keepalive_connections=MAX_PAGE_CONNECTIONS,
                keepalive_expiry=KEEPALIVE_S,
                network_backend=PinnedBackend(resolve),
            )
            return
        parsed_proxy = httpx.Proxy(proxy)
        self._pool = httpcore.AsyncHTTPProxy(
            proxy_url=str(parsed_proxy.url),
            proxy_auth=parsed_proxy.raw_auth,
            proxy_ssl_context=(
                client_context(ca_bundle) if parsed_proxy.url.scheme == "https" else None
            ),
            ssl_context=context,
            max_connections=MAX_PAGE_CONNECTIONS,
            max_keepalive_connections=MAX_PAGE_CONNECTIONS,
            keepalive_expiry=KEEPALIVE_S,
        )


class PinnedBackend(httpcore.AnyIOBackend):
    """Network backend that resolves a name once and connects to one of the public addresses found.

    A second answer of the same name server is never asked for (no DNS rebinding).
    """

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
        return await first_connected(
            [connect(address, port, timeout) for address in addresses],
            httpcore.AsyncNetworkStream.aclose,
        )


class CurlTransport(AsyncCurlTransport):
    """The curl transport with its known faults fenced in; for whole, small bodies only.

    Bodies are read at once (no streaming), so that cancelling a request ends it, nothing piles up
    in a queue, and every error comes before the response does.
    """

    _stream_enabled = False

    def __init__(
        self,
        *,
        tls_target: TlsTarget,
        proxy: str | None,
        ca_file: CaFile,
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
            **authority_options(ca_file),
        }
        self._pins: dict[tuple[str, int], tuple[str, ...]] = {}
        self._resolve = None if proxy else resolve
        self._ca_file = ca_file
        self._curl_loop = CurlLoop(ca_path=ca_file.path, kept=MAX_PAGE_CONNECTIONS)
        super().__init__(
            async_curl=self._curl_loop,
            impersonate=tls_target,
            # The headers are ours: the defaults would make every list request look like a click.
            default_headers=False,
            proxy=proxy,
            max_connections=MAX_PAGE_CONNECTIONS,
            curl_options=self._options,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, and return the response with its whole body.

        Raises httpx.TransportError or httpx.DecodingError.
        """
        timeouts = request.extensions.get("timeout", {})
        request.extensions = {
            **request.extensions,
            # curl takes no None here; the caller bounds the whole exchange anyway.
            "timeout": {
                "connect": timeouts.get("connect") or 10,
                "read": timeouts.get("read") or 20,
            },
        }
        if self._resolve is not None:
            await self._pin(request, self._resolve)
        self._ca_file.restore()
        try:
            response: httpx.Response = await super().handle_async_request(request)
        except CurlError as error:
            raise to_httpx_error(error, request) from error
        return response

    async def aclose(self) -> None:
        """Close every connection; what still runs on them fails."""
        await super().aclose()
        await self._curl_loop.close()

    async def _pin(self, request: httpx.Request, resolve: Resolve) -> None:
        host, port = request.url.host, request.url.port or 443
        try:
            self._pins[host, port] = await public_addresses(host, port, resolve)
        except OSError as error:
            raise httpx.ConnectError(str(error), request=request) from error
        # All pins every time: whichever request curl is set up for next, it finds its own here,
        # and each entry is one that was checked. The hosts are few (the page allow-list).
        self._options[CurlOpt.RESOLVE] = [
            resolve_entry(name, number, addresses)
            for (name, number), addresses in self._pins.items()
        ]

    def _create_error(self, req: httpx.Request, exc: CurlError) -> httpx.RequestError:
        return to_httpx_error(exc, req)


def authority_options(ca_file: CaFile) -> dict[CurlOpt, Any]:
    """curl's options for whom to trust, about hosts and about a proxy."""
    return {
        CurlOpt.CAINFO: ca_file.path,
        CurlOpt.PROXY_CAINFO: ca_file.path,
        CurlOpt.CAPATH: ca_file.folders,
        CurlOpt.PROXY_CAPATH: ca_file.folders,
    }


def proxy_options(proxy: str | None) -> dict[CurlOpt, Any]:
    """curl's options for a proxy, or for none: the environment's proxies are not obeyed."""
    if proxy is None:
        return {CurlOpt.PROXY: "", CurlOpt.NOPROXY: "*"}
    parsed_proxy = httpx.Proxy(proxy)
    options: dict[CurlOpt, Any] = {CurlOpt.PROXY: str(parsed_proxy.url), CurlOpt.NOPROXY: ""}
    if parsed_proxy.raw_auth is not None:
        user, password = parsed_proxy.raw_auth
        options |= {CurlOpt.PROXYUSERNAME: user, CurlOpt.PROXYPASSWORD: password}
    return options


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
    63: BodyTooLarge,
    77: httpx.ConnectError,
    92: httpx.RemoteProtocolError,
    97: httpx.ProxyError,
}
_TIMED_OUT, _RECEIVE_FAILED = 28, 56


def to_httpx_error(error: CurlError, request: httpx.Request) -> httpx.RequestError:
    """The httpx exception that a curl error means; its text holds no URL."""
    text, code = str(error), int(getattr(error, "code", 0) or 0)
    kind = _CURL_CODES.get(code, httpx.TransportError)
    if code == _TIMED_OUT:
        connecting = "onnection timed out" in text
        kind = httpx.ConnectTimeout if connecting else httpx.ReadTimeout
    elif code == _RECEIVE_FAILED:
        kind = httpx.ProxyError if "CONNECT" in text else httpx.ReadError
    return kind(f"curl {code}", request=request)
