"""A program that tries to reach others, behind the real guard and shut in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from stories.config import ClientConfig
from stories.helper.confinement import what_holds
from stories.helper.gallery_dl import GalleryDl
from stories.http.guard import Guard
from stories.http.resolver import system_resolve
from tests.unit.stories.helper.scripted import write_script

pytestmark = pytest.mark.anyio

TRIES = """
import socket
from urllib.parse import urlsplit
port = urlsplit(json.load(open(sys.argv[3]))["extractor"]["proxy"]).port
def ask(head):
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(head.encode())
        return connection.recv(100).decode("latin-1").split("\\r\\n")[0]
def connect(host):
    return ask(f"CONNECT {host} HTTP/1.1\\r\\nHost: {host}\\r\\n\\r\\n")
told = [connect(host) for host in HOSTS]
told.append(ask("GET http://example.com/ HTTP/1.1\\r\\nHost: example.com\\r\\n\\r\\n"))
print(json.dumps(told))
def reached(make):
    try: make()
    except OSError as error: return type(error).__name__
    return "reached"
print(json.dumps([
    reached(lambda: socket.create_connection(("127.0.0.1", LISTENING), 5)),
    reached(lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 53))),
    reached(lambda: socket.getaddrinfo("www.example.com", 443)),
]))
"""

FORBIDDEN = [
    "example.com:443",
    "www.tiktok.com:80",
    "www.tiktok.com.evil.example:443",
    "127.0.0.1:443",
    "[::1]:443",
    "169.254.169.254:443",
    "0x7f.1:443",
    "localhost:443",
    "www.tiktok.com.:443",
    "user@www.tiktok.com:443",
]


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A port of this machine, and what was said to it."""
    heard: list[bytes] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(100))
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], heard


async def test_a_helper_reaches_nothing_but_what_the_guard_lets_through(tmp_path: Path) -> None:
    guard = Guard(ClientConfig(), system_resolve)
    async with listening() as (port, heard):
        text = TRIES.replace("HOSTS", repr(FORBIDDEN)).replace("LISTENING", str(port))
        helper = GalleryDl(
            write_script(tmp_path, text), guard=guard, user_agent="x", folder=tmp_path / "runs"
        )
        try:
            done = await helper.run("https://www.tiktok.com/@some.name/stories")
        finally:
            await guard.aclose()
    through_guard, past_it = (json.loads(line) for line in done.lines)
    assert len(through_guard) == len(FORBIDDEN) + 1
    assert all(" 40" in answer for answer in through_guard), through_guard
    assert "example.com" in guard.refused
    if {"ports", "sockets"} <= what_holds(tmp_path):
        assert "reached" not in past_it
        assert heard == []
