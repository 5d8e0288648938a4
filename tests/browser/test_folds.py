"""A line with very many stories, and polls that leave out what the page has."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DEVICES, Open, sideways
from tests.browser.test_main_path import paste, settle
from tests.browser.test_pages import faults
from tests.browser.test_phone import on_phone

SHOWN, ALL = 60, 64
LISTENS = """
const real = window.fetch;
window.said = [];
window.fetch = async (...asked) => {
    const answer = await real(...asked);
    if (answer.status === 200 && asked[0].includes("/progress/")) {
        answer.clone().text().then((text) => window.said.push(text));
    }
    return answer;
};
"""
"""Keeps what the page's polls are told."""
_addresses: list[str] = []


@pytest.fixture
def busy(visit: Open) -> str:
    """The address of a settled job whose only line has more stories than a page shows at once."""
    if not _addresses:
        page = visit()
        paste(page, "@busy.bakery")
        settle(page)
        _addresses.append(page.url)
    return _addresses[0]


def tiles(page: Page, count: int) -> None:
    """So many tiles are there."""
    expect(page.locator(".tile")).to_have_count(count)


@pytest.mark.parametrize("device", DEVICES)
def test_the_rest_of_a_line_comes_on_demand_and_disturbs_nothing(
    device: str, visit: Open, busy: str
) -> None:
    page = visit(device, bypass_csp=True)
    page.add_init_script(LISTENS)
    page.goto(busy)
    tiles(page, SHOWN)
    assert not faults(page)
    page.locator(".pick").first.check()
    page.locator(".tile .more").first.click()
    expect(page.locator(".pop:popover-open")).to_have_count(1)
    page.evaluate("window.kept = [...document.querySelectorAll('.tile')]")
    with page.expect_request(re.compile(r"/progress/\?all=1$")) as asked:
        # By script: a click beside a menu closes it, which is the browser's own doing.
        page.get_by_role("link", name=f"Show all {ALL}").evaluate("(link) => link.click()")
    tiles(page, ALL)
    assert len(asked.value.headers["storykeep-holds"].split()) == SHOWN + 1
    (answer,) = page.evaluate("window.said")
    # Of the held ones at most what an hour has ended for meanwhile: their rings are drawn anew.
    assert SHOWN - 2 <= answer.count("data-same") <= SHOWN
    assert page.evaluate("window.kept.every((tile) => tile.isConnected)")
    expect(page.locator(".tile").nth(SHOWN)).to_be_focused()
    expect(page.locator(".pick:checked")).to_have_count(1)
    expect(page.locator(".pop:popover-open")).to_have_count(1)
    expect(page.locator("[data-fold]")).to_have_count(0)
    assert sideways(page) <= 0


def test_the_viewer_goes_on_into_what_is_not_shown_yet(visit: Open, busy: str) -> None:
    page = visit()
    page.goto(busy)
    page.locator("a.frame").nth(SHOWN - 1).click()
    place = page.locator("#viewer [data-place]")
    expect(place).to_have_text(f"{SHOWN} / {ALL}")
    page.keyboard.press("ArrowRight")
    expect(place).to_have_text(f"{SHOWN + 1} / {ALL}")
    page.keyboard.press("ArrowLeft")
    expect(place).to_have_text(f"{SHOWN} / {ALL}")
    page.goto(busy)
    page.locator("a.frame").first.click()
    page.keyboard.press("End")
    expect(place).to_have_text(f"{ALL} / {ALL}")


def test_a_link_to_a_story_that_is_not_shown_leads_there(visit: Open, busy: str) -> None:
    page = visit()
    page.goto(f"{busy}?all=1")
    tiles(page, ALL)
    last = page.locator(".tile").last.get_attribute("id")
    page.goto("/history/")
    page.goto(f"{busy}#{last}")
    expect(page.locator(f"#{last}")).to_be_in_viewport()


def test_everything_of_a_long_line_can_be_shared(visit: Open, busy: str) -> None:
    page = on_phone(visit)
    page.goto(busy)
    page.locator("#share-all").tap()
    expect(page.locator("[data-go]")).to_have_text("Share 10 files (1 of 7)", timeout=20_000)


def test_without_a_script_the_rest_is_a_page(visit: Open, busy: str) -> None:
    page = visit("phone", java_script_enabled=False)
    page.goto(busy)
    tiles(page, SHOWN)
    page.get_by_role("link", name=f"Show all {ALL}").click()
    tiles(page, ALL)
    assert "?all=1#line-" in page.url
    page.locator(".pick").last.check()
    expect(page.get_by_role("button", name="Save selected")).to_be_visible()


def test_a_poll_leaves_alone_what_has_not_changed(visit: Open) -> None:
    page = visit()
    page.add_init_script(LISTENS)
    paste(page, "@foggy.morning\n@slow.tide")
    page.wait_for_selector(".line.done + .line.running", timeout=60_000)
    page.evaluate(
        """window.touched = 0;
        window.line = document.querySelector(".line.done");
        new MutationObserver((all) => {
            // Clocks tick, and a menu follows its button when the page has moved that.
            window.touched += all.filter(({attributeName, target}) =>
                !target.closest("time") && !(attributeName === "style" && target.popover)).length;
        }).observe(line, {childList: true, subtree: true, attributes: true});"""
    )
    page.locator(".tile .more").first.click()
    expect(page.locator(".pop:popover-open")).to_have_count(1)
    # Without moving the page: a menu goes when its button does.
    page.evaluate("document.querySelector('a.frame').focus({preventScroll: true})")
    page.evaluate("window.touched = 0; window.said.length = 0")
    settle(page)
    expect(page.locator("a.frame:focus")).to_have_count(1)
    expect(page.locator(".pop:popover-open")).to_have_count(1)
    identity = page.evaluate("window.line.id")
    said = page.evaluate("window.said")
    assert said
    assert all(f'<section id="{identity}" data-same></section>' in text for text in said)
    assert page.evaluate("window.line.isConnected")
    assert page.evaluate("window.touched") == 0


def test_what_the_page_lacks_all_the_same_is_sent_again(visit: Open) -> None:
    page = visit()
    paste(page, "@foggy.morning\n@slow.tide")
    page.wait_for_selector(".line.done + .line.running", timeout=60_000)
    # Between the question and its answer: an extension, say, takes a line away.
    page.evaluate(
        """const real = window.fetch;
        window.wholes = 0;
        window.taken = false;
        window.fetch = async (...asked) => {
            const answer = await real(...asked);
            const holds = asked[1].headers["Storykeep-Holds"];
            window.wholes += !holds;
            if (holds && answer.status === 200 && !window.taken) {
                window.taken = true;
                document.querySelector(".line.done").remove();
            }
            return answer;
        };
        0  // else the function itself is called"""
    )
    settle(page)
    assert page.evaluate("[window.taken, window.wholes]") == [True, 1]
    expect(page.locator(".line")).to_have_count(2)
    expect(page.locator(".line .tile").first).to_be_visible()
