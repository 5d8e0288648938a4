"""The history: several at once, forgetting with Undo; and questions that come in a dialog."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.browser.conftest import PATIENCE_S, Open
from tests.browser.test_main_path import paste, settle

PATIENT_MS = PATIENCE_S * 1000


@pytest.fixture
def three(visit: Open) -> Page:
    """The history of someone with at least three jobs, on a phone."""
    page = visit("phone")
    for name in ("@foggy.morning", "@tiny.garden", "@quiet.owl"):
        paste(page, name)
        settle(page)
    page.goto("/history/")
    return page


def rows(page: Page) -> list[str]:
    """Ids of the rows that are seen."""
    read = "[...document.querySelectorAll('.row:not([hidden])')].map((row) => row.id)"
    found: list[str] = page.evaluate(read)
    return found


def stop_the_clock(page: Page) -> None:
    """Undo stays for as long as a busy machine needs to get there."""
    page.clock.install()
    page.clock.pause_at(datetime.now(UTC) + timedelta(seconds=2))


def rows_of(page: Page, others: list[str]) -> list[str]:
    """As many of them: where there are more than a page holds, others move up to it."""
    return rows(page)[: len(others)]


def test_what_is_forgotten_goes_at_once_and_comes_back(three: Page) -> None:
    sent: list[Request] = []
    three.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    stop_the_clock(three)
    before = rows(three)
    three.locator("a[data-forget]").first.tap()
    expect(three.locator("[data-toast]")).to_contain_text("Job forgotten")
    assert rows(three) == before[1:]
    three.get_by_role("button", name="Undo").tap()
    expect(three.locator("[data-toast]")).to_be_hidden()
    assert rows(three) == before
    three.wait_for_timeout(300)
    assert not sent
    three.reload()
    assert rows(three) == before


def test_it_is_gone_when_the_page_is_left_before(three: Page) -> None:
    before = rows(three)
    three.locator("a[data-forget]").first.tap()
    three.goto("/help/")
    three.goto("/history/")
    assert rows_of(three, before[1:]) == before[1:]


def test_what_was_just_sent_is_not_shown_again(three: Page) -> None:
    """The page that comes next may have been made before the request arrived."""
    before = rows(three)
    held: list[Route] = []
    three.route(re.compile("/history/chosen/"), lambda route: held.append(route))
    three.locator("a[data-forget]").first.tap()
    three.reload()
    assert before[0] not in rows(three)


def test_it_is_gone_after_a_while(three: Page) -> None:
    before = rows(three)
    with three.expect_response(re.compile("/history/chosen/"), timeout=PATIENT_MS) as answer:
        three.locator("a[data-forget]").first.tap()
    assert answer.value.status == 204
    expect(three.locator("[data-toast]")).to_be_hidden()
    three.reload()
    assert rows_of(three, before[1:]) == before[1:]


# --- from the page of the job ---------------------------------------------------------------------


@pytest.fixture
def one(visit: Open) -> Page:
    """The page of a settled job, on a phone, to which one came by the home page."""
    page = visit("phone")
    paste(page, "@foggy.morning")
    settle(page)
    return page


def row_id(page: Page) -> str:
    """The id that a job's row has in the history. page: on the job."""
    return f"job-{page.url.rstrip('/').rpartition('/')[2]}"


def posts(page: Page) -> list[Request]:
    """The forms that are sent from now on."""
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    return sent


def test_a_job_forgotten_on_its_page_comes_back_in_the_history(one: Page) -> None:
    stop_the_clock(one)
    mine, sent = row_id(one), posts(one)
    one.get_by_role("link", name="Forget this job").dblclick()
    one.wait_for_url("**/history/")
    toast = one.locator("[data-toast]")
    expect(toast).to_contain_text("Job forgotten")
    assert mine not in rows(one)
    toast.get_by_role("button", name="Undo").tap()
    expect(toast).to_be_hidden()
    assert rows(one)[0] == mine
    expect(one.locator(f"#{mine} .title")).to_be_focused()
    one.wait_for_timeout(300)
    assert not sent
    one.reload()
    assert rows(one)[0] == mine, "it is not forgotten when the page is loaded again"
    expect(toast).to_be_hidden()


def test_it_is_forgotten_once_and_its_page_is_left_behind(one: Page) -> None:
    mine, sent = row_id(one), posts(one)
    with one.expect_response(re.compile("/history/chosen/"), timeout=PATIENT_MS) as answer:
        one.get_by_role("link", name="Forget this job").tap()
    assert answer.value.status == 204
    one.reload()
    assert mine not in rows(one)
    expect(one.locator("[data-toast]")).to_be_hidden()
    assert len(sent) == 1
    one.go_back()
    expect(one).to_have_url(re.compile(r"://[^/]+/$"))


def test_a_second_tab_forgets_nothing_else(one: Page) -> None:
    mine = row_id(one)
    other = one.context.new_page()
    paste(other, "@quiet.owl")  # something is left in the history
    settle(other)
    other.goto(one.url)
    with other.expect_response(re.compile("/history/chosen/"), timeout=PATIENT_MS):
        other.get_by_role("link", name="Forget this job").tap()
    other.reload()
    left = rows(other)
    with one.expect_response(re.compile("/history/chosen/"), timeout=PATIENT_MS) as answer:
        one.get_by_role("link", name="Forget this job").tap()
    assert answer.value.status == 204
    other.reload()
    assert mine not in left
    assert rows(other) == left


def test_what_was_left_long_ago_or_by_another_is_not_forgotten(one: Page) -> None:
    mine, sent = row_id(one), posts(one)
    for change in ("left.at -= 61e3", "left.user = '999999'", "left = 7"):
        one.evaluate(
            """([job, change]) => {
                let left = {user: document.querySelector("script[data-user]").dataset.user,
                    job, back: location.href, at: Date.now()};
                left = new Function("left", `${change}; return left`)(left);
                sessionStorage.setItem("storykeep-forget", JSON.stringify(left));
            }""",
            [mine.removeprefix("job-"), change],
        )
        one.goto("/history/")
        assert rows(one)[0] == mine, change
    assert not sent


def test_a_job_further_down_comes_back_on_its_own_page(one: Page) -> None:
    stop_the_clock(one)
    address, sent = one.url, posts(one)
    one.evaluate("document.querySelector('[data-forget-at]').dataset.forgetAt += '?q=quiet.owl'")
    one.get_by_role("link", name="Forget this job").tap()
    one.get_by_role("button", name="Undo").tap()
    one.wait_for_url(address)
    assert not sent


def test_without_a_script_or_a_memory_the_job_is_asked_about(one: Page, visit: Open) -> None:
    page = visit("desktop", java_script_enabled=False)
    page.goto(one.url)
    page.get_by_role("link", name="Forget this job").click()
    expect(page.get_by_role("heading")).to_have_text("Forget this job?")
    one.evaluate("() => { Storage.prototype.setItem = () => { throw new Error('full'); }; }")
    one.get_by_role("link", name="Forget this job").tap()
    expect(one.get_by_role("heading")).to_have_text("Forget this job?")
    one.get_by_role("button", name="Forget").tap()
    expect(one.get_by_role("status").first).to_contain_text("Forgotten.")


# --- what goes wrong, and several at once ---------------------------------------------------------


def test_what_could_not_be_forgotten_comes_back_and_says_so(three: Page, witness: object) -> None:
    witness.expected.append("500")  # type: ignore[attr-defined]
    three.route(re.compile("/history/chosen/"), lambda route: route.fulfill(status=500))
    before = rows(three)
    three.locator("a[data-forget]").first.tap()
    expect(three.locator("[data-toast]")).to_contain_text("That did not work.", timeout=PATIENT_MS)
    assert rows(three) == before


def test_several_are_chosen_and_forgotten(three: Page) -> None:
    stop_the_clock(three)
    before = rows(three)
    bar = three.locator("[data-chosen]")
    expect(bar).to_be_hidden()
    for place in (0, 1):
        three.locator(".row .tick").nth(place).tap()
    expect(bar).to_contain_text("2 selected")
    bar.get_by_role("button", name="Forget").tap()
    expect(three.locator("[data-toast]")).to_contain_text("2 jobs forgotten")
    assert rows(three) == before[2:]
    three.get_by_role("button", name="Undo").tap()
    assert rows(three) == before
    expect(bar).to_be_hidden()


def test_without_a_script_several_are_asked_about(three: Page, visit: Open) -> None:
    before = rows(three)
    page = visit("desktop", java_script_enabled=False)
    page.goto("/history/")
    for place in (0, 1):
        page.locator(".row .tick input").nth(place).check()
    page.locator("[data-chosen]").get_by_role("button", name="Forget").click()
    expect(page.get_by_role("heading")).to_have_text("Forget 2 jobs?")
    page.get_by_role("button", name="Forget").click()
    expect(page.get_by_role("status").first).to_contain_text("2 jobs forgotten.")
    three.reload()
    assert rows_of(three, before[2:]) == before[2:]


def test_a_question_comes_in_a_dialog_and_can_be_left(visit: Open) -> None:
    page = visit("desktop")
    paste(page, "@foggy.morning")
    settle(page)
    address = page.url
    # Any link to a page that asks; the job page's own are looked at with it.
    page.evaluate(
        """() => document.querySelector("main").insertAdjacentHTML(
            "beforeend", `<a id="ask" href="${location.pathname}clean/" data-confirm>Delete</a>`)"""
    )
    page.locator("#ask").click()
    dialog = page.get_by_role("dialog", name=re.compile("Delete 1 file, .*\\?"))
    expect(dialog).to_be_visible()
    keep = dialog.get_by_role("link", name="Keep it")
    expect(keep).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.locator("#ask").click()
    keep.click()
    expect(dialog).to_be_hidden()
    assert page.url == address
    page.locator("#ask").click()
    dialog.get_by_role("button", name="Delete now").click()
    expect(page.get_by_role("status").filter(has_text="1 file deleted, ")).to_be_visible()
    assert page.url == address


def test_a_button_that_cannot_be_undone_asks_first(visit: Open) -> None:
    page = visit("desktop")
    page.goto("/account/tokens/")
    page.fill("#id_name", "a script")
    page.get_by_role("button", name=re.compile("token", re.IGNORECASE)).last.click()
    remove = page.get_by_role("button", name="Remove a script")
    remove.click()
    dialog = page.get_by_role("dialog", name="Remove “a script”? What uses it stops working.")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    dialog.get_by_role("button", name="Cancel").click()
    expect(remove).to_be_visible()
    remove.click()
    dialog.get_by_role("button", name="Remove").click()
    expect(page.locator("main")).not_to_contain_text("a script")
