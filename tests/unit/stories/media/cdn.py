"""A media server of one file that can be told to misbehave, and transfers from it."""

import asyncio
import io
import random
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from stories.config import ClientConfig
from stories.http.page_transports import GivenTransport
from stories.http.session import Session
from stories.media import download
from stories.media.download import transfer
from stories.transfer_slots import TransferSlots
from tests.mock_transport import MockTransport

URL = "https://v16-webapp-prime.tiktok.com/video/tos/x/?expire=1&signature=s"
SEGMENT = 1000
BODY = b"\0\0\0\x20ftypisom" + random.Random(1).randbytes(9_988)


@dataclass
class Cdn:
    """One file on a server that can be told to misbehave.

    drop: how many body bytes of the n-th answer are sent before the line breaks; None: all.
    """

    body: bytes = BODY
    ranges: bool = True
    conditional: bool = True
    etag: str | None = '"one"'
    modified: str | None = None
    content_type: str = "video/mp4"
    drops: list[int | None] = field(default_factory=list)
    change: Callable[["Cdn", int], None] = lambda *_: None
    status: int | None = None
    announce: int | None = None
    length: bool = True
    pieces: int = 64
    asked: list[httpx.Headers] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        number = len(self.asked)
        self.asked.append(request.headers)
        self.change(self, number)
        drop = self.drops.pop(0) if self.drops else None
        if self.status is not None:
            return httpx.Response(self.status, content=b"no")
        headers = {"Content-Type": self.content_type}
        if self.etag:
            headers["ETag"] = self.etag
        if self.modified:
            headers["Last-Modified"] = self.modified
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        condition = request.headers.get("if-range")
        same = not self.conditional or condition in {None, self.etag, self.modified}
        if not self.ranges or asked is None or not same:
            if self.length:
                headers["Content-Length"] = str(self.announce or len(self.body))
            return httpx.Response(200, headers=headers, content=self.send(self.body, drop))
        start = int(asked[1])
        end = min(int(asked[2] or 10**9) + 1, len(self.body))
        if start >= len(self.body):
            return httpx.Response(416, content=b"")
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{self.announce or len(self.body)}"
        headers["Content-Length"] = str(end - start)
        return httpx.Response(206, headers=headers, content=self.send(self.body[start:end], drop))

    async def send(self, body: bytes, drop: int | None) -> AsyncIterator[bytes]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            sent = body if drop is None else body[:drop]
            for start in range(0, len(sent), self.pieces):
                await asyncio.sleep(0)
                yield sent[start : start + self.pieces]
            if drop is not None:
                raise httpx.RemoteProtocolError("peer closed connection")
        finally:
            self.at_once -= 1

    @property
    def ranges_asked(self) -> list[str]:
        return [headers.get("range", "all").removeprefix("bytes=") for headers in self.asked]


async def fetched(cdn: Callable[[httpx.Request], httpx.Response], **more: Any) -> bytes:
    """What one transfer brings, checked against what it says it brought."""
    sink = io.BytesIO(more.pop("holding", b""))
    result = await start(cdn, sink, **more)
    assert result.size_bytes == len(sink.getvalue())
    return sink.getvalue()


async def start(
    cdn: Callable[[httpx.Request], httpx.Response],
    sink: Any,
    *,
    slots: TransferSlots | None = None,
    limit: int = 1_000_000,
    **settings: Any,
) -> download.TransferResult:
    given = ("reserve", "progress", "expected_bytes")
    watching = {key: settings.pop(key) for key in given if key in settings}
    config = ClientConfig(**{"segment_bytes": SEGMENT, "segments": 4, **settings})
    transport = MockTransport(cdn)
    session = Session(
        config=config, page_transports=GivenTransport(transport), media_transport=transport
    )
    return await transfer(
        session,
        URL,
        sink,
        config=config,
        slots=slots or TransferSlots(16),
        limit_bytes=limit,
        **watching,
    )
