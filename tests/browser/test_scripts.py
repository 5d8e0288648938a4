"""The pages' scripts at their edges: pressed twice, pressed too early, at the end of the row."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import DEVICES, NAME, PASSWORD, Open, Witness
from tests.browser.test_main_path import paste, settle, until


@pytest.fixture
def unworked(visit: Open) -> Callable[[], Page]:
    """A page without the service worker, whose requests a test could not hold."""
    return lambda: visit(service_workers="block")


def never_answered(page: Page) -> list[str]:
    """What the box sends from now on; nothing comes of it, as when Stop is pressed."""
    sent: list[str] = []

    def hold(route: Route) -> None:
        if route.request.method == "POST":
            sent.append(route.request.post_data or "")
            route.abort("aborted")  # as Stop does: the page stays as it is
        else:
            route.continue_()

    page.route(re.compile(r"^[^?]*//[^/]+/$"), hold)
    return sent


def middle(page: Page, selector: str) -> tuple[float, float]:
    """Where to click."""
    box = page.locator(selector).bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.mark.parametrize("way", ["button", "enter", "control-enter"])
def test_the_box_is_sent_once_however_often_it_is_pressed(
    way: str, unworked: Callable[[], Page]
) -> None:
    page = unworked()
    page.clock.install()
    page.goto("/")
    page.locator("summary").click()
    sent = never_answered(page)
    page.fill("#id_text", "@tiny.garden")
    expect(page.get_by_role("button", name=re.compile("Save from 1|Fetch again"))).to_be_enabled()
    page.locator("#id_note" if way == "enter" else "#id_text").focus()

    def press() -> None:
        if way == "button":
            page.mouse.click(*middle(page, "[data-submit]"))  # a locator waits for the answer
        else:
            page.keyboard.press("Enter" if way == "enter" else "Control+Enter")

    for _ in range(3):
        press()
        page.wait_for_timeout(100)
    assert len(sent) == 1
    # Whoever pressed Stop on a slow line may send it again.
    page.clock.fast_forward(10_000)
    press()
    page.wait_for_timeout(300)
    assert len(sent) == 2


def test_what_is_too_long_is_not_sent_by_the_keyboard_either(
    unworked: Callable[[], Page],
) -> None:
    page = unworked()
    page.goto("/")
    sent = never_answered(page)
    page.fill("#id_text", "\n".join(f"@name{number}" for number in range(51)))
    expect(page.locator("[data-submit]")).to_be_disabled()
    page.keyboard.press("Control+Enter")
    page.wait_for_timeout(300)
    assert not sent


@pytest.mark.parametrize(
    ("count", "words"), [(49, "room for 1 more"), (50, "room for 0 more"), (51, "1 line too many")]
)
def test_the_room_that_is_left(count: int, words: str, visit: Open) -> None:
    page = visit()
    page.goto("/")
    page.fill("#id_text", "\n".join(f"@name{number}" for number in range(count)))
    expect(page.locator("[data-chips] li").last).to_have_text(words)


def test_a_clipboard_that_answers_late_or_never_blocks_nothing(visit: Open) -> None:
    page = visit("phone")
    page.add_init_script(
        """window.asked = [];
        navigator.clipboard.readText = () => new Promise((end) => { asked.push(end); });"""
    )
    page.goto("/")
    box, button = page.locator("#id_text"), page.get_by_role("button", name="Paste")
    button.tap()  # never answered
    button.tap()
    until(page, "asked.length === 2")
    page.evaluate("asked[1]('@tiny.garden')")
    expect(box).to_have_value("@tiny.garden")
    page.evaluate("asked[0]('@tiny.garden')")  # after all
    button.tap()
    box.fill("@foggy.morning")  # by hand, meanwhile
    page.evaluate("asked[2]('@foggy.morning')")
    page.wait_for_timeout(100)
    expect(box).to_have_value("@foggy.morning")


# --- the viewer ---------------------------------------------------------------------------------


@pytest.mark.parametrize("device", DEVICES)
def test_the_arrow_keys_go_back_from_either_end(device: str, visit: Open) -> None:
    page = visit(device)
    paste(page, "@harbour.bakery")
    settle(page)
    page.locator("a.frame").first.click()
    place = page.locator("#viewer [data-place]")
    expect(place).to_have_text("1 / 7")
    for end, away, inwards in (
        ("next", "ArrowRight", "ArrowLeft"),
        ("back", "ArrowLeft", "ArrowRight"),
    ):
        button = page.locator(f"#viewer [data-{end}]")
        button.focus()
        for _ in range(7):
            page.keyboard.press(away)
        expect(place).to_have_text("7 / 7" if end == "next" else "1 / 7")
        expect(button).to_be_focused()
        expect(button).to_have_attribute("aria-disabled", "true")
        page.keyboard.press("Enter")  # says nothing and goes nowhere
        page.keyboard.press(inwards)
        expect(place).to_have_text("6 / 7" if end == "next" else "2 / 7")
        expect(button).to_have_attribute("aria-disabled", "false")
    # A click on a picture takes the focus from every button.
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.locator("#viewer .stage img").click()
    page.keyboard.press("ArrowLeft")
    expect(place).to_have_text("1 / 7")
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    assert page.evaluate("document.activeElement.matches('a.frame')")


# --- the poll -----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["sign-in page", "401"])
def test_a_poll_that_has_to_sign_in_says_so(way: str, visit: Open, witness: Witness) -> None:
    witness.expected.append("401")
    page = visit()
    paste(page, "@slow.tide")
    job = page.url
    if way == "401":
        page.route("**/progress/", lambda route: route.fulfill(status=401))
        # The page that is loaded then asks who it is, too.
        page.wait_for_timeout(2000)
        assert page.url == job
    page.context.clear_cookies()
    page.wait_for_url(re.compile(r"/login/\?next=/jobs/"), timeout=20_000)


# --- what was just done -------------------------------------------------------------------------


@pytest.mark.parametrize("device", DEVICES)
def test_keeping_longer_is_said_and_read_aloud(device: str, visit: Open) -> None:
    page = visit(device)
    paste(page, "@foggy.morning")
    settle(page)
    page.add_init_script(
        """let gone = false;
        new MutationObserver((all) => {
            for (const one of all.filter((each) => each.target.matches?.(".messages"))) {
                gone ||= one.removedNodes.length > 0;
                if (gone && one.addedNodes.length) window.heard = [...one.addedNodes];
            }
        }).observe(document, {childList: true, subtree: true});"""
    )
    page.get_by_role("button", name="Keep longer").click()
    page.get_by_role("button", name="Keep 2 h longer").click()
    status = page.get_by_role("status").filter(has_text="Files are kept until")
    expect(status).to_be_visible()
    expect(status.locator("time")).not_to_contain_text("UTC")  # the reader's own clock
    until(page, "window.heard && window.heard[0].textContent.startsWith('Files are kept until')")


def test_going_back_to_the_answer_of_a_form_sends_nothing_again(
    visit: Open, witness: Witness
) -> None:
    witness.expected.append("422")
    page = visit("phone")
    page.goto("/")
    controlled(page)
    page.fill("#id_text", "https://example.com/")
    page.click("[data-submit]")
    expect(page.get_by_role("alert")).to_contain_text("This line cannot be saved")
    page.fill("#id_text", "@quiet.owl")
    page.click("[data-submit]")
    page.wait_for_url(re.compile(r"/jobs/"))
    page.go_back()
    expect(page.locator("#id_text")).to_have_value("")
    expect(page.get_by_role("alert")).to_have_count(0)


# --- no connection ------------------------------------------------------------------------------


def controlled(page: Page) -> None:
    """Wait until the service worker answers for this page."""
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.reload()  # a page that was loading while it started may have none
    until(page, "navigator.serviceWorker.controller !== null")


@pytest.mark.parametrize("device", DEVICES)
def test_what_could_not_be_sent_is_still_in_the_box(
    device: str, visit: Open, witness: Witness
) -> None:
    witness.expected += ["ERR_INTERNET_DISCONNECTED", "Failed to fetch"]
    page = visit(device)
    page.goto("/")
    controlled(page)
    page.fill("#id_text", "@tiny.garden\n@foggy.morning")
    page.locator("summary").click()
    page.fill("#id_note", "for the archive")
    page.context.set_offline(True)
    page.click("[data-submit]")
    expect(page.get_by_role("heading", name="No connection to Storykeep")).to_be_visible()
    expect(page.get_by_text("This was not sent.")).to_be_visible()
    page.get_by_role("link", name="Go back").click()  # too early
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_text("Your jobs continue without you")).to_be_visible()
    page.context.set_offline(False)
    page.get_by_role("link", name="Try again").click()
    box = page.locator("#id_text")
    expect(box).to_have_value("@tiny.garden\n@foggy.morning")
    expect(page.locator("#id_note")).to_have_value("for the archive")
    page.get_by_role("button", name=re.compile("Save from 2|Fetch again")).click()
    page.wait_for_url(re.compile(r"/jobs/"))
    page.goto("/")
    expect(box).to_have_value("")  # it has arrived


def test_a_form_elsewhere_that_could_not_be_sent_leads_back(visit: Open, witness: Witness) -> None:
    witness.expected += ["ERR_INTERNET_DISCONNECTED", "Failed to fetch"]
    page = visit("phone")
    paste(page, "@foggy.morning")
    settle(page)
    address = page.url
    controlled(page)
    page.context.set_offline(True)
    page.get_by_role("button", name="Keep longer").click()
    page.get_by_role("button", name="Keep 2 h longer").click()
    expect(page.get_by_text("This was not sent.")).to_be_visible()
    page.context.set_offline(False)
    page.get_by_role("link", name="Go back").click()
    page.wait_for_url(address)
    expect(page.get_by_role("button", name="Keep longer")).to_be_visible()


def test_what_was_kept_is_for_its_writer_alone(visit: Open) -> None:
    page = visit(storage_state=None)

    def enter() -> None:
        page.fill("#id_username", NAME)
        page.fill("#id_password", PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_selector("#id_text")

    def keep(user: str) -> None:
        page.evaluate(
            "user => sessionStorage.setItem('storykeep-unsent',"
            " JSON.stringify({user, given: {text: '@secret', audio: 'mp3', posts: 'on'}}))",
            user,
        )

    unsent = "sessionStorage.getItem('storykeep-unsent')"
    page.goto("/login/")
    enter()
    me = page.locator("script[data-user]").get_attribute("data-user") or ""
    box = page.locator("#id_text")
    keep("another")
    page.goto("/help/")
    assert page.evaluate(unsent) is None
    # A session that ends by itself: it waits for whoever comes back.
    keep(me)
    page.context.clear_cookies()
    page.goto("/")
    enter()
    expect(box).to_have_value("@secret")
    expect(page.locator("[name=audio][value=mp3]")).to_be_checked()
    expect(page.locator("[name=posts]")).to_be_checked()
    page.reload()
    expect(box).to_have_value("@secret")
    box.fill("@other")
    assert page.evaluate(unsent) is None
    # One that is ended leaves nothing.
    keep(me)
    page.goto("/logout/")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile(r"/login/"))
    until(page, f"{unsent} === null")


@pytest.mark.parametrize(
    ("locale", "words"),
    [("de-DE", r"In \d+\ss\."), ("en-GB", r"In \d+\s?s\."), ("fr-FR", r"In \d+\ss\.")],
)
@pytest.mark.parametrize("seconds", [30, 300])
def test_a_clock_in_a_sentence_ends_with_one_full_stop(
    visit: Open, locale: str, words: str, seconds: int
) -> None:
    page = visit(locale=locale)
    page.goto("/")
    page.evaluate(
        """(seconds) => {
            const node = document.createElement("time");
            node.id = "soon";
            node.dateTime = new Date(Date.now() + seconds * 1000).toISOString();
            Object.assign(node.dataset, { clock: "", ahead: "In {}.", past: "Now." });
            document.querySelector("main").append(node);
        }""",
        seconds,
    )
    said = page.locator("#soon")
    expect(said).to_have_text(re.compile(words if seconds < 60 else r"In \d+\s?m(in)?\."))
