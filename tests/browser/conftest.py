"""A real instance, a make-believe TikTok and a real Chromium, once for all browser tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    sync_playwright,
)

from tests.fake_tiktok import FakeTikTok
from tests.fake_tiktok.proxy import running_proxy
from tests.fake_tiktok.scenarios import demo

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
SHELL = Path("/usr/bin/chromium-headless-shell")
"""The same Chromium without windows: a page costs less than half of the CPU."""
NAME = "alice"
PASSWORD = "alicealice"
PATIENCE_S = 60
FEATURES_OFF = (
    # For each new context a second page, with the suggestions of an address bar nobody sees: it
    # costs more than most pages of ours.
    *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup"),
    "SpareRendererForSitePerProcess",  # a process for a next page that does not come
    # Chromium heeds the last such list alone. This is Playwright's own (chromiumSwitches.ts), but
    # for what concerns Edge.
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose"),
    *("DialMediaRouteProvider", "GlobalMediaControls", "HttpsUpgrades", "LensOverlay"),
    *("MediaRouter", "PaintHolding", "ThirdPartyStoragePartitioning"),
    *("BlockOriginHeaderModificationOnRedirect", "AvoidCorsURLLoaderRestartOnRedirect"),
    *("Translate", "AutoDeElevate", "OptimizationHints", "NetworkTimeServiceQuerying"),
    "AimEnabled",
)
CHROMIUM_ARGS = (
    "--no-sandbox",  # tests may run as root
    "--disable-dev-shm-usage",
    f"--disable-features={','.join(FEATURES_OFF)}",
)
DEVICES: dict[str, dict[str, Any]] = {
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "is_mobile": True,
        "has_touch": True,
        "device_scale_factor": 2,
    },
    "desktop": {"viewport": {"width": 1280, "height": 900}},
}


def sideways(page: Page) -> float:
    """How many pixels of the page are out of sight at its side; its parts may scroll in themselves.

    A phone's browser zooms out to show all of a page that is too wide: `innerWidth` grows then.
    """
    pixels: float = page.evaluate(
        "(({scrollWidth, clientWidth}) => scrollWidth - clientWidth)(document.documentElement)"
    )
    return pixels


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs a browser; one process runs all of it."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))
            item.add_marker(pytest.mark.timeout(240))


def skip_without(executable: Path) -> None:
    """Skip the tests where a browser is missing, or fail where REQUIRE_BROWSER=1 says so."""
    if not executable.exists():
        reason = f"there is no {executable}"
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


# Not for the whole session: while Playwright runs, no other test of this process can use asyncio.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser. Without one the tests are skipped, or fail where REQUIRE_BROWSER=1 says so."""
    executable = SHELL if SHELL.exists() and "CHROMIUM" not in os.environ else CHROMIUM
    skip_without(executable)
    # Playwright runs an event loop in this thread, which Django takes for a mistake.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@dataclass
class Stack:
    """A running instance and the TikTok behind it."""

    url: str
    tiktok: FakeTikTok
    folder: Path


def free_port() -> int:
    """A port nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


@contextmanager
def running_instance() -> Iterator[Stack]:
    """`manage.py up` in a folder of its own. Slow enough a TikTok to see things happen."""
    # Short: a Unix socket lies in it, and its path may have at most 100 bytes.
    folder = Path(tempfile.mkdtemp(prefix="sk-web-", dir="/tmp"))
    tiktok = FakeTikTok()
    demo(tiktok)
    slow = tiktok.account("slow.tide", nickname="Slow Tide")
    for number in range(4):
        slow.video(seconds=3, min_bytes=3_000_000, label=f"Tide {number}", caption=f"tide {number}")
    last = tiktok.account("last.tide", nickname="Last Tide")
    last.photo(size=(90, 160), caption="first")
    last.video(seconds=3, min_bytes=40_000_000, caption="is on its way for twenty seconds")
    gallery = tiktok.account("long.gallery", nickname="Long Gallery")
    gallery.carousel(12, size=(90, 160), caption="twelve of them")
    busy = tiktok.account("busy.bakery", nickname="Busy Bakery")
    for number in range(64):
        busy.photo(size=(90, 160), caption=f"loaf {number}")
    port = free_port()
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("STORYKEEP_")
    }
    inherited.pop("DJANGO_SETTINGS_MODULE", None)
    with running_proxy(tiktok, folder, latency_s=0.05, bytes_per_s=2_000_000) as proxy:
        settings = {
            "STORYKEEP_DATA_DIR": str(folder / "data"),
            "STORYKEEP_PORT": str(port),
            "STORYKEEP_PROXY": proxy.url,
            "STORYKEEP_CA_BUNDLE": proxy.ca_path,
            "STORYKEEP_ADMIN_USER": NAME,
            "STORYKEEP_ADMIN_PASSWORD": PASSWORD,
            "STORYKEEP_LIST_RATE": "0",
            "STORYKEEP_PUSH_CONTACT": "keeper@example.org",
            "STORYKEEP_LIBRARY_DIR": str(folder / "library"),
        }
        log = (folder / "up.log").open("w+")
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env=inherited | settings,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        url = f"http://localhost:{port}"  # a secure context, unlike other names without TLS
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not _is_ready(url):
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"the instance did not start:\n{Path(log.name).read_text()}")
                time.sleep(0.2)
            yield Stack(url, tiktok, folder)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE_S)
            process.kill()
            process.wait()
            log.close()
            if os.environ.get("SHOW_UP_LOG"):
                sys.stderr.write(Path(log.name).read_text())
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="package")
def stack(chromium: Browser) -> Iterator[Stack]:
    """An instance all tests of this folder share; none is started where there is no browser."""
    with running_instance() as running:
        yield running


@dataclass
class Witness:
    """What a page did that it should not: errors in the console, requests to elsewhere."""

    errors: list[str] = field(default_factory=list)
    abroad: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def watch(self, page: Page, home: str) -> None:
        """Take notes from now on."""

        def console(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"}:
                self.errors.append(f"{message.text} ({message.location})")

        def request(sent: Request) -> None:
            if not sent.url.startswith((home, "data:", "blob:", "about:")):
                self.abroad.append(sent.url)

        page.on("console", console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", request)

    def check(self) -> None:
        """Nothing of the kind happened."""
        bad = [error for error in self.errors if not any(part in error for part in self.expected)]
        assert not bad, bad
        assert not self.abroad, self.abroad


@pytest.fixture
def witness() -> Witness:
    """Set `expected` to let a known error pass."""
    return Witness()


Open = Callable[..., Page]


@pytest.fixture
def signed_in(chromium: Browser, stack: Stack, tmp_path: Path) -> Callable[..., BrowserContext]:
    """Contexts of a device with a session: `signed_in("phone", java_script_enabled=False)`."""
    state = stack.folder / "state.json"

    def make(device: str, **more: Any) -> BrowserContext:
        if not state.exists():
            context = chromium.new_context(base_url=stack.url)
            page = context.new_page()
            page.goto("/login/")
            page.fill("#id_username", NAME)
            page.fill("#id_password", PASSWORD)
            page.click("main button")
            page.wait_for_url(f"{stack.url}/")
            context.storage_state(path=state)
            context.close()
        settings = DEVICES[device] | {"base_url": stack.url, "storage_state": state} | more
        return chromium.new_context(**settings)

    return make


@pytest.fixture
def visit(
    signed_in: Callable[..., BrowserContext], stack: Stack, witness: Witness
) -> Iterator[Open]:
    """Pages of a signed-in person; what they did is judged when the test is over."""
    contexts = []

    def make(device: str = "desktop", **more: Any) -> Page:
        if more.get("service_workers") == "block":
            witness.expected.append("Service Worker registration blocked")
        context = signed_in(device, **more)
        contexts.append(context)
        page = context.new_page()
        witness.watch(page, stack.url)
        return page

    yield make
    for context in contexts:
        context.close()
    witness.check()


@contextmanager
def saved(page: Page, folder: Path) -> Iterator[list[Path]]:
    """The file a click inside the block downloads, under the name the server gave it."""
    files: list[Path] = []
    with page.expect_download() as download:
        yield files
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    files.append(path)
