"""A Chromium that somebody else runs beside the worker, with a debugging port."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from stories.browser.authorities import trust
from stories.browser.browser import Browser
from stories.browser.chromium import find_chromium
from stories.ways import WayFailed
from tests.browser_state import is_running
from tests.fake_tiktok.proxy import FakeProxy, running_proxy
from tests.integration.browser_site import IS_MISSING, ScriptedTikTok, browser_to, page, use

pytestmark = [
    pytest.mark.integration,
    pytest.mark.anyio,
    pytest.mark.skipif(IS_MISSING, reason="no Chromium here"),
]


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeProxy]:
    with running_proxy(ScriptedTikTok(), tmp_path_factory.mktemp("fake")) as running:
        yield running


@pytest.fixture
def site(proxy: FakeProxy) -> ScriptedTikTok:
    site = proxy.tiktok
    assert isinstance(site, ScriptedTikTok)
    site.start_anew()
    return site


ROOT = Path(__file__).parents[2]
FLAGS = re.findall(
    r"^      - (--\S+)$", (ROOT / "docker-compose.yml").read_text(encoding="utf-8"), re.MULTILINE
)
"""Those of the sidecar in the compose file."""


class Sidecar:
    """A Chromium with a debugging port. It trusts the fake, as its own set-up would have it."""

    def __init__(self, home: Path, proxy: FakeProxy) -> None:
        trust(home, proxy.ca_path)
        self.process = subprocess.Popen(
            [
                str(find_chromium()),
                *FLAGS,
                "--remote-debugging-port=0",  # the last one counts
                f"--user-data-dir={home}/profile",
                "--disable-dev-shm-usage",
            ],
            env={"HOME": str(home), "PATH": os.defpath, "TMPDIR": str(home)},
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self.process.stderr is not None
        for line in self.process.stderr:
            found = re.search(rb"listening on (ws://127\.0\.0\.1:(\d+)/\S+)", line)
            if found:
                self.socket_url, self.port = found[1].decode(), int(found[2])
                return
        raise AssertionError("it did not start")

    def close(self) -> None:
        """End it."""
        os.killpg(self.process.pid, 9)
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()


@pytest.fixture(scope="module")
def sidecar(proxy: FakeProxy) -> Iterator[Sidecar]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        sidecar = Sidecar(Path(home), proxy)
        yield sidecar
        sidecar.close()


@pytest.fixture(params=["http://127.0.0.1", "http://localhost", "ws"])
async def browser(
    request: pytest.FixtureRequest, proxy: FakeProxy, sidecar: Sidecar
) -> AsyncIterator[Browser]:
    host = str(request.param)
    address = sidecar.socket_url if host == "ws" else f"{host}:{sidecar.port}/"
    async with browser_to(proxy, address) as browser:
        yield browser


async def contexts(browser: Browser) -> int:
    """How many contexts the browser has by now, this connection's own among them."""
    assert browser._connection is not None
    found = await browser._connection.send("Target.getBrowserContexts")
    return len(found["browserContextIds"])


def test_the_compose_file_has_its_flags() -> None:
    assert {"--headless", "--remote-debugging-port=9222", "--proxy-bypass-list=<-loopback>"} <= {
        *FLAGS
    }


async def test_todays_client_runs_over_a_sidecar_and_leaves_nothing_in_it(
    site: ScriptedTikTok, browser: Browser
) -> None:
    story = site.account("side.car").photo()
    for _ in range(2):
        async with use(browser) as used:
            found = await used.stories("side.car")
            assert [found.id for found in found.stories] == [story.id]
            assert await contexts(browser) == 1
            assert not is_running(browser), "it is not ours"
        assert browser._connection is None
    for seen in site.requests:
        assert "Headless" not in str(seen.headers)


async def test_a_visit_to_a_sidecar_is_ended_in_time(
    site: ScriptedTikTok, proxy: FakeProxy, sidecar: Sidecar
) -> None:
    site.answers["/@never.rests"] = page("<script>for (;;) alert('again')</script>")
    site.answers["/@quiet"] = page("<p>quiet</p>")
    async with browser_to(proxy, f"http://127.0.0.1:{sidecar.port}", visit_s=4) as browser:
        async with use(browser) as used:
            with pytest.raises(WayFailed, match="took more than 4 s"):
                await used.get("/@never.rests")
        browser._visit_s = 25
        async with use(browser) as used:
            await asyncio.sleep(0.5)
            assert await contexts(browser) == 1, "its context went with the connection"
            assert await used.get("/@quiet") == "<p>quiet</p>"
