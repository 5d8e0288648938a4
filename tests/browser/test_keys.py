"""The keyboard where lists are: the same keys on the home page, in the history and on a job's page.

What they do on a job's page and in the viewer is also held by test_job.py and test_viewer.py.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.test_main_path import paste, settle


@pytest.fixture
def listed(visit: Open) -> Page:
    """A page of somebody with two finished jobs at least."""
    page = visit()
    for name in ("@harbour.bakery", "@quiet.owl"):
        paste(page, name)
        settle(page)
    return page


def at(page: Page, selector: str, which: int) -> None:
    """The focus is on that one of these."""
    expect(page.locator(selector).nth(which)).to_be_focused()


def test_keys_at_home(listed: Page) -> None:
    page = listed
    page.goto("/")
    box = page.locator("#id_text")
    expect(box).to_be_focused()
    page.keyboard.type("jk/x?d ")  # whoever types, types
    expect(box).to_have_value("jk/x?d ")
    expect(page.locator("#keys")).to_be_hidden()
    box.fill("")
    box.blur()
    page.keyboard.press("j")
    page.keyboard.press("j")
    at(page, ".row a.title", 1)
    page.keyboard.press("k")
    at(page, ".row a.title", 0)
    page.keyboard.press("k")  # the first is the first
    at(page, ".row a.title", 0)
    page.keyboard.press("x")  # here is nothing to select, nor to take
    page.keyboard.press("d")
    page.keyboard.press("/")
    expect(box).to_be_focused()
    expect(box).to_have_value("")
    box.blur()
    page.keyboard.press("?")
    expect(page.locator("#keys dt")).to_have_text(
        [re.compile("J K"), re.compile("Space Enter"), "/", "?"]
    )
    page.keyboard.press("/")  # not under a dialog
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    expect(box).not_to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("Space")
    page.wait_for_url(re.compile("/jobs/"))


def test_keys_in_the_history(listed: Page) -> None:
    page = listed
    page.goto("/history/")
    chosen = page.locator("input[name=job]:checked")
    for _ in range(2):
        page.keyboard.press("j")
    at(page, ".row a.title", 1)
    page.keyboard.press("x")
    expect(chosen).to_have_count(1)
    expect(page.locator("[data-count]")).to_have_text("1 selected")
    page.keyboard.press("k")
    at(page, ".row a.title", 0)
    page.keyboard.press("x")
    expect(chosen).to_have_count(2)
    page.keyboard.press("x")
    expect(chosen).to_have_count(1)
    page.keyboard.press("Control+d")  # the browser's own
    page.keyboard.press("/")
    expect(page.locator("#id_q")).to_be_focused()
    page.keyboard.type("x/?j")
    expect(page.locator("#id_q")).to_have_value("x/?j")
    expect(chosen).to_have_count(1)
    page.locator("#id_q").blur()
    page.keyboard.press("Shift+?")
    expect(page.locator("#keys")).to_contain_text("select")
    page.keyboard.press("Escape")
    first = page.locator(".row").first
    first.locator("a[data-forget]").click()
    expect(first).to_be_hidden()
    page.locator("h1").click()
    page.keyboard.press("j")  # what is forgotten is stepped over
    at(page, ".row:visible a.title", 0)
    page.keyboard.press("Space")
    page.wait_for_url(re.compile("/jobs/"))


def test_keys_can_be_switched_off(listed: Page) -> None:
    page = listed
    page.get_by_role("button", name="Keys").click()
    page.get_by_label("Use these keys").uncheck()
    page.keyboard.press("Escape")
    page.goto("/history/")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.locator("#id_q")).not_to_be_focused()
    page.go_back()
    page.get_by_role("button", name="Keys").click()
    expect(page.get_by_label("Use these keys")).not_to_be_checked()
    page.get_by_label("Use these keys").check()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
