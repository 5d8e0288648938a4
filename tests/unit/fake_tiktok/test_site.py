"""The log of requests, and hosts that are not TikTok's."""

from __future__ import annotations

import httpx
import pytest

from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.fake_tiktok.browsing import REFERER, play_addr


def test_requests_are_logged_and_counted(
    tiktok: FakeTikTok, web: httpx.Client, alice: Account
) -> None:
    clip = alice.video()
    web.get(play_addr(web, alice), headers={"Range": "bytes=0-5"})
    assert [seen.endpoint for seen in tiktok.seen()] == ["list", "video"]
    assert tiktok.count("video", item=clip, ranged=True) == 1
    assert tiktok.count(account=alice) == 2
    assert tiktok.seen("video")[0].headers["referer"] == REFERER
    tiktok.forget_requests()
    assert tiktok.count() == 0


def test_other_hosts_are_strays(tiktok: FakeTikTok, web: httpx.Client) -> None:
    for url in ("https://www.tiktok.com.evil.example/", "http://www.tiktok.com/"):
        with pytest.raises(httpx.ConnectError):
            web.get(url)
    assert tiktok.strays == ["www.tiktok.com.evil.example", "www.tiktok.com"]
