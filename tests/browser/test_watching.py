"""Watching on a phone: an account is added, its stories are found, and collected."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open, Stack, saved, sideways
from tests.browser.test_main_path import settle, until
from tests.browser.test_pages import faults
from tests.fake_tiktok.accounts import HOURS

PATIENCE_MS = 30_000
HOME = "fetch('/').then((answer) => answer.text())"


def card(page: Page, name: str) -> Locator:
    """What the page shows of one watch."""
    return page.locator(".watch", has_text=f"@{name}")


def watch(page: Page, name: str) -> None:
    """Begin to watch an account."""
    page.goto("/watching/")
    page.fill("#line", f"@{name}")
    page.get_by_role("button", name="Watch", exact=True).click()
    expect(card(page, name)).to_be_visible()


@pytest.fixture
def clean(visit: Open) -> Iterator[None]:
    """Nobody is watched before and after a test."""

    def stop_all() -> None:
        page = visit()
        page.goto("/watching/")
        while page.locator(".watch").count():
            first = page.locator(".watch").first
            key = (first.get_attribute("id") or "").removeprefix("watch-")
            remove = first.locator("[value=remove]")
            if remove.count():
                remove.click()
            else:
                page.goto(f"/watching/{key}/stop/")
                page.locator("main form .danger").click()
            page.wait_for_url(re.compile(r"/watching/$"))
        page.close()

    stop_all()
    yield
    stop_all()


@pytest.mark.usefixtures("clean")
def test_adding_finding_and_collecting_on_a_phone(
    visit: Open, stack: Stack, tmp_path: Path
) -> None:
    morning = stack.tiktok.account("watched.morning", nickname="Watched Morning 🌅")
    morning.photo(size=(90, 160), caption="one", ago_s=2 * HOURS)
    morning.photo(size=(90, 160), caption="two", ago_s=1 * HOURS)
    page = visit("phone")
    page.goto("/")
    page.get_by_role("link", name="Watching").tap()
    page.wait_for_url(re.compile(r"/watching/$"))
    watch(page, "watched.morning")

    # The page goes on by itself, without anything being lost that is being typed.
    mine = card(page, "watched.morning")
    mine.locator("summary").tap()
    mine.get_by_label("Note").fill("half a no")
    expect(mine.locator(".words")).to_contain_text(
        re.compile("Found 2 stories"), timeout=PATIENCE_MS
    )
    expect(mine.get_by_role("heading")).to_contain_text("Watched Morning")
    expect(mine.get_by_label("Note")).to_have_value("half a no")
    expect(page.locator("#cost")).to_contain_text("1 account = 4 looks a day")
    expect(mine.locator(".week li")).to_have_count(7)
    assert sideways(page) <= 0

    mine.get_by_role("link", name="Open").tap()
    settle(page)
    expect(page.locator("#job-clock")).to_contain_text("Kept until you have it, until")
    expect(page.get_by_text("Watched: @watched.morning")).to_be_visible()
    job = page.url
    page.goto("/")
    found = page.locator("#found li")
    expect(found).to_have_text(re.compile(r"2 new from @watched\.morning, kept until \w+day"))
    found.get_by_role("link").tap()
    page.wait_for_url(job)

    # One as a file, the other one in a ZIP of both.
    with saved(page, tmp_path) as files:
        page.get_by_role("link", name=re.compile("Download image")).first.click()
    assert files[0].read_bytes()[0] == 0xFF
    until(page, f"{HOME}.then((text) => text.includes('1 new from'))")
    page.goto(job)
    with saved(page, tmp_path) as files:
        page.get_by_role("button", name=re.compile(r"Save 2 files · ")).click()
    until(page, f"{HOME}.then((text) => !text.includes('id=\"found\"'))")
    page.goto(job)
    expect(page.locator("#job-clock")).to_contain_text("Files are deleted in")


@pytest.mark.usefixtures("clean")
def test_a_private_and_a_missing_account_are_refused_there(visit: Open) -> None:
    page = visit("phone")
    watch(page, "locked.diary")
    mine = card(page, "locked.diary")
    expect(mine).to_contain_text("This account is private.", timeout=PATIENCE_MS)
    expect(mine.locator(".week")).to_have_count(0)
    # Without a reload nothing is left of a watch that there is not.
    expect(mine.locator("details")).to_have_count(0)
    expect(page.locator("#cost")).to_have_text("You watch 0 of at most 5.")
    mine.get_by_role("button", name="Remove").tap()
    expect(card(page, "locked.diary")).to_have_count(0)
    expect(page.get_by_text("You watch nobody yet.")).to_be_visible()


@pytest.mark.usefixtures("clean")
def test_what_all_that_is_watched_comes_to_is_kept_up(visit: Open) -> None:
    page = visit("phone")
    watch(page, "quiet.owl")
    expect(card(page, "quiet.owl")).to_contain_text("Nothing new", timeout=PATIENCE_MS)
    watch(page, "locked.diary")
    expect(card(page, "locked.diary")).to_contain_text("private", timeout=PATIENCE_MS)
    expect(page.locator("#cost")).to_contain_text("You watch 1 of at most 5. 1 account =")
    expect(page.get_by_role("button", name="Pause all")).to_have_count(0)
    mine = card(page, "quiet.owl")
    mine.locator("summary").tap()
    mine.get_by_role("button", name="Save").tap()
    expect(mine.get_by_text("Saved.")).to_be_visible()
    # What was said moves nothing: what can be done stays beside the settings.
    acts, settings = (mine.locator(part).bounding_box() for part in (".acts", ".options"))
    assert acts
    assert settings
    assert settings["y"] < acts["y"] + acts["height"]
    assert settings["x"] > acts["x"]


@pytest.mark.usefixtures("clean")
def test_it_works_without_a_script(visit: Open) -> None:
    page = visit("phone", java_script_enabled=False)
    watch(page, "quiet.owl")
    mine = card(page, "quiet.owl")
    # It refreshes by itself, as long as something is waited for.
    expect(mine).to_contain_text("Nothing new so far.", timeout=PATIENCE_MS)
    mine.get_by_role("button", name="Pause").click()
    expect(mine).to_contain_text("Nobody looks until you resume it.")
    mine.get_by_role("button", name="Resume").click()
    expect(mine.get_by_role("button", name="Pause")).to_be_visible()
    mine.locator("summary").click()
    mine.get_by_label("How often").select_option("43200")
    mine.get_by_role("button", name="Save").click()
    expect(page.locator("#cost")).to_contain_text("1 account = 2 looks a day")
    expect(mine.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    mine.get_by_role("link", name="Stop watching").click()
    page.get_by_role("button", name="Stop watching").click()
    expect(page.get_by_role("status").first).to_contain_text("You no longer watch @quiet.owl.")


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wrong_with_the_page(scheme: str, visit: Open) -> None:
    narrow = {"width": 320, "height": 640}
    page = visit("phone", color_scheme=scheme, bypass_csp=True, viewport=narrow)
    page.goto("/watching/")
    assert not faults(page)
    assert sideways(page) <= 0
    for name in ("harbour.bakery", "locked.diary"):
        watch(page, name)
    expect(card(page, "harbour.bakery")).to_contain_text(
        re.compile("Found|Nothing new"), timeout=PATIENCE_MS
    )
    expect(card(page, "locked.diary")).to_contain_text("private", timeout=PATIENCE_MS)
    card(page, "harbour.bakery").locator("summary").tap()
    assert not faults(page)
    assert sideways(page) <= 0


@pytest.mark.usefixtures("clean")
def test_it_is_asked_in_a_dialog_before_a_watch_is_stopped(visit: Open) -> None:
    page = visit("desktop")
    watch(page, "quiet.owl")
    card(page, "quiet.owl").get_by_role("link", name="Stop watching").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Stop watching @quiet.owl?")
    dialog.get_by_role("button", name="Keep watching").or_(
        dialog.get_by_role("link", name="Keep watching")
    ).click()
    expect(dialog).to_be_hidden()
    card(page, "quiet.owl").get_by_role("link", name="Stop watching").click()
    dialog.get_by_role("button", name="Stop watching").click()
    expect(page.get_by_text("You watch nobody yet.")).to_be_visible()
