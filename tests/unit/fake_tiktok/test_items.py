"""Users, items and embeds have the fields and types of the recordings."""

from __future__ import annotations

import json
import re

import httpx

from tests.fake_tiktok import HEVC_720, Account
from tests.unit.fake_tiktok.browsing import data_in, differences, listed, sample


def test_items_have_the_fields_and_types_of_the_recording(
    web: httpx.Client, alice: Account
) -> None:
    alice.video(0.5, gears=(HEVC_720,), song="mp3")
    recorded = sample("web_item_video_720hevc_540h264.json")["itemList"][0]
    story = sample("story_item_PARTIAL.json")["itemList"][0]["story"]
    produced = listed(web, alice)["itemList"][0]
    assert differences(produced, {**recorded, "story": story}) == []


def test_pages_have_strings_where_the_list_has_numbers(web: httpx.Client, alice: Account) -> None:
    post = alice.post("carousel")
    page = data_in(web.get(f"https://www.tiktok.com/@sample.user/video/{post.id}"))
    produced = page["webapp.video-detail"]["itemInfo"]["itemStruct"]
    recorded = sample("page_photo_2_images.json")["__DEFAULT_SCOPE__"]["webapp.video-detail"]
    item = recorded["itemInfo"]["itemStruct"]
    assert isinstance(produced["createTime"], str)
    assert differences(produced["imagePost"], item["imagePost"]) == []
    assert differences(produced["video"], item["video"]) == []


def test_profiles_have_the_fields_and_types_of_the_recording(
    web: httpx.Client, alice: Account
) -> None:
    produced = data_in(web.get(alice.url))["webapp.user-detail"]
    recorded = sample("page_profile_ok.json")["__DEFAULT_SCOPE__"]["webapp.user-detail"]
    assert differences(produced, recorded) == []
    missing = data_in(web.get("https://www.tiktok.com/@nobody.here"))["webapp.user-detail"]
    recorded = sample("page_profile_10221.json")["__DEFAULT_SCOPE__"]["webapp.user-detail"]
    assert missing == recorded


def test_embeds_have_the_fields_and_types_of_the_recording(
    web: httpx.Client, alice: Account
) -> None:
    page = web.get("https://www.tiktok.com/embed/@sample.user").text
    matched = re.search(r'id="__FRONTITY_CONNECT_STATE__"[^>]*>(.*?)</script>', page)
    assert matched is not None
    assert differences(json.loads(matched[1]), sample("embed_profile.json")) == []
