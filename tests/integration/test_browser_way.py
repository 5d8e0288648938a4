"""A real Chromium as the carrier of today's client, against pages that are odd, hostile or dead."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from stories.browser.browser import Browser
from stories.browser.chromium import find_chromium
from stories.config import ClientConfig
from stories.errors import Challenged, LoginRequired, StoriesError, UpstreamChanged, UpstreamDown
from stories.http.headers import Purpose
from stories.ways import WayFailed
from tests.fake_tiktok.exchange import Request, Response
from tests.fake_tiktok.pages import redirect
from tests.fake_tiktok.proxy import FakeProxy, running_proxy
from tests.integration.browser_site import ScriptedTikTok, browser_to, data, page, use

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium here"),
]

LIST = "/api/story/item_list"


@pytest.fixture(scope="module")
def site() -> ScriptedTikTok:
    return ScriptedTikTok()


@pytest.fixture(scope="module")
def proxy(site: ScriptedTikTok, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeProxy]:
    with running_proxy(site, tmp_path_factory.mktemp("fake")) as running:
        yield running


@pytest.fixture(autouse=True)
def _clean(site: ScriptedTikTok) -> None:
    site.answers.clear()
    site.seen_paths.clear()
    site.forget_requests()
    site.faults.clear()


@pytest.fixture
async def browser(proxy: FakeProxy) -> AsyncIterator[Browser]:
    browser = browser_to(proxy)
    yield browser
    await browser.aclose()
    assert not browser.is_running


def names(proxy: FakeProxy) -> list[str]:
    return [path for path in proxy.tiktok.seen_paths]  # type: ignore[attr-defined]


async def test_a_list_over_several_pages_is_read_by_todays_client(
    site: ScriptedTikTok, browser: Browser
) -> None:
    account = site.account("many.pages", page_size=3)
    stories = [account.photo() for _ in range(17)]
    async with use(browser) as used:
        found = await used.stories("many.pages")
        assert {story.id for story in found.stories} == {story.id for story in stories}
        assert (found.missing, found.error) == (0, None)
        assert {cookie.name for cookie in used.session._jar} >= {"tt_chain_token", "ttwid"}
    assert site.count("list") == 6
    for seen in site.seen("list"):
        assert "Headless" not in str(seen.headers)
        assert '"Chromium"' in seen.headers["sec-ch-ua"]
        assert seen.headers["cookie"]


async def test_a_file_is_fetched_by_our_own_downloader_with_the_browsers_cookies(
    site: ScriptedTikTok, browser: Browser, tmp_path: Path
) -> None:
    clip = site.account("clip.owner").video(seconds=1)
    async with use(browser) as used:
        found = await used.stories("clip.owner")
        variant = found.stories[0].media[0].variants[0]
        with (tmp_path / "clip.mp4").open("w+b") as sink:
            fetched = await used.client.fetch(variant, sink, used.session)
    assert fetched.sha256 in {file.sha256 for file in clip.files}
