"""The job's page: a large story, rows of many lines, a ZIP in one click, menus, keys, the tab."""

from __future__ import annotations

import json
import re
from pathlib import Path
from zipfile import ZipFile

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Open, Stack, Witness, saved
from tests.browser.test_main_path import paste, settle, until

WAIT_MS = 60_000
CROWD = "night.trains foggy.morning quiet.lane harbour.bakery long.gallery nobody.at.all slow.tide"


@pytest.fixture(scope="module")
def crowd(stack: Stack) -> dict[str, str]:
    """The address of a settled job of seven lines, once it was made."""
    return {}


def sheet(page: Page, crowd: dict[str, str]) -> None:
    """On the page of seven lines."""
    if "address" in crowd:
        page.goto(crowd["address"])
        return
    paste(page, CROWD.replace(" ", "\n"))
    settle(page)
    crowd["address"] = page.url


@pytest.mark.parametrize("device", ["phone", "desktop"])
def test_one_story_is_large_with_one_button(visit: Open, device: str, tmp_path: Path) -> None:
    page = visit(device)
    paste(page, "@foggy.morning")
    settle(page)
    hero = page.locator(".hero.alone")
    picture = hero.locator(".frame").bounding_box()
    assert picture
    assert 420 <= picture["height"] <= 660
    width = page.viewport_size["width"] if page.viewport_size else 0
    if device == "phone":
        assert picture["width"] > 0.85 * width
    primary = page.locator(".button.primary:visible")
    expect(primary).to_have_count(1)
    box = primary.bounding_box()
    assert box
    assert box["y"] + box["height"] <= 900, "in sight without scrolling"
    with saved(page, tmp_path) as files:
        primary.click()
    assert files[0].suffix in {".mp4", ".jpg"}


def test_a_tab_come_back_to_knows_that_another_deleted_the_files(visit: Open) -> None:
    page = visit()
    paste(page, "@foggy.morning")
    settle(page)
    other = page.context.new_page()
    other.goto(page.url)
    other.locator("#job-clean").click()
    other.locator("dialog[open]").get_by_role("button", name="Delete now").click()
    expect(other.locator("#job")).to_contain_text("Deleted")
    expect(page.locator("#job")).to_contain_text("1 file saved and checked")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#job")).to_contain_text("Deleted")
    expect(page.locator("#job")).not_to_contain_text("saved and checked")


def test_many_lines_are_low_rows_that_unfold(visit: Open, crowd: dict[str, str]) -> None:
    page = visit()
    sheet(page, crowd)
    rows = page.locator(".row-line")
    expect(rows).to_have_count(7)
    for row in rows.all():
        box = row.bounding_box()
        assert box
        assert box["height"] <= 100
    row = page.locator(".row-line", has_text="Harbour Bakery")
    row.locator(".line-acts [data-fold]").click()
    expect(row.locator(".tile")).to_have_count(4)
    expect(page.locator(".tile")).to_have_count(4)
    row.get_by_role("link", name="Show less").click()
    expect(page.locator(".tile")).to_have_count(0)
    page.get_by_role("link", name="Grid").click()
    expect(page.locator(".row-line")).to_have_count(0)
    expect(page.locator(".line")).to_have_count(7)
    page.get_by_role("link", name="Grid").click()
    page.get_by_role("link", name="Leaving first").click()
    page.wait_for_url(re.compile("order=leaving"))
    leaves = page.locator(".row-line svg[data-ring-until]").evaluate_all(
        "rings => rings.map(ring => ring.dataset.ringUntil)"
    )
    assert leaves == sorted(leaves)


def test_what_comes_lands_softly_unless_motion_is_unwanted(
    visit: Open, crowd: dict[str, str]
) -> None:
    page = visit()
    sheet(page, crowd)
    page.evaluate(
        "window.landed = 0; document.addEventListener('animationstart',"
        " ({animationName}) => { landed += animationName === 'land' })"
    )
    row = page.locator(".row-line", has_text="Harbour Bakery")
    row.locator(".line-acts [data-fold]").click()
    expect(row.locator(".tile")).to_have_count(4)
    until(page, "landed === 1")
    expect(page.locator(".landing")).to_have_count(0)
    row.get_by_role("link", name="Show less").click()
    expect(page.locator(".tile")).to_have_count(0)
    page.evaluate("landed = 0")
    page.emulate_media(reduced_motion="reduce")
    row.locator(".line-acts [data-fold]").click()
    expect(row.locator(".tile")).to_have_count(4)
    page.wait_for_timeout(300)
    assert page.evaluate("landed") == 0


def test_a_row_is_saved_with_one_click(visit: Open, crowd: dict[str, str], tmp_path: Path) -> None:
    page = visit()
    sheet(page, crowd)
    row = page.locator(".row-line", has_text="Harbour Bakery")
    with saved(page, tmp_path) as files:
        row.get_by_role("button", name="Save").click()
    with ZipFile(files[0]) as archive:
        assert archive.testzip() is None
        assert {name.split("/")[0].split("_")[0] for name in archive.namelist()} >= {
            "harbour.bakery"
        }


def test_how_much_is_packed_shows_and_is_said_once(
    visit: Open, crowd: dict[str, str], tmp_path: Path
) -> None:
    page = visit()
    sheet(page, crowd)
    told = iter((None, 12, 43))

    def watch(route: Route) -> None:
        percent = next(told, "over")
        if percent == "over":
            route.continue_()
            return
        packing = {"state": "packing", "percent": percent, "words": ""}
        route.fulfill(status=200, content_type="application/json", body=json.dumps(packing))

    page.route("**/zips/**", watch)
    page.evaluate(
        """() => {
            const said = document.getElementById("pack-said");
            window.heard = [];
            window.rings = [];
            const hear = () => heard.push(said.textContent);
            new MutationObserver(hear).observe(said, {childList: true});
            const see = ([{target}]) => rings.push(target.style.getPropertyValue("--packed"));
            for (const button of document.querySelectorAll("[data-pack]")) {
                new MutationObserver(see).observe(button, {attributeFilter: ["style"]});
            }
        }"""
    )
    row = page.locator(".row-line", has_text="Slow Tide")
    with saved(page, tmp_path) as files:
        row.get_by_role("button", name="Save").click()
    assert files[0].suffix == ".zip"
    expect(page.locator("#pack-said")).to_have_text("The download starts.")
    assert page.evaluate("heard") == ["Packing…", "The download starts."]
    assert page.evaluate("rings")[:2] == ["12%", "43%"]
    assert page.evaluate("rings").pop() == "", "the ring is gone when it is there"


def test_lines_can_be_selected(visit: Open, crowd: dict[str, str], tmp_path: Path) -> None:
    page = visit()
    sheet(page, crowd)
    for name in ("Harbour Bakery", "Long Gallery"):
        page.locator(".row-line", has_text=name).locator(".pick").check()
    expect(page.locator("#selection-words")).to_have_text("2 selected")
    with saved(page, tmp_path) as files:
        page.get_by_role("button", name="Save selected").click()
    with ZipFile(files[0]) as archive:
        assert sum(name.endswith((".mp4", ".jpg", ".webp")) for name in archive.namelist()) > 12


def test_a_zip_starts_by_itself_once_and_resumes(visit: Open, tmp_path: Path) -> None:
    page = visit()
    paste(page, "@slow.tide")
    settle(page)
    started: list[str] = []
    page.on("download", lambda download: started.append(download.url))
    with saved(page, tmp_path) as files:
        page.locator("#zip").dblclick()
    whole = files[0].read_bytes()
    assert len(whole) > 4 * 3_000_000
    expect(page.locator("#pack-said")).to_have_text("The download starts.")
    expect(page.locator("a#zip")).to_be_visible()
    address = page.locator("a#zip").get_attribute("href") or ""
    assert len(started) == 1
    assert started[0].endswith(address)
    page.reload()
    page.wait_for_load_state("networkidle")
    assert len(started) == 1, "not once more when the page is loaded again"
    # Half of it came, and then the line broke.
    half = len(whole) // 2
    rest = page.request.get(address, headers={"Range": f"bytes={half}-"})
    assert rest.status == 206
    assert whole[:half] + rest.body() == whole


def test_a_zip_that_fails_is_said(visit: Open, witness: Witness) -> None:
    page = visit()
    paste(page, "@night.trains")
    settle(page)
    told = '{"state": "failed", "words": "The disk of this server is full."}'

    def fail(route: Route) -> None:
        route.fulfill(status=200, content_type="application/json", body=told)

    page.route("**/bundle/", fail)
    page.locator("#zip").click()
    expect(page.get_by_role("alert").filter(has_text="disk of this server")).to_be_visible()
    expect(page.locator("#zip")).not_to_have_attribute("aria-busy", "true")


def test_the_tab_says_how_far_it_is(visit: Open) -> None:
    page = visit()
    paste(page, "@slow.tide\n@night.trains")
    page.wait_for_function("/^[01]\\/2 · /.test(document.title)", timeout=WAIT_MS)
    icon = page.locator('link[rel="icon"]')
    expect(icon).to_have_attribute("href", re.compile("^data:image/svg"))
    expect(page.locator("#job-close")).to_contain_text("You can close this page")
    settle(page)
    page.wait_for_function("document.title.startsWith('✓ ')", timeout=WAIT_MS)
    expect(icon).to_have_attribute("href", re.compile("^data:image/svg"))
    expect(page.locator("#job-close")).to_have_count(0)


@pytest.mark.parametrize("device", ["phone", "desktop"])
def test_a_menu_lies_over_the_page_and_closes(visit: Open, device: str) -> None:
    page = visit(device)
    paste(page, "@slow.tide")
    settle(page)
    height = page.evaluate("document.documentElement.scrollHeight")
    more = page.locator(".tile .more").first
    more.click()
    menu = page.locator(".pop:popover-open")
    expect(menu).to_have_count(1)
    expect(menu.get_by_role("link", name="Delete now")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollHeight") == height, "nothing is pushed"
    box = menu.bounding_box()
    view = page.viewport_size
    assert box
    assert view
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= view["width"]
    page.keyboard.press("Escape")
    expect(menu).to_have_count(0)
    expect(more).to_be_focused()
    more.click()
    page.mouse.click(5, 5)
    expect(menu).to_have_count(0)


ROWS = """(list) => {
    const first = list.firstElementChild;
    const bad = [];
    for (let many = 2; many <= 35; many += 1) {
        list.replaceChildren(...Array.from({length: many}, () => first.cloneNode(true)));
        const tops = [...list.children].map((one) => one.offsetTop);
        const inLast = tops.filter((top) => top === tops.at(-1)).length;
        if (inLast === 1) bad.push(many);
    }
    return bad;
}"""


@pytest.mark.parametrize("width", [320, 390, 1440])
def test_no_picture_stands_in_a_row_of_its_own(visit: Open, width: int) -> None:
    device = "desktop" if width > 1000 else "phone"
    page = visit(device, viewport={"width": width, "height": 844})
    paste(page, "@long.gallery")
    settle(page)
    page.locator(".more").first.click()
    pictures = page.locator(".pop:popover-open .thumbs")
    expect(pictures.get_by_role("listitem")).to_have_count(12)
    link = pictures.locator("a[data-download]").first.bounding_box()
    assert link
    assert min(link["width"], link["height"]) >= 43.9, "a finger's width"
    assert pictures.evaluate(ROWS) == []


def test_files_are_kept_as_long_as_one_likes(visit: Open) -> None:
    page = visit()
    paste(page, "@slow.tide")
    settle(page)
    page.get_by_role("button", name="Keep longer").click()
    page.get_by_role("button", name="Keep 8 h longer").click()
    expect(page.get_by_role("status").filter(has_text="Files are kept until")).to_be_visible()
    expect(page.locator("#job-clock")).to_contain_text(re.compile(r"9.h"))


def test_keys(visit: Open, crowd: dict[str, str], tmp_path: Path) -> None:
    page = visit()
    sheet(page, crowd)
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("j")  # nothing moves behind a dialog
    page.keyboard.press("Escape")
    expect(page.locator(".at-key")).to_have_count(0)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator(".at-key")).to_have_attribute("data-line", "1")
    page.keyboard.press("x")
    expect(page.locator(".pick:checked")).to_have_count(1)
    page.keyboard.press("x")
    expect(page.locator(".pick:checked")).to_have_count(0)
    for _held in range(2):
        page.keyboard.down("x")  # held down it is pressed once
    page.keyboard.up("x")
    expect(page.locator(".pick:checked")).to_have_count(1)
    page.keyboard.press("x")
    with saved(page, tmp_path) as files:
        page.keyboard.press("d")
    assert files[0].stat().st_size
    page.keyboard.press("/")
    expect(page.locator("#job-chips a").first).to_be_focused()


def test_keys_go_through_tiles_and_open_them(visit: Open) -> None:
    page = visit()
    paste(page, "@slow.tide")
    settle(page)
    page.keyboard.press("j")
    expect(page.locator("a.frame").nth(0)).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator("a.frame").nth(1)).to_be_focused()
    page.keyboard.press("Space")
    expect(page.locator("#viewer")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()


@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
def test_a_small_phone_with_large_words_has_no_overflow(
    visit: Open, crowd: dict[str, str], locale: str
) -> None:
    page = visit("phone", viewport={"width": 320, "height": 640}, locale=locale)
    sheet(page, crowd)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    for query in ("", "?view=grid", "?all=4"):
        page.goto(f"{crowd['address']}{query}")
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320


CLOCKS_OF_24_HOURS = r"""(where) => [...document.querySelectorAll(`${where}, ${where} *`)]
    .flatMap((one) => [
        ...["aria-label", "title", "alt", "data-title"].map((name) => one.getAttribute(name)),
        one.childElementCount ? "" : one.textContent,
    ])
    .filter((words) => words && /\b\d\d:\d\d(?!\s[AP]M)/.test(words))"""
"""Words seen or spoken that tell a time otherwise than `4:28 PM`."""


def test_a_time_is_said_to_the_ear_as_it_is_shown(visit: Open, crowd: dict[str, str]) -> None:
    """The server's clock has 24 hours, and this reader's has twice 12."""
    page = visit("desktop", locale="en-US", timezone_id="America/New_York")
    sheet(page, crowd)
    expect(page.locator(".film li").first).to_be_visible()
    assert page.evaluate(CLOCKS_OF_24_HOURS, ".film") == []
    page.goto(f"{crowd['address']}?view=grid")
    tile = page.locator(".tile").filter(has=page.locator("a.frame")).first
    shown = tile.locator(".posted time").inner_text().replace("yesterday ", "")
    assert re.fullmatch(r"\d?\d:\d\d\s[AP]M", shown)
    expect(tile.locator("a.frame")).to_have_attribute("aria-label", re.compile(shown))
    assert page.evaluate(CLOCKS_OF_24_HOURS, ".tile") == []
    tile.locator("a.frame").click()
    page.wait_for_selector("#viewer[open]:not(.bare)")
    assert page.evaluate(CLOCKS_OF_24_HOURS, "#viewer") == []
    stage = page.locator("#viewer").locator("video, img[alt]:not([alt=''])").first
    assert shown in (stage.get_attribute("alt") or stage.get_attribute("aria-label") or "")


def test_every_filter_is_in_sight_of_a_mouse(visit: Open, crowd: dict[str, str]) -> None:
    page = visit("desktop")
    sheet(page, crowd)
    filters = page.locator("#job-chips .chips").first
    filters.evaluate("list => list.append(...list.cloneNode(true).children)")
    filters.evaluate("list => list.append(...list.cloneNode(true).children)")
    filters.evaluate("list => list.append(...list.cloneNode(true).children)")
    assert filters.evaluate("list => list.scrollWidth <= list.clientWidth")
