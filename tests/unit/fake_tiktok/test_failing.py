"""Challenges and faults: what the client gets, and which request gets it."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from tests.fake_tiktok import Account, FakeTikTok
from tests.fake_tiktok.exchange import FAULTS
from tests.unit.fake_tiktok.browsing import answered, cookies, listed, play_addr

# --- the challenge ------------------------------------------------------------------------------


def test_a_challenge_wants_exactly_the_right_answer(
    tiktok: FakeTikTok, web: httpx.Client, alice: Account
) -> None:
    fault = tiktok.fault(alice, "challenge", times=1, second="again")
    page = web.get(alice.url).text
    assert "Please wait..." in page
    assert len(page) < 2000
    right = answered(page)
    missing = {**right, "waforiginalreid": "no"}
    assert "Please wait..." in web.get(alice.url, headers=cookies(missing)).text
    right = answered(web.get(alice.url).text)
    unpadded = right["_wafchallengeid"].rstrip("=")
    other = json.loads(base64.b64decode(right["_wafchallengeid"]))
    spaced = base64.b64encode(json.dumps(other).encode()).decode()
    for wrong in {unpadded, spaced} - {right["_wafchallengeid"]}:
        page = web.get(alice.url, headers=cookies({**right, "_wafchallengeid": wrong})).text
        assert "Please wait..." in page
    right = answered(page)
    assert fault.hits == 0
    assert "webapp.user-detail" in web.get(alice.url, headers=cookies(right)).text
    assert fault.hits == 1
    assert "webapp.user-detail" in web.get(alice.url).text


def test_a_challenge_can_be_endless_or_without_answer(
    tiktok: FakeTikTok, web: httpx.Client, alice: Account
) -> None:
    tiktok.fault("profile", "challenge_again")
    right = answered(web.get(alice.url).text)
    assert "Please wait..." in web.get(alice.url, headers=cookies(right)).text


def test_our_own_client_solves_it(tiktok: FakeTikTok, web: httpx.Client, alice: Account) -> None:
    from stories import challenge

    tiktok.fault(alice, "challenge", times=1)
    page = web.get(alice.url).content
    assert challenge.is_challenge(page)
    solution = dict(challenge.solve(page))
    assert "webapp.user-detail" in web.get(alice.url, headers=cookies(solution)).text


# --- faults -------------------------------------------------------------------------------------


def test_media_faults(tiktok: FakeTikTok, web: httpx.Client, alice: Account) -> None:
    clip = alice.video()
    body, url = clip.files[0].body, play_addr(web, alice)
    ranged = {"Range": "bytes=100-"}

    def get(kind: str | int, headers: dict[str, str] | None = None, **options: Any) -> Any:
        fault = tiktok.fault(clip, kind, times=1, **options)
        try:
            return web.get(url, headers=headers)
        except httpx.TransportError as error:
            return error
        finally:
            assert fault.hits == 1

    assert isinstance(get("drop", after=500), httpx.RemoteProtocolError)
    assert isinstance(get("stall", after=500), httpx.ReadTimeout)
    assert isinstance(get("silent"), httpx.RemoteProtocolError)
    assert get("truncated", after=700).content == body[:700]
    assert get("hole", after=700, length=50).content == body[:700] + bytes(50) + body[750:]
    assert get("empty").content == b""
    assert get("html").headers["content-type"].startswith("text/html")
    assert get(403).status_code == 403
    assert get("expired").status_code == 403
    assert get(429, retry_after=30).headers["retry-after"] == "30"
    assert get("no_ranges", ranged).status_code == 200
    assert get("wrong_range", ranged).headers["content-range"].startswith("bytes 7-")
    assert get("etag_changes").headers["etag"] != get("etag_changes").headers["etag"]
    assert get("mislabelled").headers["content-type"] == "application/octet-stream"
    assert get("redirect", to="https://elsewhere.example/").has_redirect_location
    assert web.get(url).content == body


def test_page_and_list_faults(tiktok: FakeTikTok, web: httpx.Client, alice: Account) -> None:
    alice.nothing()
    alice.nothing()

    def list_with(kind: str, **options: Any) -> Any:
        tiktok.fault("list", kind, times=1, **options)
        return listed(web, alice, count="1")

    assert "itemList" not in list_with("withheld")
    stuck = list_with("stuck")
    assert (stuck["HasMoreAfter"], stuck["MaxCursor"]) == (True, 0)
    assert list_with("repeat")["HasMoreAfter"]
    assert list_with("code", code=10101)["statusCode"] == 10101
    assert list_with("captcha")["code"] == "10000"
    assert "itemList" not in list_with("changed")
    tiktok.fault("profile", "changed", times=1)
    assert "REHYDRATION" not in web.get(alice.url).text
    tiktok.fault("profile", "empty", times=1)
    assert web.get(alice.url).content == b""
    tiktok.fault("profile", "system_error", times=1)
    assert web.get(alice.url).headers["x-tt-system-error"] == "3"
    tiktok.fault("profile", "huge", times=1, size=3_000_000)
    assert len(web.get(alice.url).content) > 3_000_000
    tiktok.fault("profile", "deep", times=1, depth=5000)
    assert "[[[[" in web.get(alice.url).text


def test_faults_find_their_target(tiktok: FakeTikTok, web: httpx.Client, alice: Account) -> None:
    clip = alice.video()
    alice.photo()
    bob = tiktok.account("bob")
    first, second = listed(web, alice)["itemList"][0]["video"]["PlayAddrStruct"]["UrlList"][:2]
    tiktok.fault("v16-", 403, times=1)
    assert [web.get(url).status_code for url in (first, second, first)] == [403, 200, 200]
    low = next(rendition for rendition in clip.renditions if rendition.gear_name == "lowest_540_0")
    tiktok.fault(low, 404)
    assert web.get(first).status_code == 200
    tiktok.fault({"endpoint": "profile", "account": "bob"}, 500)
    assert web.get(alice.url).status_code == 200
    assert web.get(bob.url).status_code == 500
    with pytest.raises(ValueError, match="no fault"):
        tiktok.fault(bob, "sulks")
    with pytest.raises(ValueError, match="cannot match"):
        tiktok.fault({"mood": "bad"}, 500)


def test_every_fault_is_explained() -> None:
    assert all(FAULTS.values())
