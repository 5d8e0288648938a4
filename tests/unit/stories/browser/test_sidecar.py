"""The WebSocket of a browser that somebody else runs."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from stories.browser import sidecar
from stories.browser.cdp import MAX_MESSAGE_BYTES, BrowserGone
from stories.browser.sidecar import open_sidecar
from stories.ways import WayFailed

pytestmark = pytest.mark.anyio


@dataclass
class Debugger:
    """A debugging port. version: body of /json/version. asked: (path, Host) of each request."""

    port: int = 0
    version: bytes = b""
    status: int = 200
    asked: list[tuple[str, str]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def process(self, _: ServerConnection, request: Request) -> Response | None:
        self.asked.append((request.path, request.headers["Host"]))
        if not request.path.endswith("/json/version"):
            return None
        response = _.respond(HTTPStatus(self.status), "")
        del response.headers["Content-Length"]
        response.headers["Content-Length"] = str(len(self.version))
        response.body = self.version
        return response


Talk = Callable[[ServerConnection], Any]


@asynccontextmanager
async def debugger(talk: Talk | None = None) -> AsyncIterator[Debugger]:
    """A debugging port whose browser says what `talk` makes it say, or an echo."""
    made = Debugger()

    async def connected(connection: ServerConnection) -> None:
        if talk is not None:
            await talk(connection)
            return
        async for message in connection:
            made.messages.append(str(message))
            await connection.send(message)

    async with serve(
        connected, "127.0.0.1", 0, process_request=made.process, max_size=None, compression=None
    ) as server:
        made.port = next(iter(server.sockets)).getsockname()[1]
        named = {"webSocketDebuggerUrl": f"ws://evil.example:1/devtools/browser/abc?x={made.port}"}
        made.version = json.dumps(named).encode()
        yield made


async def test_the_port_is_asked_for_its_path_under_a_name_that_chromium_takes() -> None:
    async with debugger() as browser:
        channel = await open_sidecar(f"http://127.0.0.1:{browser.port}")
        await channel.send(b'{"id":1}')
        assert await channel.receive() == b'{"id":1}'
        await channel.aclose()
    assert browser.asked == [
        ("/json/version", f"localhost:{browser.port}"),
        (f"/devtools/browser/abc?x={browser.port}", f"localhost:{browser.port}"),
    ]


async def test_a_socket_is_used_as_it_is_given() -> None:
    async with debugger() as browser:
        channel = await open_sidecar(f"ws://127.0.0.1:{browser.port}/chromium?token=secret")
        await channel.aclose()
    assert browser.asked == [("/chromium?token=secret", f"127.0.0.1:{browser.port}")]


@pytest.mark.parametrize(
    "version",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"webSocketDebuggerUrl": 5}',
        b'{"webSocketDebuggerUrl": "odd"}',
        b'{"webSocketDebuggerUrl": "ws://[::1"}',
        b'{"x": "' + b"y" * 100_000 + b'"}',
    ],
)
async def test_what_is_no_browsers_answer_is_a_failure(version: bytes) -> None:
    async with debugger() as browser:
        browser.version = version
        with pytest.raises(WayFailed, match="no browser answers there"):
            await open_sidecar(f"http://127.0.0.1:{browser.port}")


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_a_status_that_is_no_success_is_a_failure(status: int) -> None:
    async with debugger() as browser:
        browser.status = status
        with pytest.raises(WayFailed, match="no browser answers there"):
            await open_sidecar(f"http://127.0.0.1:{browser.port}")


@pytest.mark.parametrize("address", ["http://127.0.0.1:{}", "ws://127.0.0.1:{}/x", "http://[::1"])
async def test_nobody_there_is_a_failure(address: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(WayFailed, match="no browser answers there"):
        await open_sidecar(address.replace("{}", str(port)))


async def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sidecar, "CONNECT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for address in (f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}/x"):
            with pytest.raises(WayFailed, match="no browser answers there"):
                await open_sidecar(address)


async def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with debugger() as browser:
        channel = await open_sidecar(f"http://localhost:{browser.port}")
        await channel.aclose()


async def test_a_message_that_is_too_large_is_the_end() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.send("x" * (MAX_MESSAGE_BYTES + 1))

    async with debugger(talk) as browser:
        channel = await open_sidecar(f"http://127.0.0.1:{browser.port}")
        with pytest.raises(BrowserGone):
            await channel.receive()
        with pytest.raises(BrowserGone):
            await channel.send(b"{}")
        await channel.aclose()


async def test_bytes_are_taken_for_text() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.send(b'{"id":1}')
        await asyncio.sleep(1)

    async with debugger(talk) as browser:
        channel = await open_sidecar(f"http://127.0.0.1:{browser.port}")
        assert await channel.receive() == b'{"id":1}'
        await channel.aclose()
        await channel.aclose()
