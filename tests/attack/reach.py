"""Attempts to have us connect where we must not, and a listener that counts who arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx

from stories.client import StoryClient
from stories.config import ClientConfig
from stories.errors import StoriesError
from stories.hosts import is_allowed_host
from stories.http.media_transport import CurlMediaTransport, MediaTransport
from stories.http.page_transports import PageTransports
from stories.http.resolver import Resolve
from stories.http.session import Session
from stories.http.tls import CaFile
from stories.http.transports import Transport, create_page_transport
from stories.identity import TlsTarget, identity_ladder
from stories.lookup import look_up
from stories.targets import parse_line
from stories.wire.addresses import read_addresses
from tests.unit.stories.http.loopback import Asked, Loopback, reply

PAGE = "https://www.tiktok.com/@alice"
FILE = "https://v16-webapp-prime.tiktok.com/video/x"
SHORT = "https://vm.tiktok.com/ZMabc123/"


@dataclass
class Trap:
    """A listener on this machine. reached: connections that arrived."""

    port: int = 0
    reached: int = 0


@asynccontextmanager
async def trap() -> AsyncIterator[Trap]:
    """Listen on the loopback address of both kinds."""
    found = Trap()

    async def arrive(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.reached += 1
        writer.close()

    async with AsyncExitStack() as stack:
        server = await asyncio.start_server(arrive, "127.0.0.1", 0)
        stack.callback(server.close)
        found.port = server.sockets[0].getsockname()[1]
        with suppress(OSError):  # a machine without IPv6
            also = await asyncio.start_server(arrive, "::1", found.port)
            stack.callback(also.close)
        yield found


@dataclass
class Names:
    """A name server that says what it is told to. asked: every name, in order."""

    answers: Sequence[str] = ()
    asked: list[str] = field(default_factory=list)

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """What a Resolve does."""
        self.asked.append(host)
        return self.answers


@asynccontextmanager
async def session(
    resolve: Resolve,
    *,
    proxy: str | None = None,
    ca: str | None = None,
    curl: bool = True,
    patience_s: float = 3,
) -> AsyncIterator[tuple[Session, PageTransports, MediaTransport]]:
    """A session on the transports that production uses, and these.

    patience_s: to connect, and for each silence.
    """
    config = ClientConfig(
        proxy=proxy,
        page_transport="curl" if curl else "httpx",
        connect_timeout_s=patience_s,
        read_timeout_s=patience_s,
    )
    async with AsyncExitStack() as stack:
        ca_file = CaFile(ca)
        stack.callback(ca_file.close)

        def make(tls_target: TlsTarget | None) -> Transport:
            return create_page_transport(
                tls_target=tls_target,
                proxy=proxy,
                ca_file=ca_file,
                ca_bundle=ca,
                max_bytes=config.max_page_bytes,
                resolve=resolve,
            )

        pages = PageTransports(make, usual=identity_ladder(config.page_transport)[0])
        stack.push_async_callback(pages.aclose)
        media = await stack.enter_async_context(
            CurlMediaTransport(proxy=proxy, ca_file=ca_file, connections=4, resolve=resolve)
        )
        yield (
            Session(config=config, page_transports=pages, media_transport=media),
            pages,
            media,
        )


async def try_everything(address: str, here: Session) -> None:
    """Ask for an address as a page and as a file, and read it as a list names it."""
    await refused(here.get_page(address))
    await refused(here.fetch_media(address, lambda _: bytearray().extend))
    for url in read_addresses([address]).urls:
        await refused(here.fetch_media(url, lambda _: bytearray().extend))


async def refused(asking: Awaitable[object]) -> None:
    """Await what ends in an error of ours, or in an answer of the make-believe site."""
    with suppress(StoriesError):
        await asking


def redirecting(locations: list[str]) -> Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]:
    """Answers that redirect every listed address to the last of `locations`."""

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        location = locations[-1].encode("utf-8", "surrogateescape")
        for ending in (b"\r", b"\n", b"\0"):
            location = location.replace(ending, b"%20")
        head = reply(b"", "302 Found", "Location: LOCATION")
        writer.write(head.replace(b"LOCATION", location))

    return answer


async def look_up_pasted(line: str, client: StoryClient) -> None:
    """Paste a line, and look up what it was understood as."""
    with suppress(StoriesError):
        await look_up(client, parse_line(line))


def off_the_list(server: Loopback) -> list[str]:
    """What a proxy was asked to connect to and should not have been."""
    found = []
    for connect in server.connects:
        host, _, port = connect.rpartition(":")
        if port != "443" or not is_allowed_host(host):
            found.append(connect)
    return found


async def ask_by_name(
    url: str, pages: PageTransports, media: MediaTransport, *, curl: bool
) -> list[Exception | None]:
    """Send to a URL past the list, over both transports; how each ended."""
    timeout = {"connect": 3.0, "read": 3.0, "write": 3.0, "pool": 3.0}
    ended: list[Exception | None] = []
    request = httpx.Request("GET", url, extensions={"timeout": timeout})
    async with pages.lease(identity_ladder("curl" if curl else "httpx")[0]) as transport:
        try:
            response = await transport.handle_async_request(request)
            await response.aread()
            await response.aclose()
        except httpx.HTTPError as error:
            ended.append(error)
        else:
            ended.append(None)
    request = httpx.Request("GET", url, extensions={"timeout": timeout})
    try:
        await media.receive(request, lambda _: bytearray().extend)
    except httpx.HTTPError as error:
        ended.append(error)
    else:
        ended.append(None)
    return ended
