"""Our own sockets: flow control, and connections that end."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from stories.config import ClientConfig
from tests.unit.stories.http.loopback import Asked, loopback, reply
from tests.unit.stories.http.proxied_session import FILE, session_through

pytestmark = pytest.mark.anyio


def test_tls_buffers_are_limited_by_the_call_and_not_by_an_import() -> None:
    steps = (
        "from asyncio.sslproto import SSLProtocol as P;"
        "usual = P.max_size;"
        "import stories.client, stories.harvest;"
        "from stories.http import network_backend as backend;"
        "print(P.max_size == usual);"
        "backend.limit_tls_buffers();"
        "print(P.max_size == backend.TLS_BUFFER_BYTES < usual)"
    )
    done = subprocess.run(
        [sys.executable, "-c", steps],
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["True", "True"]


async def test_a_connection_the_server_closed_meanwhile_is_not_used(
    tmp_path: Path,
) -> None:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(b"ok"))  # says nothing of closing, and closes
        await writer.drain()
        writer.close()

    async with (
        loopback(tmp_path, answer) as server,
        session_through(server, curl=False) as session,
    ):
        for _ in range(3):
            async with session.stream_media(FILE) as answered:
                assert [chunk async for chunk in answered.chunks] == [b"ok"]
            await asyncio.sleep(0.05)
        assert len({asked.connection for asked in server.asked}) == 3


async def test_a_sender_is_held_back_until_its_bytes_are_wanted(tmp_path: Path) -> None:
    size, sent = 64 * 1024 * 1024, 0
    stuck = asyncio.Event()

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        while sent < size:
            writer.write(bytes(64 * 1024))
            sent += 64 * 1024
            try:
                async with asyncio.timeout(0.2):
                    await writer.drain()
            except TimeoutError:
                stuck.set()
                await writer.drain()

    async with (
        loopback(tmp_path, answer) as server,
        session_through(
            server, curl=False, config=ClientConfig(connect_timeout_s=5, read_timeout_s=5)
        ) as session,
        session.stream_media(FILE) as answered,
    ):
        received = len(await anext(answered.chunks))
        async with asyncio.timeout(20):
            await stuck.wait()
        assert sent < size // 2, "what nobody reads piles up nowhere"
        async for chunk in answered.chunks:
            received += len(chunk)
        assert received == size


async def test_leaving_a_body_early_closes_the_connection_at_once(tmp_path: Path) -> None:
    gone = asyncio.Event()

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        try:
            while True:
                writer.write(bytes(64 * 1024))
                await writer.drain()
        except OSError:
            gone.set()
            raise

    async with (
        loopback(tmp_path, answer) as server,
        session_through(server, curl=False) as session,
    ):
        async with session.stream_media(FILE) as answered:
            await anext(answered.chunks)
        async with asyncio.timeout(5):
            await gone.wait()
