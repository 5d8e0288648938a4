"""Walls, signatures and pages with scripts, as a client sees them that runs no script."""

from __future__ import annotations

import json
import re

import httpx
import pytest

from stories import challenge
from stories.errors import Challenged
from tests.fake_tiktok import Account, FakeTikTok, scripts
from tests.unit.fake_tiktok.browsing import cookies, data_in, listed

LIST = "https://www.tiktok.com/api/story/item_list/"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0"


def test_a_wall_opens_only_to_who_ran_its_script(
    tiktok: FakeTikTok, web: httpx.Client, alice: Account
) -> None:
    fault = tiktok.fault("any", "script_wall")
    wall = web.get(alice.url)
    assert "Please wait..." in wall.text
    assert web.get(LIST, params={"authorId": alice.id}).content == b""
    nonce = re.search(r'id="wg" class="([^"]+)"', wall.text)
    assert nonce is not None
    made_up = "7-00000000000000000000"
    for wrong in ("", nonce[1], f"{nonce[1]}.1", scripts.gate_pass(made_up)):
        assert "Please wait..." in web.get(alice.url, headers=cookies({"_wafgate": wrong})).text
    assert fault.hits == 6
    right = cookies({"_wafgate": scripts.gate_pass(nonce[1])})
    assert "webapp.user-detail" in data_in(web.get(alice.url, headers=right))
    assert fault.hits == 6
    tiktok.faults.clear()
    tiktok.fault("any", "script_wall", shut=True)
    assert "Please wait..." in web.get(alice.url, headers=right).text


def test_our_own_solver_takes_a_wall_for_a_challenge_and_cannot_solve_it(
    tiktok: FakeTikTok, web: httpx.Client, alice: Account
) -> None:
    tiktok.fault(alice, "script_wall")
    page = web.get(alice.url).content
    assert challenge.is_challenge(page)
    with pytest.raises(Challenged):
        challenge.solve(page)


def test_a_walls_script_may_lie_on_another_host(
    tiktok: FakeTikTok, web: httpx.Client, alice: Account
) -> None:
    tiktok.fault(alice, "script_wall", host=scripts.SCRIPT_HOST)
    source = re.search(r'<script src="([^"]+)"', web.get(alice.url).text)
    assert source is not None
    assert web.get(source[1]).text == scripts.GATE
    assert [seen.endpoint for seen in tiktok.requests] == ["profile", "script"]
    assert tiktok.strays == []


@pytest.mark.parametrize("how", ["hollow", "zero"])
def test_a_signed_list_is_given_to_the_pages_own_script_alone(
    tiktok: FakeTikTok, web: httpx.Client, alice: Account, how: str
) -> None:
    alice.nothing()
    assert "window.fetch=" not in web.get(alice.url).text
    tiktok.signed_list = "hollow" if how == "hollow" else "zero"
    page = web.get(alice.url).text
    key = re.search(r'key="([0-9a-f]+)"', page)
    assert key is not None
    query = f"aid=1988&authorId={alice.id}&count=20&cursor=0"
    unsigned = web.get(f"{LIST}?{query}").content
    if how == "zero":
        assert unsigned == b""
    else:
        said = json.loads(unsigned)
        assert said["statusCode"] == 0
        assert said.keys().isdisjoint({"itemList", "TotalCount"})
    signature = scripts._fnv(key[1] + query)
    assert web.get(f"{LIST}?{query}&X-Gnarly={signature}").json()["TotalCount"] == "1"
    for wrong in (f"{query}&X-Gnarly=1", f"{query}0&X-Gnarly={signature}"):
        assert web.get(f"{LIST}?{wrong}").content[:20] == unsigned[:20]
    web.cookies.clear()
    assert web.get(f"{LIST}?{query}&X-Gnarly={signature}").content[:20] == unsigned[:20]


def test_a_list_can_say_nothing_at_all(
    tiktok: FakeTikTok, web: httpx.Client, alice: Account
) -> None:
    alice.nothing()
    tiktok.fault("list", "hollow", times=1)
    hollow = listed(web, alice)
    assert hollow["statusCode"] == 0
    assert hollow.keys().isdisjoint({"itemList", "TotalCount"})
    assert listed(web, alice)["itemList"]


def test_pages_ask_by_themselves_when_told_to(
    tiktok: FakeTikTok, web: httpx.Client, alice: Account
) -> None:
    assert "item_list" not in web.get(alice.url).text
    tiktok.page_asks = True
    assert f"authorId={alice.id}" in web.get(alice.url).text


def test_agents_are_told_apart(tiktok: FakeTikTok, web: httpx.Client, alice: Account) -> None:
    hints = {"sec-ch-ua": '"Chromium";v="150"'}
    people = {"User-Agent": f"{CHROME} Safari/537.36", **hints}
    visitors = {
        "people": people,
        "headless": {"User-Agent": f"{CHROME.replace('Chrome', 'HeadlessChrome')}", **hints},
        "headless hints": {**people, "sec-ch-ua": '"HeadlessChrome";v="150"'},
        "no hints": {"User-Agent": people["User-Agent"]},
        "a program": {"User-Agent": "Mozilla/5.0 (compatible; Storykeep)"},
        "another": {**people, "sec-ch-ua": '"Chromium";v="146"'},
    }

    def served() -> set[str]:
        return {
            name
            for name, headers in visitors.items()
            if web.get(alice.url, headers=headers).is_success
        }

    assert served() == visitors.keys()
    headless = {"headless", "headless hints", "no hints"}
    for match, left in (
        ({"headless": True}, visitors.keys() - headless),
        ({"browser": True}, {"a program"}),
        ({"browser": False}, visitors.keys() - {"a program"}),
        ({"hints": '"150"'}, {"no hints", "a program", "another"}),
    ):
        tiktok.faults.clear()
        tiktok.fault({"endpoint": "profile", **match}, 403)
        assert served() == left, match


def test_a_page_may_say_it_in_other_words(
    tiktok: FakeTikTok, web: httpx.Client, alice: Account
) -> None:
    alice.photo(size=(90, 160))
    tiktok.fault("any", "rewritten", words={"imagePost": "pictures", "user-detail": "user-info"})
    assert "webapp.user-info" in data_in(web.get(alice.url))
    item = listed(web, alice)["itemList"][0]
    assert "imagePost" not in item
    picture = item["pictures"]["images"][0]["imageURL"]["urlList"][0]
    assert web.get(picture).content == alice.stories[0].files[0].body


def test_pages_that_leave_and_pages_that_mean_no_good(
    tiktok: FakeTikTok, web: httpx.Client, alice: Account
) -> None:
    tiktok.fault("profile", "script_redirect", times=1, to="/captcha?from=profile")
    assert 'location.replace("/captcha?from=profile")' in web.get(alice.url).text
    assert web.get("https://www.tiktok.com/captcha").is_success
    tiktok.fault("profile", "hostile", port=8123)
    page = web.get(alice.url)
    assert "webapp.user-detail" in data_in(page)
    for part in ("wss://evil.example", "file:///etc/passwd", "alert(", ":8123", "serviceWorker"):
        assert part in page.text
    assert "/left" not in page.text


def test_the_list_may_be_elsewhere(tiktok: FakeTikTok, web: httpx.Client, alice: Account) -> None:
    alice.nothing()
    tiktok.list_path = "/api/story/v2/list/"
    query = {"aid": "1988", "authorId": alice.id, "count": "20", "cursor": "0"}
    assert web.get(LIST, params=query).content == b""
    moved = "https://www.tiktok.com/api/story/v2/list/"
    assert web.get(moved, params=query).json()["itemList"]
