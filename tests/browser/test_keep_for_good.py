"""Keeping for good: from a tap in a tile's menu to a file in the library's folder, and back."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open, Stack, sideways
from tests.browser.test_main_path import paste, settle
from tests.browser.test_pages import faults

PATIENCE_S = 60


def files_of(stack: Stack, name: str) -> list[Path]:
    """Pictures and videos of an account in the library."""
    found = (stack.folder / "library").glob(f"*/{name}/*/*")
    return sorted(path for path in found if path.suffix in {".jpg", ".mp4", ".webp", ".png"})


def choose(page: Page, mode: str) -> None:
    """Say what is kept for good."""
    page.goto("/account/library/")
    page.locator(f"[name=mode][value={mode}]").check()
    page.get_by_role("button", name="Save", exact=True).first.click()
    expect(page.get_by_role("status")).to_contain_text("Saved.")


def kept(page: Page, tile: Locator, *, script: bool = True) -> None:
    """The page says so of the tile, as soon as the worker has been there: by itself, where there is
    a script."""
    deadline = time.monotonic() + PATIENCE_S
    while not tile.get_by_text("Kept for good").first.is_visible():
        assert time.monotonic() < deadline, tile.inner_text()
        page.wait_for_timeout(500)
        if not script:
            page.reload()


@pytest.fixture
def asked(visit: Open) -> Iterator[None]:
    """One is asked at each story, for as long as the test runs; others have no library."""
    page = visit()
    choose(page, "ask")
    yield
    choose(page, "never")


@pytest.mark.usefixtures("asked")
def test_a_tile_is_kept_for_good_and_forgotten_with_its_job(visit: Open, stack: Stack) -> None:
    shelf = stack.tiktok.account("window.shelf", nickname="Window Shelf")
    for number in range(3):
        shelf.photo(size=(90, 160), caption=f"jar {number}")
    page = visit("phone")
    paste(page, "@window.shelf")
    settle(page)
    job = page.url
    tile = page.locator(".tile").first
    key = tile.get_attribute("id")
    expect(page.get_by_text("Kept for good")).to_have_count(0)
    assert files_of(stack, "window.shelf") == []
    tile.locator(".more").tap()
    page.locator(":popover-open").get_by_role("button", name="Keep for good").tap()
    expect(page.locator(".messages")).to_contain_text("being copied to the library")
    assert page.url.split("#")[0] == job
    mine = page.locator(f"#{key}")
    expect(mine.locator(".library")).to_have_text(
        re.compile("Being copied to the library|Kept for good")
    )
    kept(page, mine)
    assert page.locator(".tile .library").count() == 1  # the others are not
    [path] = files_of(stack, "window.shelf")
    assert path.stat().st_size > 0
    assert path.with_name(f"{path.name}.xmp").exists()
    mine.locator(".more").tap()
    expect(mine.locator(".pop")).to_contain_text("Kept for good")
    expect(mine.get_by_role("button", name=re.compile("Keep for good"))).to_have_count(0)

    page.goto("/account/library/")
    expect(page.get_by_text("1 file kept")).to_be_visible()

    # From the history as from its own page, it is asked about the copy before anything goes.
    page.goto("/history/")
    row = page.locator(f"#job-{job.rstrip('/').rpartition('/')[2]}")
    row.locator("a[data-confirm]").tap()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Also delete its copy in the library")).to_be_visible()
    dialog.get_by_text("Keep the job", exact=True).tap()
    row.locator("input[name=job]").check()
    page.locator("#chosen").get_by_role("button", name="Forget").tap()
    expect(page.get_by_label("Also delete its copy in the library")).to_be_visible()
    page.goto(job)
    page.get_by_role("link", name="Forget this job").tap()
    box = dialog.get_by_label("Also delete its copy in the library")
    expect(box).not_to_be_checked()
    assert sideways(page) <= 0
    box.check()
    dialog.get_by_role("button", name="Forget").tap()
    page.wait_for_url(re.compile("/history/"))
    deadline = time.monotonic() + PATIENCE_S
    while path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.usefixtures("asked")
def test_a_story_alone_is_kept_by_a_button_of_its_own_without_a_script(
    visit: Open, stack: Stack
) -> None:
    stack.tiktok.account("lone.lamp", nickname="Lone Lamp").photo(size=(90, 160), caption="lit")
    page = visit()
    paste(page, "@lone.lamp")
    settle(page)
    job = page.url
    page = visit("phone", java_script_enabled=False)
    page.goto(job)
    count = len(files_of(stack, "lone.lamp"))
    page.get_by_role("button", name="Keep for good").first.click()
    expect(page.locator(".messages")).to_contain_text("being copied to the library")
    kept(page, page.locator(".tile"), script=False)
    assert len(files_of(stack, "lone.lamp")) == count + 1
    expect(page.get_by_role("button", name="Keep for good")).to_have_count(0)


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wrong_with_what_is_offered(scheme: str, visit: Open, stack: Stack) -> None:
    box = stack.tiktok.account(f"{scheme}.box", nickname="Box")
    for number in range(3):
        box.photo(size=(90, 160), caption=f"picture {number}")
    narrow = {"width": 320, "height": 640}
    page = visit("phone", color_scheme=scheme, bypass_csp=True, viewport=narrow, locale="de-DE")
    paste(page, f"@{scheme}.box")
    settle(page)
    page.locator(".tile .more").first.tap()
    assert not faults(page)
    page.locator(":popover-open button[formaction$='/keep/']").tap()
    expect(page.locator(".messages")).to_be_visible()
    kept_line = page.locator(".tile .library").first
    expect(kept_line).to_be_visible()
    assert not faults(page)
    assert sideways(page) <= 0
    page.goto(f"{page.url.split('#')[0].split('?')[0]}forget/")
    expect(page.locator("[name=library]")).to_be_visible()
    assert not faults(page)
    assert sideways(page) <= 0
    page.goto("/account/library/")
    assert not faults(page)
