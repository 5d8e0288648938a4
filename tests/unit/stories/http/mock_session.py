"""A session on a mock transport: what a test's handler answers is what arrives."""

from collections.abc import Callable
from typing import Any

import httpx

from stories.config import ClientConfig
from stories.http.page_transports import GivenTransport
from stories.http.session import Session
from tests.mock_transport import MockTransport

PROFILE = "https://www.tiktok.com/@somebody"
FILE = "https://v16-webapp-prime.tiktok.com/video/tos/x/?expire=1"
Handler = Callable[[httpx.Request], httpx.Response]


def session_on(handler: Handler | Any, **settings: Any) -> Session:
    """A session whose pages and media both come from `handler`."""
    transport = MockTransport(handler)
    return Session(
        config=ClientConfig(**settings),
        page_transports=GivenTransport(transport),
        media_transport=transport,
    )


def answering(status: int = 200, body: bytes = b"<html>", **headers: str) -> Handler:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(status, headers=named, content=body)


async def read(session: Session, url: str = FILE, **part: Any) -> bytes:
    """The body of a file, or of a part of it."""
    body = bytearray()
    await session.fetch_media(url, lambda _: body.extend, **part)
    return bytes(body)
