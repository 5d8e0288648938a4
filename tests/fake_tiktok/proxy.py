"""The fake as an HTTPS proxy: CONNECT, TLS with a throwaway authority, HTTP/1.1 behind it.

A real client reaches it through the same proxy and authority settings that users have. The same
port answers plain HTTP to steer it from another process:

    GET  /requests            what was asked so far        GET /strays   hosts that are not TikTok's
    GET  /media?agent=curl    every file to fetch, with addresses and headers that work in curl
    GET  /faults              faults and their hits        GET /health   {"ok": true}
    POST /fault               {"match": …, "kind": …, "times": …, further options}
    POST /account /video /photo /carousel /expired /short_link   keyword arguments of the method
    POST /pace                {"latency_s": …, "bytes_per_s": …}
    POST /welcome             {"token": …, "cookie": [name, value], "to": …}, for GET /welcome/TOKEN
    POST /advance             {"seconds": …}               POST /reset   faults and log emptied
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import h11

from tests.fake_tiktok.accounts import FakeStory
from tests.fake_tiktok.authority import Authority
from tests.fake_tiktok.exchange import Response
from tests.fake_tiktok.site import FakeTikTok
from tests.fake_tiktok.welcome import Door, Welcome

CHUNK = 256 * 1024
MAX_HEAD = 64 * 1024


@dataclass
class Pace:
    """How slow the line is. latency_s: before each answer. bytes_per_s: of each connection."""

    latency_s: float = 0.0
    bytes_per_s: float | None = None


@dataclass
class FakeProxy:
    """A listening proxy. url: for the client's proxy setting. ca_path: its authority, PEM. host: an
    address of this machine; another than loopback for clients in containers."""

    tiktok: FakeTikTok
    folder: Path
    pace: Pace = field(default_factory=Pace)
    port: int = 0
    host: str = "127.0.0.1"
    peak_connections: int = 0
    errors: list[Exception] = field(default_factory=list)
    door: Door = field(default_factory=Door)
    _ca: Authority = field(default_factory=Authority)
    _contexts: dict[str, ssl.SSLContext] = field(default_factory=dict)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def ca_path(self) -> str:
        return str(self.folder / "fake-ca.pem")

    @property
    def strays(self) -> list[str]:
        """Hosts other than TikTok's that somebody tried to reach."""
        return list(self.tiktok.strays)

    async def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._ca.write_to(self.ca_path)
        self._server = await asyncio.start_server(
            self._connected, self.host, self.port, limit=MAX_HEAD, backlog=512
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- connections ------------------------------------------------------------------------

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.peak_connections = max(self.peak_connections, len(self._tasks))
        try:
            await _Connection(self, reader, writer).run()
        except (OSError, ssl.SSLError, h11.ProtocolError, asyncio.IncompleteReadError):
            pass  # the client left, or spoke nonsense; either way there is nobody to tell
        except asyncio.CancelledError:
            pass  # the proxy stops; asyncio would report a cancelled connection as an error
        except Exception as error:  # noqa: BLE001 - a mistake here has to reach who runs the proxy
            self.errors.append(error)
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    def context(self, host: str) -> ssl.SSLContext:
        """TLS for one host, with a certificate of its own."""
        if host not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.set_alpn_protocols(["http/1.1"])
            self._ca.configure(context, host)
            self._contexts[host] = context
        return self._contexts[host]


class _Connection:
    """One client: perhaps some steering over plain HTTP, perhaps a tunnel to one host."""

    def __init__(
        self, proxy: FakeProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.proxy, self.reader, self.writer = proxy, reader, writer
        self.wire = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self.host = ""
        self.free_at = 0.0
        writer.transport.set_write_buffer_limits(high=2 * CHUNK)

    async def run(self) -> None:
        while True:
            received = await self._request()
            if received is None:
                return
            request, body = received
            if request.method == b"CONNECT":
                if not await self._tunnel(request.target.decode("ascii")):
                    return
            elif self.host:
                if not await self._serve(request):
                    return
            else:
                await self._control(request, body)
            if self.wire.our_state is h11.MUST_CLOSE or self.wire.their_state is h11.MUST_CLOSE:
                return
            if request.method != b"CONNECT":
                self.wire.start_next_cycle()

    async def _request(self) -> tuple[h11.Request, bytes] | None:
        request: h11.Request | None = None
        body = bytearray()
        while True:
            event = self.wire.next_event()
            if event is h11.NEED_DATA:
                data = await self.reader.read(MAX_HEAD)
                if not data and request is None and not self.wire.trailing_data[0]:
                    return None
                self.wire.receive_data(data)
            elif isinstance(event, h11.Request):
                request = event
                if request.method == b"CONNECT":
                    return request, b""
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                return request, bytes(body)
            else:
                return None

    async def _tunnel(self, target: str) -> bool:
        host, _, port = target.rpartition(":")
        host = host.lower()
        # Read the end of the request, so that h11 allows the switch.
        while not isinstance(self.wire.next_event(), type(h11.PAUSED)):
            pass
        if not self.proxy.tiktok.knows(host) or port != "443":
            self.proxy.tiktok.stray(target if port != "443" else host)
            await self._send(Response(403, [("Content-Type", "text/plain")]), "CONNECT")
            return False
        head = self.wire.send(h11.Response(status_code=200, headers=[], reason=b"Connected"))
        self.writer.write(head or b"")
        await self.writer.start_tls(self.proxy.context(host))
        # A client that speaks before the answer would lose its words here; none does.
        self.writer.transport.set_write_buffer_limits(high=2 * CHUNK)
        self.wire = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self.host = host
        return True

    # --- TikTok behind the tunnel -------------------------------------------------------------

    async def _serve(self, request: h11.Request) -> bool:
        pace = self.proxy.pace
        if pace.latency_s:
            await asyncio.sleep(pace.latency_s)
        method = request.method.decode("ascii")
        headers: dict[str, str] = {}
        for raw_name, raw_value in request.headers:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            joint = "; " if name == "cookie" else ", "
            headers[name] = f"{headers[name]}{joint}{value}" if name in headers else value
        host = headers.get("host", self.host).lower()
        if host.partition(":")[0] != self.host:
            self.proxy.tiktok.stray(host)
            await self._send(Response(421), method)
            return False
        path = request.target.decode("latin-1")
        response = self.proxy.tiktok.handle(method, self.host, path, headers)
        if response.silent:
            return False
        return await self._send(response, method)

    async def _send(self, response: Response, method: str) -> bool:
        """Send an answer, with its faults; False when the connection is to be closed."""
        date = format_datetime(datetime.fromtimestamp(self.proxy.tiktok.now(), UTC), usegmt=True)
        headers = [*response.headers, ("Date", date)]
        if not response.chunked:  # h11 announces the chunks
            headers.append(("Content-Length", str(response.length)))
        event = h11.Response(
            status_code=response.status,
            reason=HTTPStatus(response.status).phrase.encode("ascii"),
            headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        )
        self.writer.write(self.wire.send(event) or b"")
        if method != "HEAD":
            stops = [n for n in (response.cut_after, response.hang_after) if n is not None]
            end = min([response.length, *stops])
            await self._send_parts(response, end)
            if end < response.length:
                await self.writer.drain()
                if response.hang_after == end:
                    await self._until_gone()
                await self._flushed()
                return False
        self.wire.send(h11.EndOfMessage())
        await self.writer.drain()
        return True

    async def _send_parts(self, response: Response, end: int) -> None:
        rate = self.proxy.pace.bytes_per_s
        if response.bytes_per_s:
            rate = min(rate or response.bytes_per_s, response.bytes_per_s)
        # About sixteen pieces a second at most, so that pacing costs little and stays even.
        piece = CHUNK if not rate else max(4096, min(CHUNK, int(rate / 16)))
        self.free_at = max(self.free_at, time.monotonic())
        sent = 0
        for part in response.parts:
            for at in range(0, len(part), piece):
                chunk = part[at : at + piece][: end - sent]
                if not chunk:
                    return
                if rate:
                    await self._wait_for(len(chunk) / rate)
                sent += len(chunk)
                # h11 counts the bytes, the transport gets them as they are.
                data = h11.Data(data=chunk)  # type: ignore[arg-type]  # passed through untouched
                for raw in self.wire.send_with_data_passthrough(data) or ():
                    self.writer.write(raw)
                await self.writer.drain()

    async def _wait_for(self, seconds: float) -> None:
        """Wait until this much of the connection's time is used up, keeping to the schedule."""
        now = time.monotonic()
        self.free_at = max(self.free_at, now - 0.05) + seconds
        if self.free_at > now:
            await asyncio.sleep(self.free_at - now)

    async def _flushed(self) -> None:
        """Give what was written a chance to leave before the connection is cut."""
        with contextlib.suppress(OSError, ssl.SSLError):
            self.writer.close()
            async with asyncio.timeout(2):
                await self.writer.wait_closed()

    async def _until_gone(self) -> None:
        while await self.reader.read(MAX_HEAD):
            pass

    # --- steering -----------------------------------------------------------------------------

    async def _control(self, request: h11.Request, body: bytes) -> None:
        address = urlsplit(request.target.decode("latin-1"))
        if address.hostname not in {None, "control.fake", "127.0.0.1"}:
            self.proxy.tiktok.stray(str(address.hostname))  # plain HTTP through the proxy
            await self._send(Response(403), "GET")
            return
        if request.method == b"GET" and address.path.startswith("/welcome/"):
            await self._send(await self.proxy.door.answer(address.path), "GET")
            return
        status = 200
        try:
            answer = _steer(
                self.proxy,
                request.method.decode("ascii"),
                address.path,
                dict(parse_qsl(address.query)),
                json.loads(body) if body else {},
            )
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            status, answer = 400, {"error": repr(error)}
        data = json.dumps(answer).encode()
        headers = [("Content-Type", "application/json")]
        await self._send(Response(status, headers, [memoryview(data)]), "GET")


def _steer(
    proxy: FakeProxy, method: str, path: str, query: dict[str, str], body: dict[str, Any]
) -> Any:
    tiktok = proxy.tiktok
    if method == "GET":
        answers: dict[str, Callable[[], Any]] = {
            "/health": lambda: {"ok": True},
            "/requests": lambda: [seen.as_json() for seen in tiktok.seen()],
            "/strays": lambda: tiktok.strays,
            "/media": lambda: tiktok.media_list(query.get("agent", "curl")),
            "/faults": tiktok.faults.as_json,
            "/connections": lambda: {"peak": proxy.peak_connections},
        }
        return answers[path]()
    if path == "/fault":
        options = dict(body)
        tiktok.fault(options.pop("match"), options.pop("kind"), **options)
    elif path == "/pace":
        proxy.pace = Pace(**body)
    elif path == "/welcome":
        proxy.door.expect(Welcome(**body | {"cookie": tuple(body["cookie"])}))
    elif path == "/advance":
        tiktok.advance(body["seconds"])
    elif path == "/reset":
        tiktok.faults.clear()
        tiktok.forget_requests()
    elif path == "/account":
        return {"id": tiktok.account(**body).id}
    elif path == "/short_link":
        to = tiktok.stories.get(body["to"]) or tiktok.accounts.get(body["to"]) or body["to"]
        return {"url": tiktok.short_link(body.pop("code"), **{**body, "to": to})}
    elif path in {"/video", "/photo", "/carousel", "/expired"}:
        account = tiktok.accounts[body.pop("account")]
        story: FakeStory = getattr(account, path[1:])(**body)
        return {"id": story.id, "url": story.url, "shared_url": story.shared_url}
    else:
        raise KeyError(path)
    return {"ok": True}


@contextlib.contextmanager
def running_proxy(
    tiktok: FakeTikTok,
    folder: Path | str | None = None,
    *,
    latency_s: float = 0.0,
    bytes_per_s: float | None = None,
) -> Iterator[FakeProxy]:
    """The proxy in a thread of its own, for as long as the block lasts.

    folder: where its authority is written; a temporary one by default.
    """
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="fake-tiktok-"))
        proxy = FakeProxy(tiktok, Path(folder), Pace(latency_s, bytes_per_s))
        ready, done = threading.Event(), asyncio.Event()
        loop = asyncio.new_event_loop()
        failed: list[BaseException] = []

        async def live() -> None:
            try:
                await proxy.start()
            except BaseException as error:
                failed.append(error)
                raise
            finally:
                ready.set()
            await done.wait()
            await proxy.stop()
            await asyncio.sleep(0)

        def run() -> None:
            with contextlib.suppress(OSError):
                loop.run_until_complete(live())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

        thread = threading.Thread(target=run, name="fake-tiktok", daemon=True)
        thread.start()
        ready.wait()
        if failed:
            raise failed[0]
        try:
            yield proxy
        finally:
            loop.call_soon_threadsafe(done.set)
            thread.join(timeout=10)
        if proxy.errors:
            raise proxy.errors[0]
