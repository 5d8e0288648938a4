"""Which hosts are TikTok's, and for what."""

from __future__ import annotations

import pytest

from stories.hosts import is_allowed_host, is_media_host, is_tiktok_page_host


@pytest.mark.parametrize(
    ("host", "page", "media"),
    [
        ("www.tiktok.com", True, True),
        ("tiktok.com", True, False),
        ("WWW.TikTok.com", True, True),
        ("vm.tiktok.com", True, True),
        ("v16-webapp-prime.us.tiktok.com", False, True),
        ("p16-common-sign.tiktokcdn-eu.com", False, True),
        ("v16m-default.akamaized.net", False, False),
        ("tiktokcdn.com", False, False),
        ("eviltiktok.com", False, False),
        ("www.tiktok.com.evil.example", False, False),
        ("www.tiktok.com.", False, False),
        ("..tiktok.com", False, False),
        ("a b.tiktok.com", False, False),
        ("a@b.tiktok.com", False, False),
        ("a/b.tiktok.com", False, False),
        ("-.tiktok.com", False, False),
        ("", False, False),
    ],
)
def test_hosts(host: str, *, page: bool, media: bool) -> None:
    assert is_tiktok_page_host(host) is page
    assert is_media_host(host) is media
    assert is_allowed_host(host) is (page or media)
