"""The fake behind `httpx.MockTransport`: faults become the errors a client would see, at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Protocol

import httpx

from tests.fake_tiktok.exchange import Response
from tests.mock_transport import MockTransport

CHUNK = 64 * 1024


class _Body(httpx.AsyncByteStream, httpx.SyncByteStream):
    def __init__(self, response: Response, request: httpx.Request) -> None:
        self.response, self.request = response, request

    def __iter__(self) -> Iterator[bytes]:
        response, sent = self.response, 0
        stops = [n for n in (response.cut_after, response.hang_after) if n is not None]
        end = min([response.length, *stops])
        for part in response.parts:
            for at in range(0, len(part), CHUNK):
                chunk = bytes(part[at : at + CHUNK])[: end - sent]
                if chunk:
                    sent += len(chunk)
                    yield chunk
        if response.hang_after is not None and sent < response.length:
            raise httpx.ReadTimeout("the fake stalls", request=self.request)
        if response.cut_after is not None and sent < response.length:
            raise httpx.RemoteProtocolError("the fake hung up", request=self.request)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in iter(self):
            await asyncio.sleep(0)  # as on a network, others get their turn between chunks
            yield chunk


class Site(Protocol):
    """The site that answers."""

    def knows(self, host: str) -> bool:
        """Whether a host is one of the site's."""

    def now(self) -> float:
        """The site's clock, Unix seconds."""

    def stray(self, host: str) -> None:
        """Note that another host was asked for."""

    def handle(self, method: str, host: str, path: str, headers: Mapping[str, str]) -> Response:
        """Answer one request."""


def mock_transport(tiktok: Site) -> MockTransport:
    """A transport whose requests the site answers. Raises ConnectError for other hosts."""

    def answer(request: httpx.Request) -> httpx.Response:
        host = request.url.host
        if not tiktok.knows(host) or request.url.scheme != "https" or request.url.port:
            tiktok.stray(host)
            raise httpx.ConnectError(f"the fake is not {host}", request=request)
        path = request.url.raw_path.decode("ascii")
        headers = dict(request.headers.items())
        response = tiktok.handle(request.method, host, path, headers)
        if response.silent:
            raise httpx.RemoteProtocolError("the fake says nothing", request=request)
        date = format_datetime(datetime.fromtimestamp(tiktok.now(), UTC), usegmt=True)
        sent = [*response.headers, ("Date", date)]
        if not response.chunked:
            sent.append(("Content-Length", str(response.length)))
        if request.method == "HEAD":
            return httpx.Response(response.status, headers=sent, stream=_Body(Response(), request))
        body = _Body(response, request)
        return httpx.Response(response.status, headers=sent, stream=body)

    return MockTransport(answer)
