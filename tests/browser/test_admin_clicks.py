"""What whoever runs it asks most is at most three clicks away from the site's header."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open, Stack
from tests.browser.test_main_path import paste, settle

MAX_CLICKS = 3


class Counted:
    """A page on which every click is counted."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = 0

    def click(self, what: Locator) -> None:
        """Click, as far as there are clicks left."""
        self.clicks += 1
        assert self.clicks <= MAX_CLICKS, f"click {self.clicks}: {what}"
        what.click()

    def place(self, name: str) -> None:
        """Click a link of the header."""
        self.click(self.page.locator("header").get_by_role("link", name=name, exact=True))


@pytest.fixture(params=["desktop", "phone"])
def counted(visit: Open, request: pytest.FixtureRequest) -> Counted:
    """An admin's page, on the site's home."""
    page = visit(request.param)
    page.goto("/")
    return Counted(page)


def test_why_it_failed(counted: Counted, visit: Open) -> None:
    work = visit()
    paste(work, "@locked.diary")
    settle(work)
    counted.place("Admin")
    counted.place("Jobs")
    counted.click(counted.page.locator("#result_list tbody th a").first)
    lines = counted.page.locator("section.lines")
    expect(lines.get_by_text("This account is private.")).to_be_visible()
    expect(lines.get_by_text("A retry does not help.")).to_be_visible()


def test_a_stuck_line_is_stopped(counted: Counted, visit: Open, stack: Stack) -> None:
    name = f"held.tide{len(stack.tiktok.accounts)}"
    stack.tiktok.fault(stack.tiktok.account(name).video(seconds=1), "stall", after=1000)
    work = visit()
    paste(work, f"@{name}")
    counted.place("Admin")
    row = counted.page.get_by_role("row").filter(has_text="alice")
    counted.click(row.get_by_role("button", name="Cancel"))
    counted.click(counted.page.get_by_role("button", name="Cancel"))
    expect(counted.page.get_by_text("1 line cancelled.")).to_be_visible()
    expect(counted.page.get_by_role("heading", name="Overview")).to_be_attached()
    settle(work)


def test_who_uses_the_disk(counted: Counted) -> None:
    counted.place("Admin")
    counted.place("People")
    person = counted.page.locator(".people li").filter(has_text="alice")
    expect(person.get_by_text("Disk", exact=True).first).to_be_visible()


def test_somebody_is_limited(counted: Counted) -> None:
    """The click into the field and the one on Save are counted, too."""
    counted.place("Admin")
    person = counted.page.locator(".users li").filter(has_text="alice")
    counted.click(person.get_by_label("Limit"))
    counted.page.keyboard.type("7GB")
    counted.click(person.get_by_role("button", name="Save"))
    expect(counted.page.get_by_text("Limits of alice saved.")).to_be_visible()
    expect(person).to_contain_text("of 7.0 GB")
    person.get_by_label("Limit").fill("")
    person.get_by_role("button", name="Save").click()
    expect(person).not_to_contain_text("7.0 GB")


def test_what_is_counted_ends(counted: Counted) -> None:
    """The test above this one would see a fourth click."""
    stay: Callable[[], None] = lambda: counted.click(counted.page.locator("body"))  # noqa: E731
    for _ in range(MAX_CLICKS):
        stay()
    with pytest.raises(AssertionError, match="click 4"):
        stay()
