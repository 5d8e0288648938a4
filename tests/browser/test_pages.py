"""Every page at every size: no fault axe knows of, nothing sideways, nothing heavy."""

from __future__ import annotations

import gzip
import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Response, expect

from tests.browser.conftest import DEVICES, Open, Stack, Witness, sideways
from tests.browser.test_main_path import paste, settle, until

PLACES = (
    "/",
    "/history/",
    "/watching/",
    "/help/",
    "/account/",
    "/account/password/",
    "/account/tokens/",
    "/account/sessions/",
    "/account/security/",
    "/account/data/",
    "/account/invitations/",
    "/account/notifications/",
    "/account/library/",
    "/account/security/totp/activate/",
    "/phone/",
    "/offline/",
    "/nothing-here/",
)
WEIGHT_BYTES = {"home": 45_000, "job": 70_000}


def faults(page: Page) -> list[str]:
    """What axe finds, of any weight. Run from outside the page's own policy."""
    found = Axe().run(page, options={"resultTypes": ["violations"]})
    return [
        f"{one['id']}: {node['html'][:160]}"
        for one in found.response["violations"]
        for node in one["nodes"]
    ]


@pytest.fixture
def finished(visit: Open) -> str:
    """The address of a job with every kind of verdict."""
    page = visit()
    paste(page, "@tiny.garden\n@quiet.owl\n@locked.diary\nhttps://example.com/x")
    settle(page)
    return page.url


def test_nothing_serious_while_something_is_said(visit: Open, witness: Witness) -> None:
    witness.expected.append("422")  # the box with a fault in it
    page = visit(bypass_csp=True)
    page.goto("/account/tokens/")
    page.fill("#id_name", "for a moment")
    page.click("main form button.primary")
    page.get_by_role("button", name="Remove").first.click()
    assert not faults(page)
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("status")).to_have_text(re.compile("The token is removed"))
    assert not faults(page)
    page.goto("/")
    page.fill("#id_text", "https://www.tiktok.com/tag/cats")
    page.click("[data-submit]")
    expect(page.get_by_role("alert")).to_contain_text("This line cannot be saved.")
    expect(page.locator("[data-attention]")).to_contain_text("This is a hashtag page, not a story.")
    assert not faults(page)


@pytest.mark.parametrize("device", DEVICES)
def test_nothing_sideways(device: str, visit: Open, witness: Witness, finished: str) -> None:
    """What axe finds on them: test_faults.py, once in each look."""
    witness.expected.append("404")  # the page that is not there
    page = visit(device)
    for place in (*PLACES, finished):
        page.goto(place)
        assert sideways(page) <= 0, place


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", DEVICES)
def test_nothing_serious_in_what_opens(
    device: str, scheme: str, visit: Open, finished: str
) -> None:
    page = visit(device, color_scheme=scheme, bypass_csp=True)
    page.goto(finished)
    page.locator("a.frame").first.click()
    expect(page.locator("#viewer")).to_be_visible()
    assert not faults(page)
    page.goto("/")
    page.fill("#id_text", "tiny.garden\nnobody.yet\nhttps://example.com/x\ntiny.garden")
    expect(page.locator("[data-known-list] li")).to_have_count(1)
    page.locator("summary").click()
    assert not faults(page)


# German words are the longest, French sentences.
LOCALES = ("en", "de-DE", "es-MX", "fr-CA")


@pytest.mark.parametrize(
    ("width", "locale"), [*((320, locale) for locale in LOCALES), (3840, "en")]
)
def test_narrow_and_wide(
    width: int, locale: str, visit: Open, witness: Witness, finished: str
) -> None:
    witness.expected.append("404")
    page = visit("desktop", viewport={"width": width, "height": 700}, locale=locale)
    for place in (*PLACES, finished):
        page.goto(place)
        assert sideways(page) <= 0, place
    page.locator(".pick").first.check()
    expect(page.locator(".selection")).to_be_visible()
    assert sideways(page) <= 0, "with something selected"


@pytest.mark.parametrize("locale", LOCALES)
def test_text_twice_as_large_fits_the_smallest_phone(
    locale: str, visit: Open, witness: Witness, finished: str
) -> None:
    witness.expected.append("404")
    page = visit("phone", viewport={"width": 320, "height": 568}, locale=locale)
    page.goto("/account/tokens/")
    page.fill("#id_name", "a name of some length_without_any_space")
    page.click("main form button.primary")
    found = {}
    for place in (*PLACES, finished):
        page.goto(place)
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        found[place] = sideways(page)
    assert not any(found.values()), found


def test_a_finger_meets_what_it_aims_at(visit: Open, finished: str) -> None:
    page = visit("phone", viewport={"width": 360, "height": 740})
    small = """(where) => [...document.querySelectorAll(where)]
        .map((one) => [one.textContent.trim() || one.id, one.getBoundingClientRect()])
        .filter(([, {width, height}]) => width && (width < 44 || height < 44))
        .map(([name, {width, height}]) => `${name} ${width}x${height}`)"""
    ours = ".top a, a.chip, main .button, main .link, main input:not([type=radio], [type=checkbox])"
    for place in ("/", "/history/", "/account/", finished):
        page.goto(place)
        assert page.evaluate(small, ours) == [], place
    assert page.get_by_role("button", name="Check again").is_visible()
    theirs = "#header a, #header button, #content :is(input, select):not([type=checkbox]), .button"
    for place in ("/admin/operations/", "/admin/jobs/job/", "/admin/auth/user/1/change/"):
        page.goto(place)
        assert page.evaluate(small, theirs) == [], place


def test_on_the_smallest_phone_nothing_lies_over_another(visit: Open, finished: str) -> None:
    page = visit("phone", viewport={"width": 320, "height": 568})
    over = """([upper, lower]) => [...document.querySelectorAll(upper)].filter((one) => {
        const words = document.createRange();
        words.selectNodeContents(one);
        const a = words.getBoundingClientRect();
        return a.width && [...document.querySelectorAll(lower)].some((other) => {
            const b = other.getBoundingClientRect();
            return a.right > b.left && b.right > a.left && a.bottom > b.top && b.bottom > a.top;
        });
    }).map((one) => one.textContent.trim())"""
    name = "Dashboard of the newsroom, second floor"
    page.goto("/account/tokens/")
    page.fill("#id_name", name)
    page.click("main form button.primary")
    expect(page.locator(".row .title").first).to_have_text(name)
    assert sideways(page) <= 0
    assert page.evaluate(over, [".row .title", ".row .button"]) == []
    page.goto("/history/?q=garden")
    room = "(one) => one.clientWidth - one.scrollWidth"
    assert page.locator(".search .button").evaluate(room) >= 0
    tops = "(all) => all.map((one) => one.getBoundingClientRect().top)"
    for place in ("admin", "watching"):  # who is no admin; who may not watch either
        page.locator(f".places [href^='/{place}/']").evaluate("(one) => one.remove()")
        mark, places = page.locator(".wordmark, .top .places").evaluate_all(tops)
        assert mark == places, "in one row"
    page.goto(finished)
    assert page.locator(".badge.leaves").count() > 0
    assert page.evaluate(over, [".badge.leaves", ".choose .pick"]) == []


def test_lines_with_little_in_them_share_a_wide_screen(visit: Open, finished: str) -> None:
    page = visit("desktop", viewport={"width": 1920, "height": 900})
    page.goto(finished)
    tops = page.evaluate(
        "[...document.querySelectorAll('.line')].map((line) => line.getBoundingClientRect().top)"
    )
    assert (len(tops), len(set(tops))) == (4, 2)


def test_dark_is_dark(visit: Open) -> None:
    for scheme, dark in (("light", False), ("dark", True)):
        page = visit(color_scheme=scheme)
        page.goto("/")
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", colour)[:3])) < 150) is dark


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_days_begin_where_the_reader_is(visit: Open, zone: str) -> None:
    """As the server writes them: it knows the zone from the page before."""
    page = visit("desktop", timezone_id=zone)
    before = datetime.now(ZoneInfo(zone))
    paste(page, "@harbour.bakery")
    settle(page)
    days = re.findall(r'data-when="day">([^<]+)<', page.request.get("/history/").text())
    around = (before, datetime.now(ZoneInfo(zone)))
    assert days[0] in {moment.strftime("%-d %B %Y") for moment in around}


def test_a_video_plays_in_a_tab_of_its_own(visit: Open) -> None:
    page = visit("desktop")
    paste(page, "@harbour.bakery")
    settle(page)
    video = page.locator('a.frame[href*=".mp4"]').first.get_attribute("href")
    page.goto(f"{page.url.split('/jobs/')[0]}{video}")
    until(page, "document.querySelector('video').readyState >= 2")


def test_inputs_do_not_zoom_a_phone(visit: Open) -> None:
    page = visit("phone")
    page.goto("/")
    page.click("summary")
    small = page.evaluate(
        "[...document.querySelectorAll('input:not([type=hidden]), textarea, select')]"
        ".filter((i) => parseFloat(getComputedStyle(i).fontSize) < 16 && i.type !== 'radio'"
        " && i.type !== 'checkbox').map((i) => i.name)"
    )
    assert small == []
    for name in ("autocapitalize", "autocorrect", "autocomplete"):
        assert page.locator("#id_text").get_attribute(name) in {"none", "off"}
    assert page.locator("#id_text").get_attribute("spellcheck") == "false"


@pytest.mark.parametrize("where", ["home", "job"])
def test_home_and_job_are_light(where: str, visit: Open, finished: str) -> None:
    """With all that it needs the first time; afterwards all but the page itself is kept."""
    page = visit()
    weight: dict[str, int] = {}

    def weigh(response: Response) -> None:
        kind = response.headers.get("content-type", "").split(";")[0]
        if response.ok and not kind.startswith(("image/jpeg", "video/")):
            weight[response.url] = len(gzip.compress(response.body()))

    page.on("response", weigh)
    page.goto({"home": "/", "job": finished}[where])
    page.wait_for_load_state("networkidle")
    assert sum(weight.values()) < WEIGHT_BYTES[where], weight


# --- the poll -----------------------------------------------------------------------------------


class Polls:
    """The fragment's answers, as they come."""

    def __init__(self, page: Page) -> None:
        self.seen: list[int] = []
        page.on("response", self.hear)

    def hear(self, response: Response) -> None:
        if "/progress/" in response.url:
            self.seen.append(response.status)


def test_the_poll_swaps_gently_and_stops(visit: Open) -> None:
    page = visit()
    polls = Polls(page)
    paste(page, "@slow.tide")
    page.locator("a.frame img").first.wait_for(timeout=60_000)
    # What someone is doing must survive the next swaps.
    page.locator(".pick").first.check()
    page.locator(".tile .more").first.click()
    page.locator("a.frame").first.focus()
    page.evaluate("window.kept = document.querySelector('a.frame img')")
    settle(page)
    expect(page.locator(".tile")).to_have_count(4)
    expect(page.locator("a.frame").first).to_be_focused()
    expect(page.locator(".pick:checked")).to_have_count(1)
    expect(page.locator(".pop:popover-open")).to_have_count(1)
    assert page.evaluate("window.kept.isConnected")
    assert 200 in polls.seen
    said = len(polls.seen)
    page.wait_for_timeout(2500)
    assert len(polls.seen) == said  # settled: nobody asks any more


def test_unchanged_is_304(visit: Open, stack: Stack) -> None:
    page = visit()
    stack.tiktok.fault("night.trains", "challenge", times=1)
    paste(page, "@quiet.owl")
    settle(page)
    answers = page.evaluate(
        """async () => {
            const address = document.getElementById("job").dataset.fragment;
            const first = await fetch(address, {cache: "no-store"});
            const tag = first.headers.get("ETag");
            const second = await fetch(address, {
                cache: "no-store", headers: {"If-None-Match": tag},
            });
            return [first.status, second.status, (await second.text()).length];
        }"""
    )
    assert answers == [200, 304, 0]


def test_a_lost_connection_is_said_and_found_again(visit: Open, witness: Witness) -> None:
    witness.expected.append("ERR_INTERNET_DISCONNECTED")
    page = visit("phone")
    paste(page, "@slow.tide")
    page.context.set_offline(True)
    expect(page.locator("#connection")).to_be_visible(timeout=15_000)
    expect(page.locator("#connection")).to_contain_text("The job goes on")
    page.context.set_offline(False)
    settle(page)
    expect(page.locator("#connection")).to_be_hidden()


def test_a_hidden_tab_rests(visit: Open) -> None:
    page = visit()
    polls = Polls(page)
    paste(page, "@slow.tide")
    until(page, "document.getElementById('job') !== null")
    page.evaluate(
        """() => {
            Object.defineProperty(document, "hidden", {get: () => window.away, configurable: true});
            window.away = true;
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    page.wait_for_timeout(400)  # what was under way may still arrive
    said = len(polls.seen)
    page.wait_for_timeout(2000)
    assert len(polls.seen) == said
    page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    settle(page)


def test_only_steps_are_announced(visit: Open) -> None:
    page = visit()
    page.goto("/")
    page.fill("#id_text", "@slow.tide")
    page.click("[data-submit]")
    page.wait_for_url(re.compile(r"/jobs/"))
    page.evaluate(
        """() => {
            window.said = [];
            const step = document.getElementById("job-step");
            new MutationObserver(() => window.said.push(step.textContent))
                .observe(step, {childList: true, characterData: true, subtree: true});
        }"""
    )
    settle(page)
    said: list[str] = page.evaluate("window.said")
    assert len(said) <= 6, said
    assert said[-1].startswith("4 files saved and checked")


def test_what_was_typed_comes_back_with_the_error(visit: Open, witness: Witness) -> None:
    witness.expected.append("422")
    page = visit("phone", java_script_enabled=False)
    page.goto("/")
    lines = "\n".join(f"@name{number}" for number in range(51))
    page.fill("#id_text", lines)
    page.locator("summary").click()
    page.fill("#id_note", "why I save this")
    page.get_by_role("button", name="Save stories").click()
    expect(page.get_by_role("alert")).to_contain_text(
        "One job holds at most 50 lines. You sent 51."
    )
    expect(page.locator("#id_text")).to_have_value(lines)
    expect(page.locator("#id_note")).to_have_value("why I save this")


def test_what_is_already_here_is_said(visit: Open) -> None:
    page = visit("phone")
    paste(page, "@foggy.morning")
    settle(page)
    address = page.url
    page.goto("/")
    page.fill("#id_text", "foggy.morning")
    known = page.locator("[data-known-list]")
    expect(known).to_contain_text(re.compile(r"You saved @foggy.morning (this minute|\d+ minute)"))
    expect(page.get_by_role("button", name="Fetch again")).to_be_visible()
    page.fill("#id_text", "foggy.morning\n@never.sent")
    expect(page.get_by_role("button", name="Save from 2 accounts")).to_be_visible()
    known.get_by_role("link", name="Open").tap()
    page.wait_for_url(address)


def test_paste_reads_the_clipboard(visit: Open) -> None:
    page = visit("desktop", permissions=["clipboard-read", "clipboard-write"])
    page.goto("/")
    page.evaluate("navigator.clipboard.writeText('never.sent')")
    page.get_by_role("button", name="Paste").click()
    expect(page.locator("#id_text")).to_have_value("never.sent")
    expect(page.get_by_role("button", name="Save from 1 account")).to_be_visible()
