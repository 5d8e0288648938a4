"""A client of the fake TikTok that asks in one way, or in every way there is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from stories.browser.browser import Browser
from stories.browser.chromium import find_chromium
from stories.client import StoryClient
from stories.config import ClientConfig
from stories.helper.gallery_dl import GalleryDl, HelperRun, installed_command
from stories.http.guard import Guard
from stories.http.resolver import system_resolve
from stories.identity import identity_ladder
from stories.ways import ForgetfulWays
from tests import real_gallery_dl
from tests.fake_tiktok import FakeTikTok
from tests.fake_tiktok.proxy import FakeProxy, running_proxy
from tests.unit.stories.lookups import Names

DIRECT: Final = "direct"
HTTPX: Final = "direct (httpx)"
BROWSER: Final = "browser"
GALLERY_DL: Final = "gallery-dl"
ALL: Final = "all on"
COLUMNS: Final = (DIRECT, BROWSER, GALLERY_DL, ALL)
_WAYS: Final = frozenset({DIRECT, BROWSER, GALLERY_DL})


def missing(column: str) -> str:
    """What a column lacks on this machine; "" where it lacks nothing."""
    if column in {BROWSER, ALL} and find_chromium() is None:
        return "there is no Chromium on the PATH"
    if column in {GALLERY_DL, ALL} and not real_gallery_dl.is_installed():
        return "gallery-dl is not installed"
    return ""


class Only(ForgetfulWays):
    """A memory in which all ways but one are switched off; "all on": none."""

    def __init__(self, column: str) -> None:
        on = DIRECT if column == HTTPX else column
        self._off = frozenset() if column == ALL else _WAYS - {on}

    async def switched_off(self) -> frozenset[str]:
        """The other ways."""
        return self._off


class _Lasting(Browser):
    """A browser that does not end with the client that used it. visits: so many so far."""

    def __init__(self, guard: Guard, config: ClientConfig) -> None:
        super().__init__("local", guard=guard, config=config, take=self._count)
        self.visits = 0

    async def _count(self) -> bool:
        self.visits += 1
        return True

    async def aclose(self) -> None:
        """Do nothing: whoever made it ends it."""

    async def end(self) -> None:
        """End what runs of it."""
        await super().aclose()


class _Counted(GalleryDl):
    """The helper. runs: so many it was asked for."""

    runs = 0

    async def run(self, url: str) -> HelperRun:
        """Count it."""
        self.runs += 1
        return await super().run(url)


@dataclass
class Bench:
    """The place where ways are tried: one proxy whose site is another one for each scene.

    Its guard and its browser last, so that not every scene starts a browser.
    """

    proxy: FakeProxy
    guard: Guard
    browser: _Lasting
    helper: _Counted

    def show(self, tiktok: FakeTikTok) -> None:
        """Have the proxy lead to this site from now on."""
        self.proxy.tiktok = tiktok

    @asynccontextmanager
    async def client(self, column: str) -> AsyncIterator[StoryClient]:
        """A client that asks in the ways of a column, and remembers nothing of any other scene."""
        client = StoryClient(
            _config(self.proxy, column),
            identities=Names(),
            way_memory=Only(column),
            browser=self.browser if column in {BROWSER, ALL} else None,
            helper=lambda: self.helper if column in {GALLERY_DL, ALL} else None,
        )
        async with client:
            yield client


def _config(proxy: FakeProxy, column: str) -> ClientConfig:
    # A browser has 15 s to get past a challenge: with less time the answer would not come.
    patient = column in {BROWSER, ALL}
    return ClientConfig(
        proxy=proxy.url,
        ca_bundle=proxy.ca_path,
        page_transport="httpx" if column == HTTPX else "curl",
        connect_timeout_s=5,
        read_timeout_s=20 if patient else 4,
    )


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    """A place to try ways at, for as long as the block lasts."""
    async with AsyncExitStack() as stack:
        proxy = stack.enter_context(running_proxy(FakeTikTok()))
        config = _config(proxy, ALL)
        guard = Guard(config, system_resolve)
        stack.push_async_callback(guard.aclose)
        browser = _Lasting(guard, config)
        stack.push_async_callback(browser.end)
        helper = _Counted(
            installed_command(real_gallery_dl.FOLDER),
            guard=guard,
            user_agent=identity_ladder("curl")[0].user_agent,
            ca_file=proxy.ca_path,
        )
        yield Bench(proxy, guard, browser, helper)
