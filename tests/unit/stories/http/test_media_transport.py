"""The transport of media over curl: what it sends, hands on, refuses and ends."""

import asyncio
import gzip
import tracemalloc
from pathlib import Path

import httpx
import pytest
from curl_cffi import Curl

from stories.http import media_transport
from stories.http.media_transport import UNWANTED_BYTES
from tests.unit.stories.http.loopback import Asked, loopback, reply
from tests.unit.stories.http.media_exchange import (
    NAME,
    Received,
    allow_only,
    asking,
    resolving_to,
    straight,
    through,
)
from tests.unit.stories.http.proxied_session import say_ok

pytestmark = pytest.mark.anyio


async def endless(gone: asyncio.Event, asked: Asked, writer: asyncio.StreamWriter) -> None:
    """A gigabyte, as fast as it is taken; sets `gone` when the connection is."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    try:
        while True:
            writer.write(bytes(64 * 1024))
            await writer.drain()
    except OSError:
        gone.set()
        raise


# --- what is sent and handed on ---------------------------------------------------------------


@pytest.mark.parametrize("tls_target", [None, "chrome150"])
async def test_exactly_our_headers_are_sent(tmp_path: Path, tls_target: str | None) -> None:
    async with loopback(tmp_path, say_ok) as server, through(server) as transport:
        headers = {
            "User-Agent": "me",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Range": "bytes=0-1",
        }
        request = asking(headers=headers)
        request.extensions["tls_target"] = tls_target
        await transport.receive(request, Received())
        assert server.asked[0].line == "GET /video/x HTTP/1.1"
        assert server.asked[0].lines == [
            "Host: v16-webapp-prime.tiktok.com",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]


async def test_the_head_is_judged_before_the_first_byte(tmp_path: Path) -> None:
    events: list[str] = []

    def on_head(response: httpx.Response) -> media_transport.WriteBody:
        events.append(f"{response.status_code} {response.headers['etag']}")
        return lambda chunk: events.append(chunk.decode())

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        writer.write(reply(b"body", "206 Partial Content", 'ETag: "one"'))

    async with loopback(tmp_path, answer) as server, through(server) as transport:
        await transport.receive(asking(), on_head)
    assert events == ['206 "one"', "body"]


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: late\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc and more than was announced",
        b"HTTP/1.0 200 OK\r\n\r\nabc",
    ],
    ids=["chunked", "too much", "to the end of the connection"],
)
async def test_a_body_in_every_form(tmp_path: Path, sent: bytes) -> None:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        await writer.drain()
        writer.close()

    received = Received()
    async with loopback(tmp_path, answer) as server, through(server) as transport:
        await transport.receive(asking(), received)
    assert (received.status, bytes(received.body)) == (200, b"abc")


@pytest.mark.parametrize("line", ["HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.1 200 OK and more"])
async def test_a_status_may_have_no_reason_behind_it(tmp_path: Path, line: str) -> None:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{line}\r\nContent-Length: 3\r\n\r\nabc".encode())

    received = Received()
    async with loopback(tmp_path, answer) as server, through(server) as transport:
        await transport.receive(asking(), received)
    assert (received.status, bytes(received.body)) == (200, b"abc")


async def test_an_empty_body_is_an_answer_too(tmp_path: Path) -> None:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(b"", "404 Not Found"))

    received = Received()
    async with loopback(tmp_path, answer) as server, through(server) as transport:
        await transport.receive(asking(), received)
    assert (received.status, bytes(received.body)) == (404, b"")


async def test_a_coding_is_never_undone(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(50_000_000))

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(bomb, "200 OK", "Content-Encoding: gzip"))

    received = Received()
    async with loopback(tmp_path, answer) as server, through(server) as transport:
        request = asking()
        request.extensions["tls_target"] = "chrome150"  # which decodes what it is sent
        await transport.receive(request, received)
    assert bytes(received.body) == bomb


async def test_what_arrives_piles_up_nowhere(tmp_path: Path) -> None:
    size, received = 64 * 1024 * 1024, 0

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        for _ in range(size // 65_536):
            writer.write(bytes(65_536))
            await writer.drain()

    def write(chunk: bytes) -> None:
        nonlocal received
        received += len(chunk)

    async with loopback(tmp_path, answer) as server, through(server) as transport:
        await transport.receive(asking(), Received())
        received = 0
        tracemalloc.start()
        try:
            await transport.receive(asking(), lambda _: write)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert received == size
    assert peak < 4 * 1024 * 1024


# --- ending early -----------------------------------------------------------------------------


class _Enough(Exception):
    pass


@pytest.mark.parametrize("where", ["head", "body"])
async def test_a_receiver_that_raises_ends_the_transfer_at_once(tmp_path: Path, where: str) -> None:
    gone, chunks = asyncio.Event(), 0

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await endless(gone, asked, writer)

    def on_head(_: httpx.Response) -> media_transport.WriteBody:
        if where == "head":
            raise _Enough
        return write

    def write(_: bytes) -> None:
        nonlocal chunks
        chunks += 1
        raise _Enough

    async with loopback(tmp_path, answer) as server, through(server) as transport:
        with pytest.raises(_Enough):
            await transport.receive(asking(), on_head)
        async with asyncio.timeout(5):
            await gone.wait()
    assert chunks == (where == "body")


async def test_a_receivers_own_error_stays_what_it_is(tmp_path: Path) -> None:
    def write(_: bytes) -> None:
        raise OSError(28, "No space left on device")

    async with loopback(tmp_path, say_ok) as server, through(server) as transport:
        with pytest.raises(OSError, match="No space left"):
            await transport.receive(asking(), lambda _: write)


async def test_cancelling_closes_the_connection_at_once(tmp_path: Path) -> None:
    gone, there = asyncio.Event(), asyncio.Event()

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nx")
        await writer.drain()
        there.set()
        try:
            while True:  # slowly: nothing of curl's happens when it is cancelled
                await asyncio.sleep(0.02)
                writer.write(b"x")
                await writer.drain()
        except OSError:
            gone.set()
            raise

    async with loopback(tmp_path, answer) as server, through(server) as transport:
        task = asyncio.create_task(transport.receive(asking(), Received()))
        await there.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            await gone.wait()


async def test_closing_fails_what_still_runs(tmp_path: Path) -> None:
    there = asyncio.Event()

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        there.set()
        await asyncio.sleep(30)

    async with loopback(tmp_path, answer) as server, through(server) as transport:
        task = asyncio.create_task(transport.receive(asking(), Received()))
        await there.wait()
        await transport.aclose()
        with pytest.raises(httpx.TransportError):
            await task


# --- redirects and other bodies nobody wants ---------------------------------------------------


@pytest.mark.parametrize(
    ("body", "connections"),
    [(b"", 1), (b"moved", 1), (bytes(UNWANTED_BYTES + 1), 2)],
    ids=["none", "short", "long"],
)
async def test_a_body_nobody_wants_costs_little(
    tmp_path: Path, body: bytes, connections: int
) -> None:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(body, "302 Found", "Location: https://evil.example/"))

    async with loopback(tmp_path, answer) as server, through(server) as transport:
        for _ in range(2):
            await transport.receive(asking(), lambda _: None)
        assert len(server.asked) == 2, "curl itself follows no redirect"
        assert len({asked.connection for asked in server.asked}) == connections


async def test_a_body_nobody_wants_may_break_off_or_be_endless(tmp_path: Path) -> None:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if len(server.asked) == 1:
            writer.write(b"HTTP/1.1 302 Found\r\nContent-Length: 100\r\n\r\nshort")
            await writer.drain()
            writer.close()
        else:
            writer.write(b"HTTP/1.1 302 Found\r\n\r\n")
            while not writer.is_closing():
                writer.write(bytes(1000))
                await writer.drain()

    async with loopback(tmp_path, answer) as server, through(server) as transport:
        for _ in range(2):
            await transport.receive(asking(), lambda _: None)


# --- connections ------------------------------------------------------------------------------


async def test_connections_are_used_again_and_closed_when_idle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with loopback(tmp_path, say_ok) as server, through(server) as transport:
        assert not transport.is_open(), "made when they are needed"
        for _ in range(3):
            await transport.receive(asking(), Received())
        assert len(server.connects) == 1
        monkeypatch.setattr(media_transport, "KEEPALIVE_S", 0)
        await transport.receive(asking(), Received())
        async with asyncio.timeout(5):
            while transport.is_open():  # noqa: ASYNC110 - the loop's next turns close it
                await asyncio.sleep(0)
        await transport.receive(asking(), Received())
        assert len(server.connects) == 2


async def test_a_connection_the_server_closed_meanwhile_is_not_used(tmp_path: Path) -> None:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(b"ok"))  # says nothing of closing, and closes
        await writer.drain()
        writer.close()

    async with loopback(tmp_path, answer) as server, through(server) as transport:
        for _ in range(3):
            received = Received()
            await transport.receive(asking(), received)
            assert bytes(received.body) == b"ok"
        assert len(server.connects) == 3


async def test_the_environments_proxies_are_not_obeyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "no such file"))
    allow_only(monkeypatch, "127.0.0.1")
    async with (
        loopback(tmp_path, say_ok, direct=True, names=(NAME,)) as server,
        straight(server, resolving_to("127.0.0.1")) as transport,
    ):
        received = Received()
        await transport.receive(asking(f"https://{NAME}:{server.port}/"), received)
        assert bytes(received.body) == b"ok"


# --- the handshake ----------------------------------------------------------------------------


async def test_the_handshake_is_the_browsers_and_the_protocol_stays_http_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    impersonate = Curl.impersonate

    def noting(curl: Curl, target: str, default_headers: bool = True) -> int:
        copied.append(target)
        assert not default_headers
        return impersonate(curl, target, default_headers)

    monkeypatch.setattr(Curl, "impersonate", noting)
    async with loopback(tmp_path, say_ok) as server, through(server) as transport:
        for target in (None, "chrome150", "chrome150"):
            request = asking()
            request.extensions["tls_target"] = target
            await transport.receive(request, Received())
        assert copied == ["chrome150"] * 2
        assert [asked.line.split(" ")[-1] for asked in server.asked] == ["HTTP/1.1"] * 3
        assert len(server.connects) == 2, "a connection of another handshake is not used"
