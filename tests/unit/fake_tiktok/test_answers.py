"""Answers when nothing goes wrong: pages, the list, short links, files and who gets them."""

from __future__ import annotations

import httpx

from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.fake_tiktok.browsing import REFERER, UA, data_in, listed, play_addr, sample


def test_a_profile_page_is_as_large_as_a_real_one_and_sets_the_cookies() -> None:
    tiktok = FakeTikTok()
    alice = tiktok.account("sample.user")
    with httpx.Client(transport=tiktok.transport()) as web:
        page = web.get(alice.url)
        assert 370_000 < len(page.content) < 420_000
        assert {"ttwid", "tt_csrf_token", "tt_chain_token"} <= set(dict(web.cookies))


# --- the list -----------------------------------------------------------------------------------


def test_the_list_pages_forward_in_time(
    tiktok: FakeTikTok, web: httpx.Client, alice: Account
) -> None:
    ids = [alice.nothing(ago_s=5000 - number).id for number in range(7)]
    tiktok.most_per_page = 3
    listed_ids: list[str] = []
    cursor, more = "0", True
    while more:
        page = listed(web, alice, cursor=cursor)
        listed_ids += [item["id"] for item in page["itemList"]]
        cursor, more = str(page["MaxCursor"]), page["HasMoreAfter"]
        assert page["TotalCount"] == "7"
    assert listed_ids == ids


def test_the_list_has_no_items_key_when_there_is_no_story(
    web: httpx.Client, alice: Account
) -> None:
    page = listed(web, alice)
    assert "itemList" not in page
    assert (page["statusCode"], page["TotalCount"]) == (0, "0")


def test_the_list_refuses_what_the_site_refuses(
    tiktok: FakeTikTok, web: httpx.Client, alice: Account
) -> None:
    tiktok.account("locked", private=True, id="77")
    assert listed(web, alice, count="51")["statusCode"] == 10201
    assert listed(web, alice, authorId="")["statusCode"] == 10201
    assert listed(web, alice, authorId="12345")["statusCode"] == 10202
    assert listed(web, alice, authorId="77")["statusCode"] == 10222


def test_expired_stories_may_be_listed_but_have_no_page(
    tiktok: FakeTikTok, web: httpx.Client, alice: Account
) -> None:
    old = alice.expired()
    item = listed(web, alice)["itemList"][0]
    assert item["story"]["ExpiredAt"] / 1000 < tiktok.now()
    detail = data_in(web.get(f"{alice.url}/video/{old.id}"))["webapp.video-detail"]
    assert detail == sample("page_video_10204.json")["__DEFAULT_SCOPE__"]["webapp.video-detail"]


# --- files --------------------------------------------------------------------------------------


def test_media_is_served_to_the_session_that_listed_it(web: httpx.Client, alice: Account) -> None:
    story = alice.video(song="m4a")
    video = listed(web, alice)["itemList"][0]["video"]
    for url in video["PlayAddrStruct"]["UrlList"]:
        assert web.get(url, follow_redirects=True).content == story.files[0].body
    assert story.watermarked is not None
    assert web.get(video["downloadAddr"]).content == story.watermarked.body
    song = listed(web, alice)["itemList"][0]["music"]["playUrl"]
    assert web.get(song).headers["content-type"] == "audio/mp4"
    assert web.get(video["cover"]).content[:3] == b"\xff\xd8\xff"


def test_video_needs_the_referer_the_token_and_the_same_agent(
    tiktok: FakeTikTok, web: httpx.Client, alice: Account
) -> None:
    alice.video()
    url = play_addr(web, alice)
    assert web.get(url, headers={"Referer": ""}).headers["x-fake-reason"] == "referer"
    assert web.get(url, headers={"User-Agent": "other"}).headers["x-fake-reason"] == "user agent"
    headers = {"User-Agent": UA, "Referer": REFERER}
    with httpx.Client(transport=tiktok.transport(), headers=headers) as stranger:
        assert stranger.get(url).headers["x-fake-reason"] == "signature"
        tiktok.needs_token = False
        assert stranger.get(url).status_code == 200


def test_pictures_need_no_session(tiktok: FakeTikTok, web: httpx.Client, alice: Account) -> None:
    story = alice.photo()
    urls = listed(web, alice)["itemList"][0]["imagePost"]["images"][0]["imageURL"]["urlList"]
    with httpx.Client(transport=tiktok.transport()) as stranger:
        assert {stranger.get(url).content for url in urls} == {story.files[0].body}


# --- links --------------------------------------------------------------------------------------


def test_short_links(tiktok: FakeTikTok, web: httpx.Client, alice: Account) -> None:
    clip = alice.nothing()

    def follow(url: str) -> list[str]:
        steps: list[str] = []
        while True:
            answer = web.get(url)
            if not answer.is_redirect:
                return steps
            url = answer.headers["location"]
            steps.append(url)

    assert follow(tiktok.short_link("ZM1", to=clip)) == [clip.shared_url]
    assert "story_type=1" in clip.shared_url
    assert len(follow(tiktok.short_link("ZM3", to=clip, hops=3))) == 3
    assert follow(tiktok.short_link("ZM0", to=None)) == ["https://www.tiktok.com/?_r=1"]
    assert follow("https://vt.tiktok.com/ZMunknown/") == ["https://www.tiktok.com/?_r=1"]
    assert follow(tiktok.short_link("ZMt", to=alice, host="www.tiktok.com"))[0].startswith(
        alice.url
    )
    tiktok.fault("short", "login", times=1)
    assert follow("https://vm.tiktok.com/ZM1/")[0].startswith("https://www.tiktok.com/login")
