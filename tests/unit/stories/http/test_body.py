"""Bodies of bounded size, compressed or not."""

import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from stories.errors import UpstreamChanged, UpstreamDown
from tests.unit.stories.http.mock_session import PROFILE, session_on

pytestmark = pytest.mark.anyio


async def test_a_page_over_the_limit_is_not_read() -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 1000

    session = session_on(lambda _: httpx.Response(200, content=endless()), max_page_bytes=10_000)
    with pytest.raises(UpstreamChanged, match="larger"):
        await session.get_page(PROFILE)
    assert sent <= 12


async def test_a_gzip_bomb_is_not_expanded() -> None:
    bomb = gzip.compress(b"0" * 30_000_000)

    async def trickle() -> Any:
        for start in range(0, len(bomb), 256):
            yield bomb[start : start + 256]

    session = session_on(
        lambda _: httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=trickle()),
        max_page_bytes=1_000_000,
        page_transport="httpx",
    )
    with pytest.raises(UpstreamChanged, match="larger"):
        await session.get_page(PROFILE)


def compressed(data: bytes, window: int) -> bytes:
    """window: as in zlib; 31 is gzip, 15 is deflate as meant, -15 as many servers send it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    return packer.compress(data) + packer.flush()


async def sent(data: bytes, piece: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), piece):
        yield data[start : start + piece]


@pytest.mark.parametrize(
    ("coding", "window"),
    [("gzip", 31), ("x-gzip", 31), ("GZip", 31), ("deflate", 15), ("deflate", -15)],
)
@pytest.mark.parametrize("piece", [1, 7, 100_000])
async def test_compressed_pages_are_read(coding: str, window: int, piece: int) -> None:
    text = b"".join(b"%d " % number for number in range(5000))
    body = compressed(text, window)
    session = session_on(
        lambda _: httpx.Response(
            200, headers={"Content-Encoding": coding}, content=sent(body, piece)
        ),
        max_page_bytes=len(text),
        page_transport="httpx",
    )
    assert (await session.get_page(PROFILE)).body == text


@pytest.mark.parametrize("window", [31, 15, -15])
async def test_a_bomb_takes_no_more_memory_than_a_page_may(window: int) -> None:
    coding = "gzip" if window == 31 else "deflate"
    bomb = compressed(bytes(64 * 2**20), window)
    session = session_on(
        lambda _: httpx.Response(
            200, headers={"Content-Encoding": coding}, content=sent(bomb, len(bomb))
        ),
        max_page_bytes=100_000,
        page_transport="httpx",
    )
    tracemalloc.start()
    try:
        with pytest.raises(UpstreamChanged, match="larger"):
            await session.get_page(PROFILE)
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "codings", [["gzip, gzip"], ["gzip", "gzip"], ["deflate,gzip"], ["br"], ["gzip, identity, br"]]
)
async def test_codings_we_did_not_ask_for_are_not_even_read(codings: list[str]) -> None:
    pieces: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        pieces.append(1)
        yield b"x"

    session = session_on(
        lambda _: httpx.Response(
            200, headers=[("Content-Encoding", coding) for coding in codings], content=body()
        ),
        page_transport="httpx",
    )
    with pytest.raises(UpstreamDown):
        await session.get_page(PROFILE)
    assert pieces == []


async def test_broken_compression_is_the_servers_trouble() -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        headers = {"Content-Encoding": "gzip"}
        return httpx.Response(200, headers=headers, content=sent(b"not gzip", 3))

    with pytest.raises(UpstreamDown):
        await session_on(handler, page_transport="httpx").get_page(PROFILE)
