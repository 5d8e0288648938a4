"""A browser that somebody else runs beside us, driven over a WebSocket."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from stories.browser.cdp import MAX_MESSAGE_BYTES, BrowserGone
from stories.ways import WayFailed

CONNECT_S: Final = 5.0
_MAX_ANSWER: Final = 64 * 1024


class SocketChannel:
    """A Channel over a WebSocket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def send(self, message: bytes) -> None:
        """Send one message. Raises BrowserGone."""
        try:
            await self._socket.send(message.decode())
        except ConnectionClosed as error:
            raise BrowserGone("the connection to the browser broke") from error

    async def receive(self) -> bytes:
        """The next message. Raises BrowserGone at the end, and for one that is too large."""
        try:
            message = await self._socket.recv()
        except ConnectionClosed as error:
            raise BrowserGone("the connection to the browser broke") from error
        return message if isinstance(message, bytes) else message.encode("utf-8", "replace")

    async def aclose(self) -> None:
        """Close it without waiting long for the other side."""
        self._socket.transport.abort()
        await self._socket.wait_closed()


async def open_sidecar(address: str) -> SocketChannel:
    """A channel to the browser at `address`. Raises WayFailed.

    address: ws://…, wss://…, or http(s)://host:port of its debugging port, which is asked for the
    path of its WebSocket. A browser that is found that way is called localhost: Chromium refuses to
    be called by the name of a container.
    """
    options: dict[str, Any] = {}
    try:
        parts = urlsplit(address)
        if parts.scheme in {"ws", "wss"}:
            uri = address
        else:
            scheme = "wss" if parts.scheme == "https" else "ws"
            port = parts.port or (443 if scheme == "wss" else 80)
            options = {"host": parts.hostname, "port": port}
            if scheme == "wss":
                options["server_hostname"] = parts.hostname
            uri = f"{scheme}://localhost:{port}{await _socket_path(address)}"
        socket = await connect(
            uri,
            max_size=MAX_MESSAGE_BYTES,
            max_queue=16,
            open_timeout=CONNECT_S,
            close_timeout=1,
            ping_interval=None,
            compression=None,
            proxy=None,
            user_agent_header=None,
            **options,
        )
    except (OSError, TimeoutError, ValueError, InvalidHandshake, InvalidURI) as error:
        raise WayFailed(f"no browser answers there ({type(error).__name__})") from error
    return SocketChannel(socket)


async def _socket_path(address: str) -> str:
    """Path and query of the browser's WebSocket. Raises OSError and ValueError."""
    parts = urlsplit(address)
    url = urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/json/version", fragment=""))
    port = f":{parts.port}" if parts.port else ""
    try:
        async with (
            httpx.AsyncClient(trust_env=False, timeout=CONNECT_S) as client,
            client.stream("GET", url, headers={"Host": f"localhost{port}"}) as response,
        ):
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _MAX_ANSWER:
                    raise ValueError("not a browser's answer")
            response.raise_for_status()
    except httpx.HTTPError as error:
        raise ConnectionError(type(error).__name__) from error
    answer = json.loads(body)
    socket_url = answer.get("webSocketDebuggerUrl") if isinstance(answer, dict) else None
    found = urlsplit(socket_url if isinstance(socket_url, str) else "")
    if not found.path.startswith("/"):
        raise ValueError("the browser names no WebSocket")
    return found.path + (f"?{found.query}" if found.query else "")
