"""An instance below a path of somebody else's host: every address of it stays there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.error import URLError
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import DEVICES, NAME, PASSWORD, PATIENCE_S, ROOT, Open, Stack, free_port
from tests.browser.front import Front, standing_before
from tests.browser.test_main_path import settle, until

PREFIX = "/stories"  # as in the documentation, and the first part of addresses of ours
PAGES = ("", "account/", "phone/", "api/v1/docs", "admin/")
ADDRESSES = """() => {
    const data = ["fragment", "worker", "share", "save"].map((name) => `data-${name}`);
    const names = ["href", "src", "action", ...data];
    const found = [];
    for (const name of names)
        for (const node of document.querySelectorAll(`[${name}]`))
            if (node.getAttribute(name)) found.push([name, node.getAttribute(name)]);
    return found;
}"""


@contextmanager
def web_server(stack: Stack, port: int, public_url: str) -> Iterator[None]:
    """A second web server on the data of the running instance, with another public address."""
    inherited = {name: value for name, value in os.environ.items() if "STORYKEEP" not in name}
    inherited.pop("DJANGO_SETTINGS_MODULE", None)
    settings = {
        "STORYKEEP_DATA_DIR": str(stack.folder / "data"),
        "STORYKEEP_PUBLIC_URL": public_url,
        "STORYKEEP_DISK_MIN_FREE": "0",
    }
    argv = [sys.executable, "-m", "webapp.web", "--threads", "8", "--port", str(port)]
    process = subprocess.Popen(argv, cwd=ROOT, env=inherited | settings)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not _answers(f"http://127.0.0.1:{port}/health/live"):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


@pytest.fixture(scope="module", params=[False, True], ids=["whole path", "stripped path"])
def front(request: pytest.FixtureRequest, stack: Stack) -> Iterator[Front]:
    """A proxy that passes the path on whole, and one that cuts the prefix off."""
    port = free_port()
    with (
        standing_before(port, prefix=PREFIX, strips=request.param) as proxy,
        web_server(stack, port, proxy.url),
    ):
        yield proxy


@pytest.fixture
def page(chromium: Browser, front: Front) -> Iterator[Page]:
    """A phone that signed in below the prefix."""
    settings: dict[str, Any] = DEVICES["phone"]
    context = chromium.new_context(**settings)
    page = context.new_page()
    page.goto(f"{front.url}/?text=%40foggy.morning")
    page.fill("#id_username", NAME)
    page.fill("#id_password", PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.locator("#id_text")).to_have_value("@foggy.morning")
    yield page
    context.close()


def test_everything_below_a_sub_path_is_there_and_stays_there(page: Page, front: Front) -> None:
    assert page.url.startswith(f"{front.url}/")
    page.click("[data-submit]")
    settle(page)
    job = page.url
    paths = {cookie["path"] for cookie in page.context.cookies()}
    assert paths == {PREFIX}

    seen: set[str] = set()
    for address in (*(f"{front.url}/{name}" for name in PAGES), job):
        page.goto(address)
        for kind, found in page.evaluate(ADDRESSES):
            url = urlsplit(urljoin(page.url, found))
            if f"{url.scheme}://{url.netloc}" != front.url.removesuffix(PREFIX):
                continue
            assert url.path.startswith(f"{PREFIX}/"), (address, kind, found)
            if kind not in {"action", "data-worker"} and "logout" not in url.path:
                seen.add(url.geturl().partition("#")[0])
    assert len(seen) > 30
    broken = [url for url in sorted(seen) if page.request.get(url, max_redirects=0).status >= 400]
    assert not broken
    for status in (400, 403, 404, 500):
        assert not front.answers(status)

    manifest = page.request.get(f"{front.url}/manifest.webmanifest").json()
    assert manifest["scope"] == manifest["start_url"] == f"{PREFIX}/"
    assert re.fullmatch(rf"{PREFIX}/share/\d+/[\da-f]{{40}}/", manifest["share_target"]["action"])
    scope = page.evaluate("navigator.serviceWorker.ready.then((worker) => worker.scope)")
    assert scope == f"{front.url}/"

    # Buttons, whose addresses begin as the prefix does.
    page.goto(job)
    page.get_by_role("button", name="Keep longer").tap()
    page.get_by_role("button", name="Keep 8 h longer").tap()
    expect(page.get_by_role("status").filter(has_text="Files are kept until")).to_be_visible()
    page.locator(".tile .more").first.tap()
    page.get_by_role("link", name="Delete now").first.tap()
    # The page that asks, in a dialog.
    page.get_by_role("dialog").get_by_role("button", name="Delete now").tap()
    page.wait_for_url(f"{job}*")
    page.get_by_role("button", name="Fetch again").first.tap()
    page.wait_for_url(lambda url: url.startswith(f"{front.url}/jobs/") and url != job)
    settle(page)


def test_another_apps_caches_on_the_same_host_are_left_alone(visit: Open) -> None:
    page = visit()
    page.goto("/")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    names = """async () => (await caches.keys()).sort()"""
    page.evaluate("caches.open('a neighbour').then(() => caches.open('shell-neighbour'))")
    page.evaluate("navigator.serviceWorker.ready.then((worker) => worker.unregister())")
    page.evaluate(
        """async (offline) => {
            for (const name of await caches.keys())
                if (name.startsWith("storykeep")) await caches.delete(name);
            await (await caches.open("shell-older")).put(offline, new Response("x"));
        }""",
        "/offline/",
    )
    page.reload()
    until(page, f"({names})().then((all) => all.some((name) => name.startsWith('storykeep')))")
    until(page, f"({names})().then((all) => !all.includes('shell-older'))")
    kept = page.evaluate(names)
    assert {"a neighbour", "shell-neighbour"} <= set(kept)
