"""Handing files to a phone that takes few of them, refuses some, or never answers."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.utils.translation import override
from playwright.sync_api import Page, expect

from jobs.wording import size, size_units
from tests.browser.conftest import Open
from tests.browser.test_main_path import paste, settle, until
from tests.browser.test_phone import IPHONE, on_phone

MIB = 1024 * 1024
# Phones as `behave` makes them: how many files or bytes one call may have, whether it is answered,
# and which kinds are taken. `tries` holds the number of files of every call.
PHONE = """
window.tries = [];
window.handed = [];
window.phone = {files: 10, bytes: 50 * 1024 * 1024, silent: false, kinds: null, fault: ""};
navigator.canShare = ({files}) =>
    files.length > 0 && files.every((file) => !phone.kinds || phone.kinds.includes(file.type));
navigator.share = ({files}) => {
    tries.push(files.length);
    const fault = (name) => Promise.reject(new DOMException("Permission denied", name));
    if (!navigator.userActivation.isActive) return fault("NotAllowedError");
    if (phone.fault) return fault(phone.fault);
    const bytes = [...files].reduce((sum, {size}) => sum + size, 0);
    if (files.length > phone.files || bytes > phone.bytes) return fault("NotAllowedError");
    const facts = ({name, type, size, lastModified}) => ({name, type, size, lastModified});
    handed.push([...files].map(facts));
    if (!phone.silent) return Promise.resolve();
    return new Promise((end, fail) => Object.assign(phone, {end, fail}));
};
"""


def phone(visit: Open, name: str, system: str = "", **more: Any) -> Page:
    """A phone that looks at a settled job of this account, its Share sheet still shut."""
    page = visit("phone", **more)
    for script in (PHONE, system):
        page.add_init_script(script)
    paste(page, f"@{name}")
    settle(page)
    return page


def handed(page: Page) -> list[int]:
    """How many files the phone took, call by call."""
    numbers: list[int] = page.evaluate("handed.map((files) => files.length)")
    return numbers


def sized(page: Page, *sizes: float) -> None:
    """Let the page say that its files are this large; with one size, every file."""
    page.evaluate(
        """(sizes) => {
            const links = [...document.querySelectorAll("a[data-share]")];
            const files = [...new Set(links.map((link) => link.dataset.share))];
            for (const link of links) {
                const place = Math.min(files.indexOf(link.dataset.share), sizes.length - 1);
                link.dataset.bytes = sizes[place];
            }
        }""",
        sizes,
    )


def tap_share(page: Page, words: str) -> None:
    """Hand over what is ready, once the button says these words."""
    go = page.locator("[data-go]")
    expect(go).to_have_text(words)
    expect(go).to_be_enabled()
    go.tap()


# --- rounds ---


PLANS: dict[str, tuple[list[float], list[int]]] = {
    "nothing": ([], []),
    "ten small ones": ([1] * 10, [10]),
    "eleven small ones": ([1] * 11, [10, 1]),
    "twelve pictures": ([2e6] * 12, [10, 2]),
    "six pictures of 12 MiB": ([12 * MIB] * 6, [4, 2]),
    "exactly 50 MiB": ([25 * MIB] * 2, [2]),
    "a byte more": ([25 * MIB, 25 * MIB + 1], [1, 1]),
    "one that is larger than the limit": ([1, 60 * MIB, 1, 1], [1, 1, 2]),
    "sizes nobody knows": ([0] * 12, [10, 2]),
    "thirty of 5 MiB": ([5 * MIB] * 30, [10, 10, 10]),
}


def test_rounds_are_what_the_weakest_phone_takes(visit: Open) -> None:
    page = phone(visit, "foggy.morning")
    for situation, (sizes, rounds) in PLANS.items():
        planned = page.evaluate(
            "(sizes) => storykeep.sharing.plan(sizes.map((bytes, at) => ({bytes, at})))", sizes
        )
        assert [len(group) for group in planned] == rounds, situation
        assert [want["at"] for group in planned for want in group] == list(range(len(sizes)))


@pytest.mark.parametrize("language", ["en", "de", "es", "fr"])
def test_amounts_are_said_as_the_buttons_say_them(visit: Open, language: str) -> None:
    page = visit("desktop")
    page.add_script_tag(path=finders.find("share-plan.js") or "")
    amounts = [0, 1, 999, 1_000, 225_600, 999_499, 999_500, 8_430_000, 99_960_000, 123_456_789, 2e9]
    with override(language):
        units = list(size_units())
        said = [size(amount) for amount in amounts]
    shown = page.evaluate(
        "([amounts, units, language]) =>"
        " amounts.map((bytes) => storykeep.sharing.size(bytes, units, language))",
        [amounts, units, language],
    )
    assert shown == said


def test_twelve_pictures_go_to_android_in_rounds_of_ten_and_two(visit: Open) -> None:
    page = phone(visit, "long.gallery")
    page.locator("#share-all").tap()
    tap_share(page, "Share 10 files (1 of 2)")
    tap_share(page, "Share 2 files (2 of 2)")
    expect(page.locator("#share")).to_be_hidden()
    assert handed(page) == [10, 2]
    assert len({file["name"] for call in page.evaluate("handed") for file in call}) == 12
    assert page.evaluate("tries") == [10, 2]


def test_a_story_by_two_lines_is_shared_once_and_button_and_sheet_say_one_size(visit: Open) -> None:
    page = visit("phone")
    page.add_init_script(PHONE)
    # A picture in WebP, of which the phone gets a JPEG; and a video also by a link of its own.
    paste(page, "@night.trains\nhttps://vm.tiktok.com/ZMwindow/")
    settle(page)
    expect(page.locator(".tile")).to_have_count(4)
    expect(page.locator("#job-amounts")).to_contain_text("3 files saved")
    expect(page.locator("#zip")).to_contain_text("Save 3")
    said = (page.locator("#share-all > span").text_content() or "").partition(" · ")[2]
    page.locator("#share-all").tap()
    expect(page.locator("[data-amounts]")).to_have_text(f"3 of 3 files ready, {said}")
    tap_share(page, "Share 3 files")
    assert handed(page) == [3]
    types = sorted(file["type"] for file in page.evaluate("handed.flat()"))
    assert types == ["image/jpeg", "video/mp4", "video/mp4"]
    # And of what is chosen, the other copy where it alone is.
    for picked in ([1, 3], [3]):
        for number in range(4):
            page.locator(".pick").nth(number).set_checked(number in picked, force=True)
        page.locator("[data-share-of=selected]").tap()
        tap_share(page, "Share 1 file")
    assert handed(page) == [3, 1, 1]


def test_large_pictures_go_in_rounds_within_what_one_call_may_have(visit: Open) -> None:
    page = phone(visit, "long.gallery")
    sized(page, 12 * MIB)
    page.locator("#share-all").tap()
    for number in (1, 2, 3):
        tap_share(page, f"Share 4 files ({number} of 3)")
    expect(page.locator("#share")).to_be_hidden()
    assert handed(page) == [4, 4, 4]


def test_files_that_are_larger_than_the_page_said_are_planned_anew(visit: Open) -> None:
    page = phone(visit, "long.gallery")
    size = page.evaluate("Number(document.querySelector('a[data-share]').dataset.bytes)")
    sized(page, 1)
    page.evaluate("(bytes) => { storykeep.sharing.LIMITS.bytes = bytes; }", size * 2.5)
    page.locator("#share-all").tap()
    go = page.locator("[data-go]")
    expect(go).to_contain_text("(1 of ")
    for _ in range(12):
        expect(go).to_be_enabled()
        go.tap()
        page.wait_for_timeout(100)
        if page.locator("#share").is_hidden():
            break
    expect(page.locator("#share")).to_be_hidden()
    assert sum(handed(page)) == 12
    sizes = page.evaluate("handed.map((call) => call.reduce((sum, {size}) => sum + size, 0))")
    assert max(sizes) <= size * 2.5


def test_what_no_phone_takes_is_offered_for_download_and_the_rest_is_shared(visit: Open) -> None:
    page = phone(visit, "long.gallery")
    sized(page, 300e6, 1)
    page.locator("#share-all").tap()
    expect(page.locator("#share [role=alert]")).to_contain_text("1 file is too large")
    expect(page.locator("[data-instead] a")).to_have_count(1)
    tap_share(page, "Share 10 files (1 of 2)")
    tap_share(page, "Share 1 file (2 of 2)")
    until(page, "handed.length === 2")
    # What is left to do stays in sight.
    expect(page.locator("[data-instead] a")).to_be_visible()
    expect(page.locator("[data-go]")).to_be_hidden()


def test_only_one_round_is_fetched_at_a_time(visit: Open) -> None:
    page = phone(visit, "long.gallery", service_workers="block")
    asked: list[str] = []
    page.on(
        "request", lambda sent: asked.append(sent.url) if sent.resource_type == "fetch" else None
    )
    page.locator("#share-all").tap()
    expect(page.locator("[data-go]")).to_be_enabled()
    assert len(asked) == 10
    tap_share(page, "Share 10 files (1 of 2)")
    expect(page.locator("[data-go]")).to_have_text("Share 2 files (2 of 2)")
    assert len(asked) == 12


def test_a_shared_file_has_the_time_of_its_post(visit: Open) -> None:
    page = phone(visit, "foggy.morning", service_workers="block")
    posted = "Mon, 02 Nov 2026 07:08:09 GMT"

    def dated(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, headers=answer.headers | {"last-modified": posted})

    page.route("**/files/**", dated)
    page.locator("#share-all").tap()
    tap_share(page, "Share 1 file")
    until(page, "handed.length === 1")
    assert page.evaluate("handed[0][0].lastModified") == 1793603289000
    # Without one, or with none that can be read, it is now.
    page.unroute_all()
    posted = "yesterday"
    page.route("**/files/**", dated)
    page.locator("#share-all").tap()
    tap_share(page, "Share 1 file")
    until(page, "handed.length === 2")
    assert page.evaluate("Math.abs(Date.now() - handed[1][0].lastModified) < 60000")


# --- refusals ---


def test_closing_the_phones_sheet_is_no_fault(visit: Open) -> None:
    page = on_phone(visit)
    paste(page, "@foggy.morning")
    settle(page)
    page.locator("#share-all").tap()
    page.evaluate("window.answers.push('AbortError', 'NotAllowedError')")
    go = page.locator("[data-go]")
    tap_share(page, "Share 1 file")
    expect(go).to_be_enabled()
    expect(page.locator("#share [role=alert]")).to_be_hidden()
    go.tap()
    expect(page.locator("[data-amounts]")).to_have_text("Please tap once more.")
    go.tap()
    until(page, "window.shared.length === 1")


def test_a_phone_that_takes_three_at_a_time_gets_three_at_a_time(visit: Open) -> None:
    page = phone(visit, "long.gallery")
    page.evaluate("phone.files = 3")
    page.locator("#share-all").tap()
    tap_share(page, "Share 10 files (1 of 2)")
    expect(page.locator("[data-amounts]")).to_have_text("Please tap once more.")
    tap_share(page, "Share 10 files (1 of 2)")  # refused again: it is not the tap
    tap_share(page, "Share 5 files (1 of 3)")
    for number in range(1, 7):
        tap_share(page, f"Share 2 files ({number} of 6)")
    expect(page.locator("#share")).to_be_hidden()
    assert handed(page) == [2] * 6
    assert page.evaluate("tries") == [10, 10, 5, *[2] * 6]
    # It is known from now on.
    page.locator("#share-all").tap()
    tap_share(page, "Share 2 files (1 of 6)")


def test_a_phone_that_takes_nothing_ends_with_downloads(visit: Open) -> None:
    page = phone(visit, "long.gallery")
    page.evaluate("phone.files = 0")
    page.locator("#share-all").tap()
    go = page.locator("[data-go]")
    alert = page.locator("#share [role=alert]")
    for _ in range(6):
        if alert.is_visible():
            break
        expect(go).to_be_enabled()
        go.tap()
        page.wait_for_timeout(150)
    expect(alert).to_contain_text("Download them one by one")
    expect(page.locator("[data-instead] a")).to_have_count(12)
    expect(go).to_be_hidden()


def test_a_file_over_the_limit_is_tried_alone_and_then_offered_for_download(visit: Open) -> None:
    page = phone(visit, "long.gallery")
    size = page.evaluate("Number(document.querySelector('a[data-share]').dataset.bytes)")
    sized(page, 60 * MIB, 1)
    page.evaluate(
        "(bytes) => { storykeep.sharing.LIMITS.bytes = bytes; phone.bytes = 1; }", size - 1
    )
    page.locator("#share-all").tap()
    tap_share(page, "Share 1 file (1 of 3)")
    expect(page.locator("#share [role=alert]")).to_contain_text("Download")
    expect(page.locator("[data-instead] a")).to_have_count(1)
    expect(page.locator("[data-go]")).to_have_text("Share 1 file (1 of 11)")


def test_kinds_a_phone_does_not_take_are_left_out_of_what_it_gets(visit: Open) -> None:
    page = phone(visit, "harbour.bakery")
    page.evaluate("phone.kinds = ['image/jpeg']")
    page.locator("#share-all").tap()
    for _ in range(9):
        if handed(page) and page.locator("#share [role=alert]").is_visible():
            break
        page.wait_for_timeout(150)
        if page.locator("[data-go]").is_enabled() and page.locator("[data-go]").is_visible():
            page.locator("[data-go]").tap()
    expect(page.locator("[data-instead] a")).to_have_count(2)
    until(page, "handed.flat().length === 5")
    assert page.evaluate("handed.flat().every(({type}) => type === 'image/jpeg')")


@pytest.mark.parametrize(
    "gone",
    ["navigator.canShare = undefined", "navigator.canShare = () => { throw new TypeError(); }"],
)
def test_a_browser_that_does_not_know_what_it_can_share_offers_downloads(
    gone: str, visit: Open
) -> None:
    page = phone(visit, "foggy.morning", gone)
    expect(page.locator("#share-all")).to_be_hidden()
    expect(page.locator("a.button.take").first).to_be_visible()


# --- no answer ---


def test_an_iphone_that_never_answers_is_handed_the_files_again(visit: Open) -> None:
    page = phone(visit, "foggy.morning", IPHONE)
    page.evaluate("phone.silent = true")
    page.locator("#share-all").tap()
    tap_share(page, "Share 1 file")
    until(page, "handed.length === 1")
    tap_share(page, "Share 1 file")  # in the same sheet
    until(page, "handed.length === 2")
    page.get_by_role("button", name="Close").tap()
    page.locator("#share-all").tap()  # and in another
    tap_share(page, "Share 1 file")
    until(page, "handed.length === 3")


def test_what_comes_after_a_round_does_not_wait_for_its_answer(visit: Open) -> None:
    page = phone(visit, "long.gallery", IPHONE)
    page.evaluate("phone.silent = true")
    page.locator("#share-all").tap()
    onwards = page.get_by_role("button", name="Next files")
    expect(onwards).to_be_hidden()
    tap_share(page, "Share 10 files (1 of 2)")
    page.evaluate("void (window.first = phone.end)")
    onwards.tap()
    tap_share(page, "Share 2 files (2 of 2)")
    expect(onwards).to_be_hidden()
    assert handed(page) == [10, 2]
    page.evaluate("first()")  # after all; it is too late to count
    page.wait_for_timeout(100)
    expect(page.locator("[data-go]")).to_have_text("Share 2 files (2 of 2)")
    page.evaluate("phone.end()")
    expect(page.locator("#share")).to_be_hidden()


def test_a_late_refusal_of_an_earlier_tap_says_nothing_of_this_one(visit: Open) -> None:
    page = phone(visit, "foggy.morning", IPHONE)
    page.evaluate("phone.silent = true")
    page.locator("#share-all").tap()
    tap_share(page, "Share 1 file")
    page.evaluate("void (window.earlier = phone.fail)")
    tap_share(page, "Share 1 file")
    page.evaluate("earlier(new DOMException('', 'NotAllowedError'))")
    page.wait_for_timeout(100)
    expect(page.locator("[data-amounts]")).to_contain_text("1 of 1 file ready")
    expect(page.locator("#share [role=alert]")).to_be_hidden()


def test_a_phone_that_still_waits_for_an_earlier_share_is_loaded_anew(visit: Open) -> None:
    page = phone(visit, "foggy.morning", IPHONE)
    page.evaluate("phone.fault = 'InvalidStateError'")
    job = page.url
    page.locator("#share-all").tap()
    tap_share(page, "Share 1 file")
    expect(page.locator("#share [role=alert]")).to_contain_text("not finished the last share")
    page.get_by_role("link", name="Load this page again").tap()
    page.wait_for_url(job)
    page.locator("#share-all").tap()
    tap_share(page, "Share 1 file")
    until(page, "handed.length === 1")
