"""A phone: files into its photo roll in two taps, the site on its home screen."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, Witness, sideways
from tests.browser.test_main_path import paste, settle, until
from tests.browser.test_pages import faults

# What an iPhone has and a headless browser lacks. Like it, this shares only inside a tap.
IPHONE = "Object.defineProperty(navigator, 'standalone', {get: () => window.installed === true});"
SHARES = """
window.shared = [];
window.answers = [];
navigator.canShare = (what) => !window.picky && what.files.length > 0;
navigator.share = async (what) => {
    if (!navigator.userActivation.isActive) throw new DOMException("no tap", "NotAllowedError");
    const answer = window.answers.shift();
    if (answer) throw new DOMException("", answer);
    const seen = [];
    for (const file of what.files) {
        const start = new Uint8Array(await file.slice(0, 12).arrayBuffer());
        seen.push([file instanceof File, file.name, file.type, file.size, [...start]]);
    }
    window.shared.push(seen);
};
"""
INSTALLED = f"window.installed = true; {IPHONE}"


def on_phone(visit: Open, system: str = IPHONE, **more: Any) -> Page:
    """A page of a phone that can share, an iPhone when nothing else is said."""
    page = visit("phone", **more)
    for script in (SHARES, system):
        page.add_init_script(script)
    return page


def shared(page: Page) -> list[list[list[Any]]]:
    """What the phone was handed so far."""
    shared: list[list[list[Any]]] = page.evaluate("window.shared")
    return shared


def test_two_taps_to_the_photos(visit: Open) -> None:
    page = on_phone(visit)
    paste(page, "@harbour.bakery")
    settle(page)
    page.locator("#share-all").tap()
    go = page.locator("[data-go]")
    expect(go).to_have_text("Share 7 files")
    expect(go).to_be_focused()
    go.tap()
    until(page, "window.shared.length === 1")
    files = shared(page)[0]
    assert all(is_file for is_file, *_ in files)
    assert sorted(kind for _, _, kind, *_ in files) == ["image/jpeg"] * 5 + ["video/mp4"] * 2
    for _, name, kind, size, start in files:
        assert re.fullmatch(r"harbour\.bakery_\d{4}-\d\d-\d\d_\d{4}(_\d\d)?\.(mp4|jpg)", name)
        assert size > 1000
        assert bytes(start[4:8]) == b"ftyp" if kind == "video/mp4" else start[0] == 0xFF
    expect(page.locator("#share")).to_be_hidden()

    # One tile, two of them, and the one in the viewer.
    page.locator(".tile .button.share").first.tap()
    expect(go).to_have_text("Share 1 file")
    go.tap()
    for box in page.locator(".pick").all()[:2]:
        box.check()
    page.locator("#choose .button.share").tap()
    expect(go).to_have_text("Share 2 files")
    go.tap()
    page.locator("[data-clear]").tap()
    page.locator("a.frame").first.tap()
    page.locator("#viewer .button.share").tap()
    expect(go).to_have_text("Share 1 file")
    go.tap()
    until(page, "window.shared.length === 4")
    assert [len(files) for files in shared(page)] == [7, 1, 2, 1]


@pytest.mark.parametrize("locale", ["en", "de-DE"])
def test_the_sheet_has_no_fault_and_fits(locale: str, visit: Open) -> None:
    narrow = {"width": 320, "height": 640}
    page = on_phone(visit, bypass_csp=True, locale=locale, viewport=narrow)
    paste(page, "@foggy.morning")
    settle(page)
    page.locator("#share-all").tap()
    expect(page.locator("[data-go]")).to_be_enabled()
    assert not faults(page)
    assert sideways(page) <= 0
    inside = "(b => b.scrollWidth <= b.clientWidth)"
    assert page.evaluate(f"{inside}(document.getElementById('share'))")
    for name in (".tile .button.share", "#share-all", "[data-go]"):
        assert page.evaluate(f"{inside}(document.querySelector({name!r}))"), name


def test_elsewhere_than_on_an_iphone_a_download_is_the_short_way(visit: Open) -> None:
    page = on_phone(visit, "")
    paste(page, "@harbour.bakery")
    settle(page)
    expect(page.locator("#share-all")).to_contain_text("Share")
    expect(page.locator(".tile .button.share").first).to_be_hidden()
    expect(page.get_by_role("link", name=re.compile("Download MP4")).first).to_be_visible()
    page.locator("a.frame").first.tap()
    expect(page.locator("#viewer .button.share")).to_be_visible()
    expect(page.locator("#viewer [data-save]")).to_be_visible()


def test_what_plain_http_cannot_do_is_said_once(visit: Open) -> None:
    page = visit("phone")
    page.add_init_script("Object.defineProperty(window, 'isSecureContext', {get: () => false});")
    page.goto("/")
    note = page.locator("[data-insecure]")
    expect(note).to_contain_text("uses http")
    expect(page.locator("[data-paste]")).to_be_hidden()
    note.get_by_role("button").tap()
    expect(note).to_be_hidden()
    page.reload()
    expect(page.get_by_role("button", name="Save stories")).to_be_visible()
    expect(note).to_be_hidden()


def test_a_file_that_is_lost_is_said(visit: Open, witness: Witness) -> None:
    witness.expected += ["ERR_FAILED", "410"]
    page = on_phone(visit, service_workers="block")  # it would keep the 410 from the page
    paste(page, "@harbour.bakery")
    settle(page)
    first = page.locator("a.frame").first.get_attribute("data-share") or ""
    page.route(f"**{first}", lambda route: route.fulfill(status=410))
    page.locator("#share-all").tap()
    expect(page.locator("[data-go]")).to_have_text("Share 6 files")
    expect(page.locator("#share [role=alert]")).to_contain_text("1 file could not be fetched")


@pytest.mark.parametrize("system", [IPHONE, INSTALLED], ids=["browser", "installed"])
def test_whose_session_is_over_is_asked_to_sign_in(
    system: str, visit: Open, witness: Witness
) -> None:
    page = on_phone(visit, system, service_workers="block")  # it would keep the 401 from the page
    paste(page, "@harbour.bakery")
    settle(page)
    address = page.url
    cookies = page.context.cookies()
    page.context.clear_cookies()
    page.locator("#share-all").tap()
    alert = page.locator("#share [role=alert]")
    expect(alert).to_contain_text("Sign in again", timeout=20_000)
    expect(alert).not_to_contain_text("could not be fetched")
    expect(page.locator("[data-go]")).to_be_hidden()
    link = page.locator("#share").get_by_role("link", name="Sign in")
    expect(link).to_be_focused()
    link.tap()
    page.wait_for_url(re.compile(r"/login/\?next=/jobs/"))
    page.context.add_cookies(
        [
            {"name": c["name"], "value": c["value"], "domain": c["domain"], "path": c["path"]}
            for c in cookies
        ]
    )
    page.goto(address)
    # What stands in front of us may refuse in words of its own.
    witness.expected.append("401")
    page.route("**/files/**", lambda route: route.fulfill(status=401))
    page.locator("#share-all").tap()
    expect(alert).to_contain_text("Sign in again", timeout=20_000)
    page.unroute_all()
    page.get_by_role("button", name="Close").tap()
    page.locator("#share-all").tap()
    expect(page.locator("[data-go]")).to_have_text(re.compile("7 files"))
    expect(alert).to_be_hidden()


def test_the_installed_app_has_no_dead_ends(visit: Open) -> None:
    page = on_phone(visit, INSTALLED)
    paste(page, "@harbour.bakery")
    settle(page)
    expect(page.get_by_role("button", name="Save to Photos").first).to_be_visible()
    page.locator(".tile").filter(has=page.locator(".badge.kind", has_text="4")).locator(
        ".more"
    ).first.tap()
    page.get_by_role("link", name=re.compile("Download ZIP")).first.tap()
    page.locator("[data-go]").tap()
    until(page, "window.shared.length === 1")
    assert shared(page)[0][0][2] == "application/zip"
    # Where it cannot share either, there is no download link to be trapped by.
    page = visit("phone")
    page.add_init_script(INSTALLED)
    paste(page, "@foggy.morning")
    settle(page)
    expect(page.locator(".no-share")).to_be_visible()
    for link in page.locator("a[data-download]").all():
        expect(link).to_be_hidden()


@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_where_nothing_can_be_shared_nothing_is_offered(device: str, visit: Open) -> None:
    page = visit(device)
    paste(page, "@foggy.morning")
    settle(page)
    for button in page.locator(".button.share").all():
        expect(button).to_be_hidden()
    expect(page.get_by_role("link", name=re.compile("Download")).first).to_be_visible()


def test_only_the_shell_is_kept_and_shown_offline(visit: Open, witness: Witness) -> None:
    witness.expected += ["ERR_INTERNET_DISCONNECTED", "Failed to fetch"]
    page = visit("phone")
    paste(page, "@foggy.morning")
    settle(page)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.goto("/history/")
    cached: list[str] = page.evaluate(
        """async () => {
            const found = [];
            for (const name of await caches.keys()) {
                const cache = await caches.open(name);
                for (const request of await cache.keys()) found.push(new URL(request.url).pathname);
            }
            return found;
        }"""
    )
    assert "/offline/" in cached
    assert all(path == "/offline/" or path.startswith("/static/") for path in cached), cached
    page.context.set_offline(True)
    page.goto("/history/")
    expect(page.get_by_role("heading", name="No connection to Storykeep")).to_be_visible()
    page.context.set_offline(False)
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_role("heading", name="History")).to_be_visible()


def test_shared_text_arrives_in_the_box(visit: Open) -> None:
    page = visit("phone")
    page.goto("/?title=Look&text=Watch+this%3A+https%3A%2F%2Fvm.tiktok.com%2FZMabcdef1%2F&url=")
    expect(page.locator("#id_text")).to_have_value(re.compile("vm.tiktok.com/ZMabcdef1/"))
    expect(page.get_by_role("button", name="Save from 1 link")).to_be_visible()


def test_the_theme_is_chosen_without_a_flash(visit: Open) -> None:
    page = visit(color_scheme="light", java_script_enabled=False)
    page.goto("/account/")
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="System").click()
    expect(page.locator("html")).not_to_have_attribute("data-theme", "dark")
