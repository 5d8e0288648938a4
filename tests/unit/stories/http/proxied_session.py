"""A session whose requests really leave: through the loopback server as their proxy."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from stories.config import ClientConfig
from stories.http.identity_search import IdentitySearch
from stories.http.media_transport import CurlMediaTransport
from stories.http.page_transports import PageTransports
from stories.http.session import Session
from stories.http.tls import CaFile
from stories.http.transports import Transport, create_page_transport
from stories.identity import LocalIdentityMemory, TlsTarget, identity_ladder
from tests.unit.stories.http.loopback import Asked, Loopback, reply

PAGE = "https://www.tiktok.com/@somebody"
FILE = "https://v16-webapp-prime.tiktok.com/video/x"
SMALL = ClientConfig(connect_timeout_s=0.3, read_timeout_s=0.3, max_page_bytes=1_000_000)


async def unreachable(host: str, port: int) -> Sequence[str]:
    raise AssertionError(f"{host} must not be resolved here")


async def say_ok(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(reply(b"ok"))


@asynccontextmanager
async def session_through(
    server: Loopback,
    *,
    curl: bool = True,
    config: ClientConfig = SMALL,
    trusting: bool = True,
    name: str | None = None,
) -> AsyncIterator[Session]:
    """A session whose every request goes through the loopback proxy. name: of its identity."""
    bundle = server.ca_path if trusting else None
    async with AsyncExitStack() as stack:
        ca_file = CaFile(bundle)
        stack.callback(ca_file.close)

        def make(tls_target: TlsTarget | None) -> Transport:
            return create_page_transport(
                tls_target=tls_target,
                proxy=server.proxy,
                ca_file=ca_file,
                ca_bundle=bundle,
                max_bytes=config.max_page_bytes,
                resolve=unreachable,
            )

        ladder = identity_ladder("curl" if curl else "httpx")
        pages = PageTransports(make, usual=ladder[0])
        stack.push_async_callback(pages.aclose)
        media = await stack.enter_async_context(
            CurlMediaTransport(
                proxy=server.proxy, ca_file=ca_file, connections=8, resolve=unreachable
            )
        )
        config = ClientConfig(
            page_transport="curl" if curl else "httpx",
            connect_timeout_s=config.connect_timeout_s,
            read_timeout_s=config.read_timeout_s,
            max_page_bytes=config.max_page_bytes,
        )
        memory = LocalIdentityMemory()
        if name is not None:
            await memory.put(name)
        yield Session(
            config=config,
            page_transports=pages,
            media_transport=media,
            search=IdentitySearch(ladder, memory),
        )
