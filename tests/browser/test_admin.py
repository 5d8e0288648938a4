"""The admin's own pages in a real instance: readable, live, and within the page's own policy."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DEVICES, Open, Stack, sideways
from tests.browser.test_main_path import paste, settle
from tests.browser.test_pages import faults

PLACES = (
    "/admin/",
    "/admin/tables/",
    "/admin/diagnosis/",
    "/admin/jobs/job/",
    "/admin/jobs/item/",
    "/admin/jobs/story/",
    "/admin/jobs/artifact/",
    "/admin/jobs/package/",
    "/admin/auth/user/",
)


@pytest.mark.parametrize("device", DEVICES)
def test_nothing_sideways(device: str, visit: Open) -> None:
    """What axe finds on them: test_faults.py, once in each look."""
    page = visit(device)
    paste(page, "@quiet.owl")
    settle(page)
    job = page.url.rstrip("/").rpartition("/")[2]
    for place in (*PLACES, f"/admin/jobs/job/{job}/change/"):
        page.goto(place)
        assert sideways(page) <= 0, place
    page.locator(".lines a").first.click()
    page.wait_for_url("**/admin/jobs/item/*/change/")
    assert sideways(page) <= 0, "a line"
    expect(page.get_by_role("button", name="Delete files now")).to_have_count(0)


@pytest.mark.parametrize("locale", ["en", "de-DE"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_words_of_the_list_of_tables_are_whole(width: int, locale: str, visit: Open) -> None:
    page = visit(viewport={"width": width, "height": 800}, locale=locale)
    page.goto("/admin/tables/")
    words = page.locator("[class*='app-'] :is(caption, th, td) a")
    assert words.count() > 8
    broken = words.evaluate_all(
        """(links) => links.filter((link) => {
          const all = document.createRange();
          all.selectNodeContents(link);
          return all.getClientRects().length > 1;
        }).map((link) => link.textContent)"""
    )
    assert not broken


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", DEVICES)
def test_nothing_serious_in_the_question_before_an_act(
    device: str, scheme: str, visit: Open
) -> None:
    page = visit(device, color_scheme=scheme, bypass_csp=True)
    paste(page, "@quiet.owl")
    settle(page)
    job = page.url.rstrip("/").rpartition("/")[2]
    page.goto(f"/admin/jobs/job/?q={job}")
    page.locator("#result_list .action-select").check()
    page.select_option("select[name=action]", "purge_files")
    page.locator(".actions button").click()
    expect(page.get_by_text("There is nothing to do for what was chosen.")).to_be_visible()
    assert not faults(page)
    assert sideways(page) <= 0


@pytest.mark.parametrize("locale", ["en", "de-DE", "es-MX", "fr-CA"])
def test_large_letters_on_the_smallest_phone(locale: str, visit: Open) -> None:
    """A table moves in its own box, which the keyboard reaches; the page never does."""
    page = visit("phone", viewport={"width": 320, "height": 640}, locale=locale)
    paste(page, "@quiet.owl")
    settle(page)
    for place in (*PLACES, "/admin/people/", "/admin/problems/", "/admin/system/"):
        page.goto(place)
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert sideways(page) <= 0, place
        table = page.locator(".sideways")
        if place != "/admin/jobs/package/" and place.count("/") > 3 and table.count():
            assert table.evaluate("one => one.scrollWidth > one.clientWidth"), place
            table.focus()
            expect(table).to_be_focused()
            assert page.get_by_role("region", name=table.get_attribute("aria-label")).count() == 1
    page.goto("/admin/jobs/job/")
    page.locator("#result_list tbody th a").first.click()
    page.wait_for_url("**/change/")
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert sideways(page) <= 0, "a job"
    page.get_by_role("link", name=re.compile("History|Verlauf|Historial|Historique")).click()
    page.wait_for_url("**/history/")
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert sideways(page) <= 0, "history"


@pytest.fixture
def stuck(stack: Stack) -> str:
    """A name whose only file never arrives in full."""
    name = f"stuck.tide{len(stack.tiktok.accounts)}"
    stack.tiktok.fault(stack.tiktok.account(name).video(seconds=1), "stall", after=1000)
    return name


def test_operations_follow_what_happens(visit: Open, stuck: str) -> None:
    """Without a reload: a line in hand, by whom, and then it is settled."""
    work, look = visit(), visit("phone")
    look.goto("/admin/operations/")
    expect(look).to_have_url(re.compile(r"/admin/$"))
    expect(look.get_by_text("Reachable")).to_be_visible()
    look.evaluate("window.marked = true")
    paste(work, f"@{stuck}")
    row = look.get_by_role("row").filter(has_text="alice")
    expect(row.get_by_text("saving")).to_be_visible(timeout=20_000)
    name = look.locator("h3").filter(has_text="worker-")
    expect(name).to_have_count(1)
    expect(look.get_by_text("unknown worker")).to_have_count(0)
    work.get_by_role("button", name="Cancel").click()
    settle(work)
    expect(row).to_have_count(0, timeout=20_000)
    expect(look.get_by_text("Nothing.", exact=True)).to_be_visible()
    assert look.evaluate("window.marked") is True


@pytest.mark.parametrize("device", DEVICES)
def test_all_of_a_reason_leads_to_its_lines(device: str, visit: Open) -> None:
    work = visit()
    paste(work, "@locked.diary")
    settle(work)
    page = visit(device)
    page.goto("/admin/")
    row = page.locator(".codes tr").filter(has_text="private_account")
    box = row.bounding_box()
    assert box
    assert box["height"] >= 44
    for cell in (row.locator("td").last, row.locator("code")):
        cell.scroll_into_view_if_needed()
        place = cell.bounding_box()
        assert place
        page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
        page.wait_for_url("**/admin/jobs/item/?error_code=private_account*")
        page.go_back()
    expect(row.get_by_role("link")).to_have_accessible_name("This account is private.")


def test_a_diagnosis_through_the_page(visit: Open) -> None:
    """In a process of its own, over the instance's own proxy and authority."""
    page = visit("phone")
    page.goto("/admin/diagnosis/")
    page.fill("#name", "@tiny.garden")
    page.get_by_role("button", name="Look now").click()
    expect(page.get_by_role("heading", name="Nothing failed")).to_be_visible(timeout=60_000)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    text = page.input_value("#text")
    assert page.evaluate("navigator.clipboard.readText()") == text
    for part in ("database", "Redis", "worker", "disk", "clock (", "profile", "list", "media "):
        assert f"ok    {part}" in text, text
    assert "1024 bytes of" in text
    assert "through a proxy, an extra authority" in text
    assert "http" not in text.replace("httpx", "")


def test_an_act_is_confirmed(visit: Open, stuck: str) -> None:
    work = visit()
    paste(work, f"@{stuck}")
    work.wait_for_url("**/jobs/**")
    job = work.url.rstrip("/").rpartition("/")[2]
    page = visit("phone")
    page.goto(f"/admin/jobs/job/{job}/change/")
    expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
    assert f"@{stuck}" in page.content()  # one's own
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("1 open line will stop for good.")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("1 line cancelled.").first).to_be_visible()
    expect(page.get_by_text("line 1: cancelled")).to_be_visible()
    settle(work)
