"""A published document: one plain GET, bounded in every way."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest

from stories.config import ClientConfig
from stories.http.document import DocumentUnavailable, get_document
from tests.unit.stories.http.loopback import Answer, Asked, Loopback, loopback, reply

pytestmark = pytest.mark.anyio

URL = "https://packs.example.org/storykeep/pack.json?channel=stable"


def saying(content: bytes, *, wait_s: float = 0.0) -> Answer:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(wait_s)
        writer.write(content)

    return answer


async def get(server: Loopback, url: str = URL, **options: float) -> bytes:
    config = ClientConfig(proxy=server.proxy, ca_bundle=server.ca_path)
    return await get_document(url, config, max_bytes=1000, **options)  # type: ignore[arg-type]


async def failing(server: Loopback, url: str = URL, **options: float) -> str:
    with pytest.raises(DocumentUnavailable) as caught:
        await get(server, url, **options)
    return str(caught.value)


async def test_it_is_fetched_over_the_proxy_by_a_request_that_tells_nothing(tmp_path: Path) -> None:
    async with loopback(tmp_path, saying(reply(b"{}"))) as server:
        assert await get(server) == b"{}"
        assert server.connects == ["packs.example.org:443"]
        (asked,) = server.asked
    assert asked.line == "GET /storykeep/pack.json?channel=stable HTTP/1.1"
    assert asked.headers == {
        "host": "packs.example.org",
        "user-agent": "Storykeep",
        "accept": "application/json",
        "accept-encoding": "gzip",
    }


async def test_cookies_are_neither_kept_nor_sent(tmp_path: Path) -> None:
    async with loopback(tmp_path, saying(reply(b"{}", "200 OK", "Set-Cookie: id=7"))) as server:
        await get(server)
        await get(server)
        assert all("cookie" not in asked.headers for asked in server.asked)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "204 None", "403 No", "500 Oh"])
async def test_another_status_is_no_document_and_no_redirect_is_followed(
    tmp_path: Path, status: str
) -> None:
    answer = reply(b"", status, "Location: https://elsewhere.example/")
    async with loopback(tmp_path, saying(answer)) as server:
        assert await failing(server) == f"status {status[:3]}"
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        reply(b"x" * 1001),
        reply(gzip.compress(b"x" * 1001), "200 OK", "Content-Encoding: gzip"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"200\r\n" + b"x" * 512 + b"\r\n"
        b"200\r\n" + b"x" * 512 + b"\r\n0\r\n\r\n",
    ],
    ids=["announced", "compressed", "chunked"],
)
async def test_what_is_too_large_is_not_read_to_its_end(tmp_path: Path, answer: bytes) -> None:
    async with loopback(tmp_path, saying(answer)) as server:
        assert await failing(server) == "it is larger than 0 KiB"


async def test_compressed_it_is_read(tmp_path: Path) -> None:
    answer = reply(gzip.compress(b"x" * 1000), "200 OK", "Content-Encoding: gzip")
    async with loopback(tmp_path, saying(answer)) as server:
        assert await get(server) == b"x" * 1000


async def test_a_server_that_hangs_is_given_up(tmp_path: Path) -> None:
    async with loopback(tmp_path, saying(reply(b"{}"), wait_s=30)) as server:
        assert await failing(server, timeout_s=0.3) == "it did not come in time"


async def test_so_is_one_that_trickles(tmp_path: Path) -> None:
    async def trickle(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
        for _ in range(500):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.1)

    async with loopback(tmp_path, trickle) as server:
        assert await failing(server, timeout_s=0.5) == "it did not come in time"


async def test_a_broken_answer_is_no_document(tmp_path: Path) -> None:
    async with loopback(tmp_path, saying(b"not http at all\r\n\r\n")) as server:
        assert "no answer (RemoteProtocolError)" in await failing(server)


@pytest.mark.parametrize(
    "url", ["http://packs.example.org/", "file:///etc/passwd", "https://[::1", "", "ftp://x/"]
)
async def test_only_https_is_asked(tmp_path: Path, url: str) -> None:
    async with loopback(tmp_path, saying(reply(b"{}"))) as server:
        assert "address" in await failing(server, url)
        assert server.connects == []


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1"])
async def test_without_a_proxy_only_public_addresses_are_connected_to(
    tmp_path: Path, address: str
) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return (address,)

    with pytest.raises(DocumentUnavailable, match="no public address"):
        await get_document(URL, ClientConfig(), max_bytes=10, resolve=resolve)


async def test_an_authority_nobody_knows_is_not_believed(tmp_path: Path) -> None:
    async with loopback(tmp_path, saying(reply(b"{}"))) as server:
        with pytest.raises(DocumentUnavailable, match="no answer"):
            await get_document(URL, ClientConfig(proxy=server.proxy), max_bytes=10)
        assert server.asked == []
