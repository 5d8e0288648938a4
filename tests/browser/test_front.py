"""A sign-in stands in front of the instance, and its session ends while a page is open."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Stack, saved
from tests.browser.front import Front, standing_before
from tests.browser.test_main_path import paste, settle, until
from tests.browser.test_scripts import controlled

SIGN_IN = "Who is there?"


@pytest.fixture
def front(stack: Stack) -> Iterator[Front]:
    """A proxy before the instance, which lets everybody in until it is told otherwise."""
    with standing_before(urlsplit(stack.url).port or 0) as proxy:
        yield proxy


Behind = Callable[..., Page]


@pytest.fixture
def behind(signed_in: Callable[..., BrowserContext], front: Front) -> Iterator[Behind]:
    """Pages of a signed-in person who comes through the proxy."""
    contexts = []

    def make(device: str = "desktop", **more: object) -> Page:
        context = signed_in(device, base_url=front.url, **more)
        contexts.append(context)
        return context.new_page()

    yield make
    for context in contexts:
        context.close()


def door(page: Page) -> None:
    """Until the page is the proxy's sign-in."""
    expect(page.get_by_role("heading", name=SIGN_IN)).to_be_visible(timeout=20_000)


@pytest.mark.parametrize("way", ["elsewhere", "page"])
def test_a_job_page_whose_proxy_forgot_the_session_leads_to_the_sign_in_and_back(
    way: str, front: Front, behind: Behind
) -> None:
    page = behind()
    paste(page, "@slow.tide")
    job = page.url
    front.closed = way
    door(page)
    front.closed = ""
    page.goto(job)
    settle(page)
    expect(page.locator("#connection")).to_be_hidden()


def test_a_sign_in_elsewhere_comes_back_to_the_job(front: Front, behind: Behind) -> None:
    page = behind()
    paste(page, "@slow.tide")
    job = page.url
    front.closed = "elsewhere"
    door(page)
    page.get_by_role("link", name="Me").click()
    page.wait_for_url(job)
    settle(page)


@pytest.mark.parametrize("way", ["elsewhere", "page"])
def test_a_proxy_that_refuses_scripts_alone_is_said_in_words_and_not_tried_for_ever(
    way: str, front: Front, behind: Behind
) -> None:
    page = behind()
    loaded: list[str] = []
    page.on("domcontentloaded", lambda page: loaded.append(page.url))
    paste(page, "@slow.tide")
    front.spares = lambda _method, path: "/progress/" not in path
    before = len(loaded)
    front.closed = way
    notice = page.locator("#connection")
    expect(notice).to_contain_text("Your sign-in has ended. The job goes on.", timeout=20_000)
    assert len(loaded) == before + 1
    asked = len(front.refused)
    page.evaluate("window.dispatchEvent(new Event('online'))")
    until_asked(page, front, asked)
    page.wait_for_timeout(500)
    assert len(loaded) == before + 1
    link = notice.get_by_role("link", name="Sign in again")
    assert link.evaluate("link => link.href") == page.url
    front.closed = ""
    page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(notice).to_be_hidden()


def until_asked(page: Page, front: Front, count: int) -> None:
    """Until the proxy refused more than that many requests."""
    for _ in range(200):
        if len(front.refused) > count:
            return
        page.wait_for_timeout(50)
    pytest.fail("nothing was asked")


@pytest.mark.parametrize("workers", ["allow", "block"])
def test_lines_that_were_typed_survive_a_sign_in_elsewhere(
    workers: str, front: Front, behind: Behind
) -> None:
    page = behind("phone", service_workers=workers)
    page.goto("/")
    if workers == "allow":
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        page.reload()
    page.fill("#id_text", "@tiny.garden\n@foggy.morning")
    front.closed = "elsewhere"
    page.click("[data-submit]")
    door(page)
    page.get_by_role("link", name="Me").click()
    expect(page.locator("#id_text")).to_have_value("@tiny.garden\n@foggy.morning")
    page.click("[data-submit]")
    page.wait_for_url(re.compile(r"/jobs/"))


def test_a_button_on_a_job_page_leads_to_the_sign_in_elsewhere(
    front: Front, behind: Behind
) -> None:
    page = behind(service_workers="block")
    paste(page, "@foggy.morning")
    settle(page)
    job = page.url
    front.closed = "elsewhere"
    page.get_by_role("button", name="Keep longer").click()
    page.get_by_role("button", name="Keep 8 h longer").click()
    door(page)
    page.get_by_role("link", name="Me").click()
    page.wait_for_url(job)


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_download_while_signed_out_is_the_sign_in_page_and_no_file(
    script: bool, front: Front, behind: Behind, tmp_path: Path
) -> None:
    page = behind(java_script_enabled=script)
    files: list[str] = []
    page.on("download", lambda download: files.append(download.suggested_filename))
    page.goto("/")
    page.fill("#id_text", "@foggy.morning")
    page.click("[data-submit]")
    page.wait_for_url(re.compile(r"/jobs/"))
    page.wait_for_selector("#job[data-settled]", timeout=60_000)
    job = page.url
    link = page.locator("a.button.take:visible").first
    with saved(page, tmp_path):
        link.click()
    assert page.url == job  # a file does not take the page away
    cookies = page.context.cookies()
    page.context.clear_cookies()
    link.click()
    page.wait_for_url(re.compile(r"/login/\?next="))
    page.context.add_cookies(cookies)  # type: ignore[arg-type]
    page.goto(job)
    front.closed = "elsewhere"
    link.click()
    door(page)
    assert len(files) == 1


def test_a_film_that_is_refused_leads_to_the_sign_in(front: Front, behind: Behind) -> None:
    page = behind()
    paste(page, "@harbour.bakery")
    settle(page)
    front.closed = "elsewhere"
    page.locator("a.frame").first.click()
    door(page)


def test_sharing_while_the_proxy_lets_nobody_in_asks_to_sign_in(
    front: Front, behind: Behind
) -> None:
    page = behind("phone")
    page.add_init_script(
        "navigator.canShare = () => true; navigator.share = () => Promise.resolve();"
    )
    paste(page, "@foggy.morning")
    settle(page)
    for way in ("elsewhere", "page", "401"):
        front.closed = way
        page.locator("#share-all").tap()
        expect(page.locator("#share [role=alert]")).to_contain_text("Sign in again")
        page.get_by_role("button", name="Close").tap()
    page.locator("#share-all").tap()
    page.locator("#share").get_by_role("link", name="Sign in").tap()
    door(page)


def test_a_request_that_is_never_answered_is_given_up_and_asked_again(
    front: Front, behind: Behind
) -> None:
    page = behind()
    page.clock.install()
    paste(page, "@slow.tide")
    front.silent = "/progress/"
    notice = page.locator("#connection")
    for _ in range(12):
        page.clock.run_for(5_000)
        page.wait_for_timeout(50)
        if notice.is_visible():
            break
    expect(notice).to_contain_text("Connection lost")
    front.silent = ""
    page.clock.resume()
    settle(page)
    expect(notice).to_be_hidden()


def test_a_page_that_wakes_up_does_not_wait_for_an_answer_of_before(
    front: Front, behind: Behind
) -> None:
    page = behind()
    paste(page, "@slow.tide")
    front.silent = "/progress/"
    page.wait_for_timeout(1500)  # one is on its way by now, and stays there
    front.silent = ""
    before = len(front.statuses)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(1000)
    assert any("/progress/" in path for _, _, path in front.statuses[before:])
    expect(page.locator("#connection")).to_be_hidden()


# --- the service worker -------------------------------------------------------------------------

NO_WORKER = "navigator.serviceWorker.getRegistration().then((known) => !known)"
PATIENCE_MS = 4_000
"""Of the service worker: as long as a busy machine may take for all of its files."""
NOTHING_KEPT = "caches.keys().then((names) => names.length === 0)"


@pytest.mark.parametrize("place", ["/offline/", "/static/share-plan."])
@pytest.mark.parametrize("way", ["page", "elsewhere", "401"])
def test_a_sign_in_page_is_not_kept_in_the_place_of_what_is_ours(
    place: str, way: str, front: Front, behind: Behind
) -> None:
    page = behind()
    front.spares = lambda _method, path: place not in path
    front.closed = way
    page.goto("/")
    until_asked(page, front, 0)
    until(page, NO_WORKER)
    until(page, NOTHING_KEPT)
    front.closed = ""
    page.reload()
    controlled(page)
    kept = page.evaluate("caches.match('/offline/').then((answer) => answer.text())")
    assert "No connection to Storykeep" in kept
    assert SIGN_IN not in kept


def test_a_page_that_never_comes_is_given_up_for_the_one_that_says_so(
    front: Front, behind: Behind
) -> None:
    front.patience_ms = PATIENCE_MS
    page = behind()
    page.goto("/")
    controlled(page)
    front.silent = "/help/"
    page.goto("/help/")
    expect(page.get_by_role("heading", name="No connection to Storykeep")).to_be_visible()
    page.goto("/history/")  # not the same one: the browser still waits for that
    expect(page.get_by_role("heading", name="History")).to_be_visible()


def test_a_service_worker_whose_files_never_come_is_given_up_and_tried_again(
    front: Front, behind: Behind
) -> None:
    front.patience_ms = PATIENCE_MS
    page = behind()
    front.silent = "/offline/"
    page.goto("/")
    until(page, "navigator.serviceWorker.getRegistration().then((known) => Boolean(known))")
    until(page, NO_WORKER)
    front.patience_ms = 0
    front.silent = ""
    page.reload()
    controlled(page)
