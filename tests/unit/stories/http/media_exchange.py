"""Requests over the real transport of media, through the loopback server or straight to it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from stories.http import resolver
from stories.http.media_transport import CurlMediaTransport, WriteBody
from stories.http.resolver import Resolve
from stories.http.tls import CaFile
from tests.unit.stories.http.loopback import Loopback
from tests.unit.stories.http.proxied_session import FILE, unreachable

NAME = "nowhere.invalid"


@dataclass
class Received:
    """What arrived of one answer."""

    heads: list[httpx.Response] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)

    def __call__(self, response: httpx.Response) -> WriteBody:
        self.heads.append(response)
        return self.body.extend

    @property
    def status(self) -> int:
        (head,) = self.heads
        return head.status_code


def asking(
    url: str = FILE, *, patience_s: float = 10, headers: dict[str, str] | None = None
) -> httpx.Request:
    """A request. patience_s: to connect, and for each silence."""
    timeout = {"connect": patience_s, "read": patience_s}
    return httpx.Request("GET", url, headers=headers, extensions={"timeout": timeout})


@asynccontextmanager
async def through(server: Loopback, *, trusting: bool = True) -> AsyncIterator[CurlMediaTransport]:
    """The transport with the loopback server as its proxy."""
    ca_file = CaFile(server.ca_path if trusting else None)
    async with CurlMediaTransport(
        proxy=server.proxy, ca_file=ca_file, connections=4, resolve=unreachable
    ) as transport:
        yield transport
    ca_file.close()


@asynccontextmanager
async def straight(server: Loopback, resolve: Resolve) -> AsyncIterator[CurlMediaTransport]:
    """The transport that connects by itself, to what `resolve` says."""
    ca_file = CaFile(server.ca_path)
    async with CurlMediaTransport(
        proxy=None, ca_file=ca_file, connections=4, resolve=resolve
    ) as transport:
        yield transport
    ca_file.close()


def allow_only(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Have these addresses of this machine pass for public ones, and no others."""
    monkeypatch.setattr(resolver, "is_public", lambda address: address in addresses)


def resolving_to(*addresses: str) -> Callable[[str, int], "asyncio.Future[Sequence[str]]"]:
    """A resolver that answers with `addresses` each time."""

    def resolve(host: str, port: int) -> "asyncio.Future[Sequence[str]]":
        future: asyncio.Future[Sequence[str]] = asyncio.get_running_loop().create_future()
        future.set_result(addresses)
        return future

    return resolve
