"""The transport of media over curl where the network fails, lies or leads elsewhere."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from tests.unit.stories.http.loopback import Asked, Loopback, loopback
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


# --- failures of the network ------------------------------------------------------------------


async def _send(kind: str, writer: asyncio.StreamWriter) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"
    sent = {
        "no answer": b"",
        "garbage": b"not http at all\r\n\r\n",
        "half a head": b"HTTP/1.1 200 OK\r\nContent-",
        "short": head,
        "short chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort",
        "bad chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nshort",
        "reset": head,
        "silence": b"",
        "stall in the head": b"HTTP/1.1 200 OK\r\n",
        "stall": head,
    }[kind]
    writer.write(sent)
    await writer.drain()
    if kind == "reset":
        writer.transport.abort()
    elif kind == "silence" or kind.startswith("stall"):
        await asyncio.sleep(30)
    else:
        writer.close()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("no answer", httpx.RemoteProtocolError),
        ("garbage", httpx.TransportError),
        ("half a head", httpx.RemoteProtocolError),
        ("short", httpx.RemoteProtocolError),
        ("short chunked", httpx.RemoteProtocolError),
        ("bad chunks", httpx.ReadError),
        ("reset", httpx.TransportError),
        ("silence", httpx.ReadTimeout),
        ("stall in the head", httpx.ReadTimeout),
        ("stall", httpx.ReadTimeout),
    ],
)
async def test_faults_are_httpxs_errors(
    tmp_path: Path, kind: str, expected: type[Exception]
) -> None:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await _send(kind, writer)

    received = Received()
    async with loopback(tmp_path, answer) as server, through(server) as transport:
        patience_s = 0.3 if "sil" in kind or "stall" in kind else 10
        with pytest.raises(httpx.TransportError) as caught:
            await transport.receive(asking(patience_s=patience_s), received)
        assert isinstance(caught.value, expected)
        assert "video" not in str(caught.value), "no address in an error"
    assert bytes(received.body) in {b"", b"short"}


async def test_a_byte_now_and_then_is_no_stall(tmp_path: Path) -> None:
    """What is too slow on average is judged by who receives it."""

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            await asyncio.sleep(0.25)
            writer.write(b"x")
            await writer.drain()

    received = Received()
    async with loopback(tmp_path, answer) as server, through(server) as transport:
        await transport.receive(asking(patience_s=1), received)
    assert len(received.body) == 10


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b"", b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 10000\r\n\r\n", b"x"),
    ],
    ids=["early hints", "a head", "trailers", "a body nobody wants"],
)
async def test_what_is_no_part_of_a_file_keeps_no_transfer_alive(
    tmp_path: Path, first: bytes, again: bytes
) -> None:
    gone = asyncio.Event()

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        try:
            while True:
                await asyncio.sleep(0.05)
                writer.write(again)
                await writer.drain()
        except OSError:
            gone.set()
            raise

    received = Received()
    unwanted = b"302" in first
    async with loopback(tmp_path, answer) as server, through(server) as transport:
        async with asyncio.timeout(8):
            request = asking(patience_s=0.3)
            if unwanted:
                await transport.receive(request, lambda _: None)
            else:
                with pytest.raises(httpx.ReadTimeout):
                    await transport.receive(request, received)
            await gone.wait()


async def test_a_connection_that_is_never_made_is_given_up(tmp_path: Path) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # says nothing to CONNECT
        writer.close()

    listener = await asyncio.start_server(mute, "127.0.0.1", 0)
    server = Loopback(port=listener.sockets[0].getsockname()[1])
    async with through(server, trusting=False) as transport:
        with pytest.raises(httpx.ConnectTimeout):
            await transport.receive(asking(patience_s=0.3), Received())
    listener.close()


@pytest.mark.parametrize("trusting", [True, False], ids=["another name", "a stranger"])
async def test_a_certificate_that_proves_nothing(tmp_path: Path, trusting: bool) -> None:
    names = ("other.example",) if trusting else ()
    async with loopback(tmp_path, say_ok, names=names) as server:
        async with through(server, trusting=trusting) as transport:
            with pytest.raises(httpx.ConnectError):
                await transport.receive(asking(), Received())
        assert server.asked == []


# --- addresses --------------------------------------------------------------------------------


@pytest.mark.parametrize("addresses", [("127.0.0.1", "::1", "10.0.0.1"), ()])
async def test_a_name_without_a_public_address_is_not_asked(
    tmp_path: Path, addresses: tuple[str, ...]
) -> None:
    async with (
        loopback(tmp_path, say_ok, direct=True, names=(NAME,)) as server,
        straight(server, resolving_to(*addresses)) as transport,
    ):
        with pytest.raises(httpx.ConnectError, match="no public address"):
            await transport.receive(asking(f"https://{NAME}:{server.port}/"), Received())
        assert server.asked == []


async def test_only_checked_addresses_are_connected_to_and_the_next_one_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The name exists nowhere: only a pinned address can work. Nobody listens at the first.
    allow_only(monkeypatch, "127.0.0.2", "127.0.0.1")
    async with (
        loopback(tmp_path, say_ok, direct=True, names=(NAME,)) as server,
        straight(server, resolving_to("10.0.0.1", "127.0.0.2", "127.0.0.1")) as transport,
    ):
        received = Received()
        request = asking(f"https://{NAME}:{server.port}/")
        await transport.receive(request, received)
        assert bytes(received.body) == b"ok"


async def test_a_name_that_moves_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow_only(monkeypatch, "127.0.0.2", "127.0.0.1")
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ("127.0.0.2" if len(asked) == 1 else "127.0.0.1",)

    async with (
        loopback(tmp_path, say_ok, direct=True, names=(NAME,)) as server,
        straight(server, resolve) as transport,
    ):
        url = f"https://{NAME}:{server.port}/"
        with pytest.raises(httpx.ConnectError):  # nobody listens there
            await transport.receive(asking(url), Received())
        for _ in range(3):
            await transport.receive(asking(url), Received())
        assert len(asked) == 2, "asked anew after the failure, and kept since"


async def test_a_resolver_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    async def silent(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(30)
        return ()

    async with straight(Loopback(ca_path=""), silent) as transport:
        with pytest.raises(httpx.ConnectTimeout, match="resolved"):
            await transport.receive(asking(patience_s=0.3), Received())
