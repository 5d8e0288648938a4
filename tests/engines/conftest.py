"""A real instance, looked at by Chromium, Firefox and WebKit, each as a phone and as a desktop."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Playwright, sync_playwright

from tests.browser.conftest import CHROMIUM, CHROMIUM_ARGS, NAME, PASSWORD, Stack, running_instance
from tests.engines.screens import PlaywrightScreen, Screen, WebKitScreen
from tests.engines.webdriver import DRIVER, webkit

FIREFOX: Final = Path(os.environ.get("FIREFOX", "/usr/bin/firefox-esr"))
ENGINES: Final = {"chromium": CHROMIUM, "firefox": FIREFOX, "webkit": DRIVER}
SIZES: Final = {"phone": (390, 844), "desktop": (1440, 900)}
SHARES: Final = """
window.shared = [];
navigator.canShare = () => true;
navigator.share = async ({ files }) => {
  if (!navigator.userActivation.isActive) throw new DOMException("", "NotAllowedError");
  shared.push([...files].map(({ name, type, size }) => [name, type, size]));
};
const { matchMedia } = window;
window.matchMedia = (query) => {
  const found = matchMedia.call(window, query);
  if (!query.includes("pointer: coarse")) return found;
  return new Proxy(found, { get: (list, name) => (name === "matches" ? true : list[name]) });
};
0  // else the function itself is called, and waited for
"""
"""What a phone has, and a headless browser on a desktop lacks."""

Open = Callable[..., Screen]


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One process runs all of this folder: it shares an instance."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("engines"))
            item.add_marker(pytest.mark.timeout(240))


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """What drives Chromium and Firefox."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # it runs an event loop in this thread
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def stack(playwright: Playwright) -> Iterator[Stack]:
    """An instance that all tests of this folder share."""
    with running_instance() as running:
        yield running


@contextmanager
def playwright_screen(
    playwright: Playwright,
    engine: str,
    base: str,
    device: str,
    *,
    size: tuple[int, int] | None = None,
    script: str = "",
) -> Iterator[Screen]:
    """A window of Chromium or Firefox. size: in CSS pixels, the device's without one.

    script: runs in each page before the page's own.
    """
    width, height = size or SIZES[device]
    options: dict[str, Any] = {"viewport": {"width": width, "height": height}}
    if engine == "chromium":
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        if device == "phone":
            options |= {"is_mobile": True, "has_touch": True, "device_scale_factor": 2}
    else:
        preferences: dict[str, str | float | bool] = {"dom.w3c_touch_events.enabled": 1}
        if device == "phone":
            preferences["ui.primaryPointerCapabilities"] = 1  # coarse
        browser = playwright.firefox.launch(
            channel="moz-firefox", executable_path=FIREFOX, firefox_user_prefs=preferences
        )
    try:
        page = browser.new_context(**options).new_page()
        if script:
            page.add_init_script(script)
        yield PlaywrightScreen(engine, base, page, phone=device == "phone")
    finally:
        browser.close()


@contextmanager
def webkit_screen(
    base: str,
    device: str,
    folder: Path,
    *,
    size: tuple[int, int] | None = None,
    script: str = "",
) -> Iterator[Screen]:
    """A window of WebKit, with the same arguments. folder: for its log."""
    width, height = size or SIZES[device]
    with webkit(f"{width}x{height}", folder, script) as session:
        yield WebKitScreen(base, session, phone=device == "phone")


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine by turns. One that is missing is skipped; with REQUIRE_BROWSER=1 it fails."""
    name: str = request.param
    if not ENGINES[name].exists():
        reason = f"there is no {ENGINES[name]}"
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return name


@pytest.fixture
def visit(engine: str, playwright: Playwright, stack: Stack, tmp_path: Path) -> Iterator[Open]:
    """Windows of a person who is signed in: `visit("phone")`."""
    with ExitStack() as open_screens:

        def make(device: str, *, script: str = "") -> Screen:
            screen = open_screens.enter_context(
                webkit_screen(stack.url, device, tmp_path, script=script)
                if engine == "webkit"
                else playwright_screen(playwright, engine, stack.url, device, script=script)
            )
            screen.sign_in(NAME, PASSWORD)
            return screen

        yield make
