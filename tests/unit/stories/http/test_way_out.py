"""The guard's way out leads to checked addresses, or through the proxy that is configured."""

import asyncio
import ssl
from base64 import b64decode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from stories.config import ClientConfig
from stories.http import resolver
from stories.http.resolver import NoPublicAddress
from stories.http.way_out import Connection, WayOut
from tests.unit.stories.http.guarded import (
    HOST,
    echo,
    resolve_here,
    resolve_nowhere,
    running_site,
    until,
)

pytestmark = pytest.mark.anyio


async def test_no_address_inside_is_connected_to() -> None:
    async with running_site() as site:
        with pytest.raises(NoPublicAddress):
            await WayOut(ClientConfig(), resolve_here).connect(HOST, site.port)
        assert site.connections == 0


async def test_an_address_nobody_listens_at_does_not_hold_up_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resolver, "is_public", lambda _: True)

    async def resolve(host: str, port: int) -> Sequence[str]:
        return ("127.0.0.2", "127.0.0.1")

    async with running_site() as site:
        connection = await WayOut(ClientConfig(), resolve).connect(HOST, site.port)
        assert connection.writer.get_extra_info("peername")[0] == "127.0.0.1"
        connection.abort()


class Proxy:
    """A proxy that answers what it is told to. heads: of the requests it got."""

    def __init__(self, answer: bytes) -> None:
        self.answer, self.port = answer, 0
        self.heads: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(self.answer)
        if b" 200 " in self.answer:
            await echo(reader, writer)


@asynccontextmanager
async def proxy(answer: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    made = Proxy(answer)
    async with running_site(made.serve, tls=tls) as site:
        made.port = site.port
        yield made


GOOD = b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n"


async def through(config: ClientConfig) -> bytes:
    connection = await WayOut(config, resolve_nowhere).connect(HOST, 443)
    try:
        connection.writer.write(b"hello")
        return await connection.reader.readexactly(5)
    finally:
        await connection.close(1)


async def test_with_a_proxy_it_is_the_proxy_that_resolves() -> None:
    async with proxy(GOOD) as made:
        assert await through(ClientConfig(proxy=f"http://127.0.0.1:{made.port}")) == b"hello"
    assert made.heads == [f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n"]


async def test_the_proxys_password_is_used() -> None:
    async with proxy(GOOD) as made:
        await through(ClientConfig(proxy=f"http://me:s%20c%0d%0ar%C3%A9t%40@127.0.0.1:{made.port}"))
    (head,) = made.heads
    _, _, given = head.partition("Proxy-Authorization: Basic ")
    assert given.endswith("\r\n\r\n")
    assert b64decode(given).decode() == "me:s c\r\nrét@"


async def test_a_proxy_that_speaks_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with proxy(GOOD, context) as made:
        url = f"https://127.0.0.1:{made.port}"
        assert await through(ClientConfig(proxy=url, ca_bundle=str(bundle))) == b"hello"
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            await through(ClientConfig(proxy=url))
    assert len(made.heads) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\n\r\n",
        b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"SSH-2.0-x\r\n",
        b"",
        b"x" * 100_000,
    ],
)
async def test_a_proxy_that_refuses(answer: bytes) -> None:
    async with proxy(answer) as made:
        with pytest.raises(OSError, match="the proxy"):
            await through(ClientConfig(proxy=f"http://127.0.0.1:{made.port}"))
    assert len(made.heads) == 1


async def test_a_proxy_that_says_nothing_is_given_up() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with running_site(silent) as site:
        config = ClientConfig(proxy=f"http://127.0.0.1:{site.port}", connect_timeout_s=0.1)
        with pytest.raises(TimeoutError):
            await through(config)


async def test_a_proxy_that_is_not_there() -> None:
    for proxy_url in ("http://127.0.0.1:1", "http://" + "a" * 70 + ".example:1"):
        with pytest.raises(OSError, match=r"."):
            await through(ClientConfig(proxy=proxy_url))


async def test_a_connection_closes_once_everything_is_sent() -> None:
    size = 16_000_000

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        while await reader.read(1_000_000):
            pass

    async with running_site(slow) as site:
        connection = Connection(*await asyncio.open_connection("127.0.0.1", site.port))
        connection.writer.write(b"x" * size)
        assert connection.writer.transport.get_write_buffer_size() > 0
        await connection.close(10)
        await until(lambda: len(site.received) == size)


async def test_a_connection_that_nobody_reads_is_closed_all_the_same() -> None:
    ended = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()

    async with running_site(deaf) as site:
        connection = Connection(*await asyncio.open_connection("127.0.0.1", site.port))
        connection.writer.write(b"x" * 64_000_000)
        async with asyncio.timeout(3):
            await connection.close(0.1)
        await until(lambda: connection.writer.transport.get_write_buffer_size() == 0)
        ended.set()
