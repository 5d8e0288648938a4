"""A client of the fake TikTok that asks in one way, or in every way there is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stories.client import StoryClient
from stories.config import ClientConfig
from tests.fake_tiktok import FakeTikTok
from tests.fake_tiktok.proxy import FakeProxy, running_proxy

DIRECT: Final = "direct"
HTTPX: Final = "direct (httpx)"
COLUMNS: Final = (DIRECT,)


@dataclass
class Bench:
    """The place where ways are tried: one proxy whose site is another one for each scene."""

    proxy: FakeProxy

    def show(self, tiktok: FakeTikTok) -> None:
        """Have the proxy lead to this site from now on."""
        self.proxy.tiktok = tiktok

    @asynccontextmanager
    async def client(self, column: str) -> AsyncIterator[StoryClient]:
        """A client that asks in the ways of a column, and remembers nothing of any other scene."""
        config = ClientConfig(
            proxy=self.proxy.url,
            ca_bundle=self.proxy.ca_path,
            page_transport="httpx" if column == HTTPX else "curl",
            connect_timeout_s=5,
            read_timeout_s=4,
        )
        async with StoryClient(config) as client:
            yield client


@contextmanager
def bench(folder: Path | None = None) -> Iterator[Bench]:
    """A place to try ways at, for as long as the block lasts."""
    with running_proxy(FakeTikTok(), folder) as proxy:
        yield Bench(proxy)
