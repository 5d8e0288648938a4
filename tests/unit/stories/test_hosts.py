"""Which hosts are TikTok's, and for what."""

from __future__ import annotations

import pytest

from stories.hosts import (
    is_allowed_host,
    is_browser_host,
    is_link_host,
    is_media_host,
    is_tiktok_page_host,
    on_page_host,
    other_services,
    page_hosts,
)


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
    assert is_allowed_host(host) is is_browser_host(host) is (page or media)


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("sf16-website-login.neutral.ttwstatic.com", True),
        ("LF16-TikTok-Web.TTWStatic.com", True),
        ("ttwstatic.com", False),
        ("evilttwstatic.com", False),
        ("..ttwstatic.com", False),
        ("a b.ttwstatic.com", False),
        ("x.ttwstatic.com.", False),
        ("x." * 130 + "ttwstatic.com", False),
    ],
)
def test_only_other_programs_reach_the_hosts_of_scripts(host: str, *, reached: bool) -> None:
    assert is_browser_host(host) is reached
    assert not is_allowed_host(host)


@pytest.mark.parametrize(
    ("host", "links"),
    [
        *((host, True) for host in sorted(page_hosts())),
        *((f"{label}.tiktok.com", False) for label in other_services()),
        ("us.tiktok.com", True),
        ("US.TikTok.com", True),
        ("t.tiktok.com", True),
        ("tiktokv.com", True),
        ("www.tiktokv.us", True),
        ("a.b.tiktok.com", False),
        ("www.us.tiktok.com", True),
        ("m.us.tiktok.com", True),
        ("www.shop.tiktok.com", False),
        ("m.-us.tiktok.com", False),
        ("-us.tiktok.com", False),
        ("u_s.tiktok.com", False),
        (".tiktok.com", False),
        ("us.tiktok.com.", False),
        ("us.tiktok.com.evil.example", False),
        ("ustiktok.com", False),
        ("tiktokv.evil", False),
        ("x" * 64 + ".tiktok.com", False),
        ("", False),
    ],
)
def test_hosts_whose_links_are_read(host: str, *, links: bool) -> None:
    assert is_link_host(host) is links


def test_reading_a_link_lets_nobody_choose_whom_we_ask() -> None:
    assert is_link_host("us.tiktok.com")
    assert not is_tiktok_page_host("us.tiktok.com")
    assert not is_tiktok_page_host("t.tiktok.com")


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://us.tiktok.com/@a/video/1?x=2#y", "https://www.tiktok.com/@a/video/1?x=2#y"),
        ("https://WWW.TikTokV.eu/@a", "https://www.tiktok.com/@a"),
        ("https://m.tiktok.com/@a", "https://m.tiktok.com/@a"),
        ("http://us.tiktok.com/@a", "http://us.tiktok.com/@a"),
        ("https://us.tiktok.com:8443/@a", "https://us.tiktok.com:8443/@a"),
        ("https://us.tiktok.com@evil.example/", "https://us.tiktok.com@evil.example/"),
        ("https://shop.tiktok.com/@a", "https://shop.tiktok.com/@a"),
        ("https://evil.example/@a", "https://evil.example/@a"),
        ("https://[::1/", "https://[::1/"),
    ],
)
def test_a_regions_page_is_asked_for_on_the_main_host(url: str, asked: str) -> None:
    assert on_page_host(url) == asked
