"""The viewer: fingers, keys, a mouse; from story to story and on to the next author."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from playwright.sync_api import CDPSession, Locator, Page, Route, expect

from tests.browser.conftest import Open, Stack, Witness
from tests.browser.test_main_path import paste, settle, until
from tests.browser.test_pages import faults

PLAYS = "(v => v && !v.paused && v.currentTime > 0.1)(document.querySelector('#viewer video'))"
RESTS = "(v => v && v.paused)(document.querySelector('#viewer video'))"
MIDDLE_Y = 380
LOOPS = "addEventListener('playing', (event) => { event.target.loop = true; }, true);"
"""Films of some seconds that do not lead on by themselves, however slow the machine."""
_addresses: list[str] = []


@pytest.fixture
def two(visit: Open) -> str:
    """The address of a job of two authors, a line without stories between them.

    The first has a video of 5 s, then pictures: 7 in 4 stories. The second has 3.
    """
    if not _addresses:
        page = visit()
        paste(page, "@harbour.bakery\n@quiet.owl\n@night.trains")
        settle(page)
        _addresses.append(page.url)
    return _addresses[0]


def opened(page: Page, address: str, which: int = 0, *, loops: bool = True) -> Locator:
    """The viewer, opened at a tile. loops: a video that is over begins again."""
    if loops:
        page.add_init_script(LOOPS)
    page.goto(address)
    page.locator("a.frame").nth(which).click()
    viewer = page.locator("#viewer")
    expect(viewer).to_be_visible()
    return viewer


def place(page: Page, words: str) -> None:
    """Where in the author's stories it is."""
    expect(page.locator("#viewer [data-place]")).to_have_text(words)


class Finger:
    """A finger on the screen, as the system reports one."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.cdp: CDPSession = page.context.new_cdp_session(page)

    def send(self, kind: str, *at: float, when: float | None = None) -> None:
        """touchStart and touchMove at a point, touchEnd. when: in seconds, now without one."""
        points = [{"x": at[0], "y": at[1]}] if at else []
        touch: dict[str, object] = {"type": kind, "touchPoints": points}
        if when is not None:
            touch["timestamp"] = when
        self.cdp.send("Input.dispatchTouchEvent", touch)

    def tap(self, x: float, y: float = MIDDLE_Y) -> None:
        """A short touch, however long it takes to be told of."""
        began = time.time()
        self.send("touchStart", x, y, when=began)
        self.send("touchEnd", when=began + 0.05)

    def swipe(self, x: float, y: float, across: float, down: float, *, late_s: float = 0) -> None:
        """From a point to another one. late_s: of all but its start the page hears that late."""
        began = time.time()
        self.send("touchStart", x, y, when=began)
        self.page.wait_for_timeout(late_s * 1000)
        for number, part in enumerate((0.3, 0.6, 1), 1):
            at = x + part * across, y + part * down
            self.send("touchMove", *at, when=began + number / 60)
        self.send("touchEnd", when=began + 4 / 60)


def test_a_finger_taps_swipes_and_holds(visit: Open, two: str) -> None:
    page = visit("phone")
    viewer = opened(page, two)
    finger = Finger(page)
    until(page, PLAYS)
    place(page, "1 / 7")
    finger.send("touchStart", 300, MIDDLE_Y)
    until(page, RESTS)
    expect(viewer).to_have_class(re.compile(r"\bheld\b"))
    expect(viewer.locator(".segments")).to_have_css("opacity", "0")
    finger.send("touchEnd")
    until(page, PLAYS)
    place(page, "1 / 7")  # holding is no tap
    finger.tap(300)
    place(page, "2 / 7")
    finger.tap(60)
    place(page, "1 / 7")
    finger.swipe(300, MIDDLE_Y, -180, 10)
    place(page, "2 / 7")
    finger.swipe(100, MIDDLE_Y, 180, -10, late_s=0.4)  # a busy page: no hold, it was quick
    place(page, "1 / 7")
    expect(viewer).not_to_have_class(re.compile(r"\bheld\b"))
    # Up for the facts, down to be rid of them, down to close.
    facts = viewer.get_by_role("group", name="About this story")
    expect(facts).to_be_hidden()
    finger.swipe(200, 500, 5, -220)
    expect(facts).to_be_visible()
    place(page, "1 / 7")
    finger.swipe(200, 100, 0, 90)
    expect(facts).to_be_hidden()
    finger.swipe(200, 200, 5, 220)
    expect(viewer).to_be_hidden()
    expect(page.locator("a.frame:focus")).to_have_count(1)


def test_from_right_to_left_everything_is_mirrored(visit: Open, two: str) -> None:
    page = visit("phone")
    page.add_init_script(LOOPS)
    page.goto(two)
    page.evaluate("document.documentElement.dir = 'rtl'")
    page.locator("a.frame").first.click()
    finger = Finger(page)
    until(page, PLAYS)
    finger.tap(60)
    place(page, "2 / 7")
    finger.swipe(100, MIDDLE_Y, 180, 0)
    place(page, "3 / 7")
    page.keyboard.press("ArrowRight")
    place(page, "2 / 7")


def test_on_to_the_next_author_and_back(visit: Open, two: str) -> None:
    page = visit()
    viewer = opened(page, two)
    expect(viewer.get_by_role("button", name="Previous")).to_be_hidden()
    place(page, "1 / 7")
    expect(viewer.get_by_role("heading")).to_contain_text("@harbour.bakery")
    expect(viewer.locator(".segments progress")).to_have_count(4)
    page.keyboard.press("End")
    place(page, "7 / 7")
    page.keyboard.press("j")
    place(page, "1 / 3")
    expect(viewer.get_by_role("heading")).to_contain_text("@night.trains")
    expect(viewer.get_by_role("status")).to_have_text("1 of 3, @night.trains")
    expect(viewer.locator(".segments progress")).to_have_count(3)
    page.keyboard.press("k")
    place(page, "7 / 7")
    expect(viewer.get_by_role("status")).to_have_text("7 of 7, @harbour.bakery")
    viewer.get_by_role("button", name="Next").click()
    page.keyboard.press("End")
    place(page, "3 / 3")
    expect(viewer.get_by_role("button", name="Next")).to_be_hidden()
    page.keyboard.press("Escape")
    # Back at the tile of what was looked at last.
    expect(page.locator("[data-line='3'] a.frame:focus")).to_have_count(1)


def test_space_plays_and_never_closes(visit: Open, two: str) -> None:
    page = visit()
    viewer = opened(page, two)
    until(page, PLAYS)
    page.keyboard.press("Space")
    until(page, RESTS)
    page.keyboard.press("Space")
    until(page, PLAYS)
    viewer.get_by_role("button", name="Mute").click()
    assert page.evaluate("document.querySelector('#viewer video').muted")
    page.keyboard.press("Space")  # what was clicked is not pressed again
    until(page, RESTS)
    assert page.evaluate("document.querySelector('#viewer video').muted")
    page.keyboard.press("m")
    assert not page.evaluate("document.querySelector('#viewer video').muted")
    viewer.locator("video").click()
    until(page, PLAYS)
    expect(viewer).to_be_visible()
    with page.expect_download() as download:
        page.keyboard.press("d")
    assert download.value.suggested_filename.endswith(".mp4")
    seek = viewer.get_by_role("slider", name="Position")
    page.keyboard.press("Space")
    seek.focus()
    page.keyboard.press("End")
    until(page, "(v => v.currentTime > v.duration - 1)(document.querySelector('#viewer video'))")
    place(page, "1 / 7")  # there the arrows and End seek
    expect(seek).to_have_attribute("aria-valuetext", re.compile(r"0:0\d / 0:0\d"))


def test_a_video_that_is_over_leads_on_unless_somebody_reads(visit: Open, two: str) -> None:
    page = visit()
    viewer = opened(page, two, loops=False)
    until(page, PLAYS)
    late = "(v => { v.currentTime = v.duration - 0.3 })(document.querySelector('#viewer video'))"
    facts = viewer.get_by_role("group", name="About this story")
    facts.focus()
    page.evaluate(late)
    until(page, "document.querySelector('#viewer video').ended")
    place(page, "1 / 7")
    viewer.get_by_role("heading").focus()
    page.keyboard.press("Space")
    until(page, PLAYS)
    page.evaluate(late)
    place(page, "2 / 7")


def test_the_facts(visit: Open, two: str) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    viewer = opened(page, two)
    facts = viewer.get_by_role("group", name="About this story")
    expect(facts).to_contain_text(re.compile(r"\d+\s×\s\d+\s·\s0:0\d\s·\ssound\s·\sH\.264\s·\s\d"))
    expect(facts).to_contain_text(re.compile(r"On TikTok for .* more.*Deleted here in ", re.DOTALL))
    expect(facts).to_contain_text("Complete, opened and checked")
    name = facts.locator(".name")
    expect(name).to_have_text(re.compile(r"^harbour\.bakery_[\d-]+_\d{4}\.mp4$"))
    expect(name.locator("wbr")).to_have_count(3)
    expect(facts.get_by_role("link", name="On TikTok")).to_have_attribute(
        "rel", "noreferrer noopener"
    )
    delete = facts.get_by_role("link", name="Delete now").get_attribute("href") or ""
    assert re.fullmatch(r"/stories/[\da-f-]{36}/clean/", delete)
    facts.get_by_role("button", name="Copy SHA-256").click()
    expect(facts.get_by_role("button", name="Copied SHA-256")).to_be_visible()
    assert re.fullmatch(r"[\da-f]{64}", page.evaluate("navigator.clipboard.readText()"))
    page.keyboard.press("j")
    expect(facts.get_by_role("button", name="Copy SHA-256")).to_be_visible()
    place(page, "2 / 7")
    expect(viewer.locator(".avatar .ring")).to_have_class(re.compile("fresh|soon|last"))
    drawn = viewer.locator(".stage").bounding_box()
    assert drawn
    assert drawn["width"] / drawn["height"] == pytest.approx(9 / 16, abs=0.02)


def test_the_back_gesture_closes_it(visit: Open, two: str) -> None:
    page = visit("phone")
    viewer = opened(page, two)
    page.go_back()
    expect(viewer).to_be_hidden()
    assert page.url == two
    expect(page.locator("a.frame").first).to_be_focused()
    page.locator("a.frame").first.click()
    viewer.get_by_role("button", name="About this story").click()
    facts = viewer.get_by_role("group", name="About this story")
    expect(facts).to_be_focused()
    page.keyboard.press("Escape")  # of what lies on top
    expect(facts).to_be_hidden()
    expect(viewer).to_be_visible()
    viewer.get_by_role("button", name="Close").click()
    expect(viewer).to_be_hidden()
    assert page.url == two


def test_a_file_that_was_deleted_meanwhile(visit: Open, stack: Stack, witness: Witness) -> None:
    witness.expected += ["410", "404"]
    page = visit()
    paste(page, "@night.trains")
    settle(page)
    address = page.url
    page.locator("a.frame").first.focus()
    other = page.context.new_page()
    other.goto(address)
    other.goto(
        f"/stories/{other.locator('.tile').nth(1).get_attribute('id').removeprefix('story-')}/clean/"  # type: ignore[union-attr]
    )
    other.locator("main form button").click()
    # Not closed: Chromium forgets it was told to while a page commits, and we would wait for ever.
    expect(other.get_by_role("button", name="Fetch again")).to_be_visible()
    # This page does not know yet.
    page.locator("a.frame").nth(1).click()
    problem = page.locator("#viewer").get_by_role("alert")
    expect(problem).to_contain_text("This file was deleted here.")
    problem.get_by_role("link", name="Back to the story").click()
    expect(page.locator("#viewer")).to_be_hidden()
    expect(page.get_by_role("button", name="Fetch again")).to_be_visible()


def test_without_an_answer_there_is_still_the_picture(
    visit: Open, two: str, witness: Witness
) -> None:
    witness.expected += ["503", "ERR_"]
    page = visit("desktop", service_workers="block")

    def answer(route: Route) -> Any:
        route.fulfill(status=503, body="")

    page.route("**/viewer.json*", answer)
    viewer = opened(page, two, 1)
    expect(viewer.locator(".stage :is(img, video)")).to_be_visible()
    expect(viewer.get_by_role("heading")).to_contain_text("harbour.bakery")
    page.keyboard.press("j")  # leads nowhere, and breaks nothing
    with page.expect_download():
        page.keyboard.press("d")
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()


def test_a_video_still_on_its_way_shows_its_cover_where_its_frames_will_be(
    visit: Open, two: str
) -> None:
    page = visit("phone", service_workers="block")
    held: list[Route] = []
    page.route("**/*.mp4*", lambda route: held.append(route), times=1)
    viewer = opened(page, two)
    video = viewer.locator("video")
    expect(video).to_have_css("background-image", re.compile("poster.jpg"))
    expect(video).to_have_css("background-position", "50% 0%")
    expect(video).to_have_css("object-position", "50% 0%")
    expect(video).to_have_css("background-size", "contain")
    held.pop().continue_()
    until(page, PLAYS)
    expect(video).to_have_css("background-image", "none")


def test_without_a_script_the_link_leads_to_the_file(visit: Open, two: str) -> None:
    page = visit(java_script_enabled=False)
    page.goto(two)
    address = page.locator("a.frame").first.get_attribute("href") or ""
    answer = page.request.get(address)
    assert answer.headers["content-type"] == "video/mp4"
    assert "attachment" not in answer.headers.get("content-disposition", "")


def test_a_poll_does_not_disturb_it(visit: Open) -> None:
    page = visit()
    paste(page, "@foggy.morning\n@slow.tide")
    page.locator("a.frame").first.click(timeout=60_000)
    viewer = page.locator("#viewer")
    page.evaluate("window.node = document.querySelector('#viewer .stage :is(img, video)')")
    settle(page)
    expect(viewer).to_be_visible()
    for _ in range(12):
        page.keyboard.press("j")
    expect(viewer.get_by_role("heading")).to_contain_text("@slow.tide")
    page.keyboard.press("Escape")


@pytest.mark.parametrize("size", [(320, 568), (390, 844), (844, 390), (1440, 900)])
@pytest.mark.parametrize("locale", ["en", "de-DE"])
def test_it_fits_and_has_no_fault(
    size: tuple[int, int], locale: str, visit: Open, two: str
) -> None:
    width, height = size
    view = {"width": width, "height": height}
    page = visit("phone", viewport=view, bypass_csp=True, locale=locale)
    viewer = opened(page, two)
    expect(viewer.locator("[data-place]")).to_have_text("1 / 7")
    if width < 768:
        viewer.locator("[data-tell]").click()
    expect(viewer.locator("[data-facts]")).to_be_visible()
    assert not faults(page)
    over = """(names) => names.map((name) => document.querySelector(`#viewer ${name}`))
        .filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.className)"""
    assert page.evaluate(over, [".who", ".facts", ".actions", ".player"]) == []
    small = """[...document.querySelectorAll("#viewer :is(button, input, .button)")]
        .map((one) => [one.outerHTML, one.getBoundingClientRect()])
        .filter(([, {width, height}]) => width && (width < 43.9 || height < 43.9))
        .map(([name]) => name)"""
    assert page.evaluate(small) == []
    outside = """[...document.querySelectorAll("#viewer :is(button, .button, h2)")]
        .map((one) => [one.className, one.getBoundingClientRect()])
        .filter(([, box]) => box.width && (box.left < -1 || box.right > innerWidth + 1))"""
    assert page.evaluate(outside) == []
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert page.evaluate(outside) == []
