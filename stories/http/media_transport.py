"""The transport of media: libcurl over HTTP/1.1, each byte handed on as it arrives.

Nothing is queued: curl reads from the socket, decrypts, and calls the receiver, which writes the
bytes to their place in the file before curl reads on. One hop at a time: redirects, the allow-list
and the meaning of an answer are left to session.py.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

import httpx
from curl_cffi import Curl, CurlError, CurlHttpVersion, CurlOpt

from stories.http.curl_loop import Activity, CurlLoop
from stories.http.pinning import PinnedAddresses, resolve_entry
from stories.http.resolver import Resolve
from stories.http.tls import CaFile
from stories.http.transports import (
    KEEPALIVE_S,
    authority_options,
    proxy_options,
    to_httpx_error,
)

WriteBody = Callable[[bytes], None]
"""Takes the next bytes of a body. What it raises ends the transfer and is raised to the caller."""
OnHead = Callable[[httpx.Response], WriteBody | None]
"""Judges an answer by its head, before its first byte; the response it is given has no body.

Returns who takes the body; None when it is not wanted. What it raises ends the transfer."""

UNWANTED_BYTES: Final = 16 * 1024
"""A body nobody wants is read to its end up to this size: that keeps the connection."""

_INFORMATIONAL: Final = range(100, 200)
_STATUS_LINE: Final = re.compile(rb"HTTP/[0-9.]+ +([0-9]{3})(?![0-9])")


class MediaTransport(Protocol):
    """Carries one request for a file, and its answer's bytes to a receiver."""

    async def receive(self, request: httpx.Request, on_head: OnHead) -> None:
        """Send, hand the head to `on_head` and the body to whoever it names, to its end.

        The request's "timeout" extension bounds connecting, the wait for the whole head, and each
        silence in a body; "tls_target" names the browser whose TLS handshake is copied, None for
        none. Raises httpx.TransportError when the network fails, also in mid-body; and what
        `on_head` or the receiver raised. However it ends early, its connection is closed at once.
        """


class _Elsewhere(httpx.AsyncByteStream):
    """The body of a response whose bytes go to a receiver."""


class _Unwanted(Exception):
    """More of a body than is worth reading when nobody wants it."""


class CurlMediaTransport:
    """Media over curl, an async context manager.

    Without a proxy it connects only to addresses that were checked, with one only to the proxy.
    ca_file: every authority. connections: most kept for further requests; all are closed when
    nothing was asked for during KEEPALIVE_S.
    """

    def __init__(
        self, *, proxy: str | None, ca_file: CaFile, connections: int, resolve: Resolve
    ) -> None:
        self._options = authority_options(ca_file) | proxy_options(proxy)
        self._ca_file = ca_file
        self._connections = connections
        self._pins = None if proxy else PinnedAddresses(resolve)
        self._curl_loop: CurlLoop | None = None
        self._running = 0
        self._closing: asyncio.TimerHandle | None = None
        self._closes: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Do nothing: connections are made when they are needed."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection; what still runs on them fails."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection; what still runs on them fails."""
        self._close_idle()
        if self._pins is not None:
            await self._pins.aclose()
        await asyncio.gather(*self._closes)

    def is_open(self) -> bool:
        """Whether connections may be open."""
        return self._curl_loop is not None

    async def receive(self, request: httpx.Request, on_head: OnHead) -> None:
        """Carry one request, as MediaTransport says."""
        timeouts = request.extensions["timeout"]
        connect_s, read_s = timeouts["connect"], timeouts["read"]
        entry = await self._pin(request, connect_s)
        self._ca_file.restore()
        curl_loop = self._lease()
        activity = Activity(curl_loop.loop, first_s=connect_s + read_s, idle_s=read_s)
        exchange = _Exchange(request, on_head, activity)
        curl = _Handle(cacert=self._ca_file.path)
        try:
            self._set_up(curl, request, exchange, connect_s, entry)
            await curl_loop.transfer(curl, activity)
        except _Unwanted:
            return
        except CurlError as error:
            if exchange.judged and exchange.write is None:
                return  # nobody wanted the rest
            if self._pins is not None and not exchange.judged:
                self._pins.forget(request.url.host, request.url.port or 443)
            raise to_httpx_error(error, request) from error
        finally:
            curl.close()
            self._release(curl_loop)
        if not exchange.judged:
            raise httpx.RemoteProtocolError("an answer without a head", request=request)

    async def _pin(self, request: httpx.Request, connect_s: float) -> str | None:
        """The addresses to connect to, as curl is told them; None: the proxy resolves."""
        if self._pins is None:
            return None
        host, port = request.url.host, request.url.port or 443
        try:
            async with asyncio.timeout(connect_s):
                return resolve_entry(host, port, await self._pins.get(host, port))
        except TimeoutError as error:
            text = f"{host} was not resolved in time"
            raise httpx.ConnectTimeout(text, request=request) from error
        except OSError as error:
            raise httpx.ConnectError(str(error), request=request) from error

    def _set_up(
        self,
        curl: Curl,
        request: httpx.Request,
        exchange: _Exchange,
        connect_s: float,
        entry: str | None,
    ) -> None:
        tls_target = request.extensions.get("tls_target")
        if tls_target is not None:
            curl.impersonate(tls_target, default_headers=False)
        options = {
            CurlOpt.URL: str(request.url),
            CurlOpt.PATH_AS_IS: 1,
            CurlOpt.PROTOCOLS_STR: "https",
            CurlOpt.HTTP_VERSION: CurlHttpVersion.V1_1,
            CurlOpt.SUPPRESS_CONNECT_HEADERS: 1,
            CurlOpt.NOSIGNAL: 1,
            CurlOpt.CONNECTTIMEOUT_MS: max(1, round(connect_s * 1000)),
            CurlOpt.MAXAGE_CONN: KEEPALIVE_S,
            CurlOpt.HTTPHEADER: [b"%s: %s" % pair for pair in request.headers.raw],
            CurlOpt.HEADERFUNCTION: exchange.on_header,
            CurlOpt.WRITEFUNCTION: exchange.on_body,
            **self._options,
        }
        if entry is not None:
            options[CurlOpt.RESOLVE] = [entry]
        for option, value in options.items():
            curl.setopt(option, value)

    # --- connections kept for a while ---------------------------------------------------------

    def _lease(self) -> CurlLoop:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        if self._curl_loop is None:
            self._curl_loop = CurlLoop(ca_path=self._ca_file.path, kept=self._connections)
        self._running += 1
        return self._curl_loop

    def _release(self, curl_loop: CurlLoop) -> None:
        if curl_loop is not self._curl_loop:
            return  # closed meanwhile
        self._running -= 1
        if not self._running:
            # curl closes an old connection only when it looks for one to use. Idle ones hold
            # the authorities as parsed, each its own.
            self._closing = curl_loop.loop.call_later(KEEPALIVE_S, self._close_idle)

    def _close_idle(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        curl_loop, self._curl_loop, self._running = self._curl_loop, None, 0
        if curl_loop is not None:
            task = asyncio.ensure_future(curl_loop.close())
            self._closes.add(task)
            task.add_done_callback(self._closes.discard)


class _Handle(Curl):
    """A handle of one transfer."""

    _WS_RECV_BUFFER_SIZE = 1  # for WebSockets; else 128 KiB each


class _Exchange:
    """One request's answer as curl calls with it. judged: its head was handed over.

    write: who takes the body; None as long as nobody does.
    """

    def __init__(self, request: httpx.Request, on_head: OnHead, activity: Activity) -> None:
        self.judged = False
        self.write: WriteBody | None = None
        self._request = request
        self._on_head = on_head
        self._activity = activity
        self._lines: list[bytes] = []
        self._unwanted_bytes = 0

    def on_header(self, line: bytes) -> int:
        """Take one line of the head, ending included; the empty one ends it.

        Lines are no sign of life: informational answers, and trailers behind the body, may be as
        many as a server likes, one of them now and then.
        """
        if self.judged:
            return len(line)  # a trailer
        if line.strip():
            self._lines.append(line)
            return len(line)
        lines, self._lines = self._lines, []
        status = _status(lines[0]) if lines else 0
        if status not in _INFORMATIONAL:
            self._activity.note()
            self._judge(status, lines[1:])
        return len(line)

    def _judge(self, status: int, lines: list[bytes]) -> None:
        pairs = [(n.strip(), v.strip()) for n, _, v in (line.partition(b":") for line in lines)]
        response = httpx.Response(status, headers=pairs, stream=_Elsewhere(), request=self._request)
        self.judged = True
        self.write = self._on_head(response)
        if self.write is None:
            length = response.headers.get("content-length", "")
            if not length.isdecimal() or int(length[:9]) > UNWANTED_BYTES or len(length) > 9:
                raise _Unwanted

    def on_body(self, chunk: bytes) -> int:
        """Take the next bytes of the body; those nobody wants are no sign of life."""
        if self.write is not None:
            self._activity.note()
            self.write(chunk)
        else:
            self._unwanted_bytes += len(chunk)
            if self._unwanted_bytes > UNWANTED_BYTES:
                raise _Unwanted
        return len(chunk)


def _status(line: bytes) -> int:
    """The status in the first line of a head, which may have no reason behind it; 0 without."""
    match = _STATUS_LINE.match(line)
    return int(match[1]) if match else 0
