"""The fake's walls and scripts in a real browser: they open to it, and they do what they say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Response

from tests.fake_tiktok import Account, FakeTikTok, scripts
from tests.fake_tiktok.proxy import running_proxy


@pytest.fixture
def tiktok() -> FakeTikTok:
    """A site with small pages."""
    return FakeTikTok(page_bytes=2_000)


@pytest.fixture
def alice(tiktok: FakeTikTok) -> Account:
    """An account with three items, which one answer of the list holds."""
    account = tiktok.account("alice")
    for _ in range(3):
        account.nothing()
    return account


@pytest.fixture
def context(chromium: Browser, tiktok: FakeTikTok) -> Iterator[BrowserContext]:
    """A browser context that reaches the fake through its proxy."""
    with running_proxy(tiktok) as proxy:
        made = chromium.new_context(
            proxy={"server": proxy.url, "bypass": "<-loopback>"}, ignore_https_errors=True
        )
        made.set_default_timeout(15_000)
        yield made
        made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """One page of it."""
    return context.new_page()


def shows_data(page: Page) -> None:
    """Wait until a page with its data is there."""
    page.wait_for_selector("#__UNIVERSAL_DATA_FOR_REHYDRATION__", state="attached")


def fetched(page: Page, account: Account) -> Any:
    """The story list as the page's own `fetch` gets it."""
    query = f"aid=1988&authorId={account.id}&count=20&cursor=0"
    text = page.evaluate(
        "url => fetch(url, {credentials: 'include'}).then(answer => answer.text())",
        f"/api/story/item_list/?{query}",
    )
    return json.loads(text) if text else None


@pytest.mark.parametrize("host", ["", scripts.SCRIPT_HOST])
def test_a_wall_opens_by_its_own_script(
    tiktok: FakeTikTok, alice: Account, page: Page, host: str
) -> None:
    wall = tiktok.fault("any", "script_wall", host=host)
    page.goto(alice.url)
    shows_data(page)
    assert wall.hits >= 1
    assert tiktok.count("script") == bool(host)
    assert len(fetched(page, alice)["itemList"]) == 3


def test_the_puzzle_opens_by_its_own_script(tiktok: FakeTikTok, alice: Account, page: Page) -> None:
    puzzle = tiktok.fault(alice, "challenge", times=1, second="again", reach=500)
    page.goto(alice.url)
    shows_data(page)
    assert puzzle.hits == 1


@pytest.mark.parametrize("how", ["hollow", "zero"])
def test_a_list_is_signed_by_the_pages_own_fetch(
    tiktok: FakeTikTok, alice: Account, page: Page, how: Any
) -> None:
    tiktok.signed_list = how
    page.goto(alice.url)
    assert len(fetched(page, alice)["itemList"]) == 3
    page.goto("https://www.tiktok.com/")
    unsigned = fetched(page, alice)
    assert unsigned is None or "itemList" not in unsigned


def test_a_page_asks_for_its_list_by_itself_and_signs_it(
    tiktok: FakeTikTok, alice: Account, page: Page
) -> None:
    tiktok.page_asks = True
    tiktok.signed_list = "zero"
    with page.expect_response(lambda answer: "/api/story/item_list/" in answer.url) as asked:
        page.goto(alice.url)
    assert len(asked.value.json()["itemList"]) == 3
    assert tiktok.seen("list")[0].path.count(f"count={scripts.OWN_PAGE_SIZE}") == 1


def test_a_headless_browser_gives_itself_away(
    tiktok: FakeTikTok, alice: Account, page: Page
) -> None:
    tiktok.fault({"endpoint": "profile", "headless": True}, 403)
    answer = page.goto(alice.url)
    assert answer is not None
    seen = tiktok.seen("profile")[-1]
    assert answer.status == (403 if "Headless" in str(dict(seen.headers)) else 200)
    assert "Headless" in str(dict(seen.headers)) or seen.headers.get("sec-ch-ua")


@pytest.mark.parametrize("to", ["/login?redirect_url=x", "/captcha"])
def test_a_page_leaves_by_script(tiktok: FakeTikTok, alice: Account, page: Page, to: str) -> None:
    tiktok.fault("profile", "script_redirect", to=to)
    page.goto(alice.url)
    page.wait_for_url(f"https://www.tiktok.com{to}")


def test_a_page_that_never_loads(tiktok: FakeTikTok, alice: Account, page: Page) -> None:
    tiktok.fault("profile", "stall", after=600)
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    with pytest.raises(Exception, match="Timeout"):
        page.goto(alice.url, timeout=1500)
    assert [answer.status for answer in answers] == [200]


def test_a_hostile_page_tries_what_it_can(
    tiktok: FakeTikTok, alice: Account, context: BrowserContext, page: Page
) -> None:
    dialogs: list[str] = []
    popups: list[Page] = []

    def dismiss(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    context.on("page", lambda popup: popups.append(popup))
    tiktok.fault("profile", "hostile")
    page.goto(alice.url)
    page.wait_for_timeout(1500)
    assert len(dialogs) == 200
    assert popups
    assert "evil.example" in tiktok.strays
    assert page.evaluate("window.stolen") is None
    assert page.evaluate("JSON.stringify([1])") == "{}"
    shows_data(page)


def test_a_hostile_page_leaves_for_elsewhere(
    tiktok: FakeTikTok, alice: Account, page: Page
) -> None:
    tiktok.fault("profile", "hostile", tricks=["leave"])
    page.goto(alice.url)
    page.wait_for_timeout(1000)
    assert tiktok.strays == ["evil.example"]
