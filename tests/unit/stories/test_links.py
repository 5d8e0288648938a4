"""Which links are understood, as what, and which are refused in which words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stories.errors import InputError, NotUnderstood, UnsupportedLink
from stories.hosts import PAGE_HOSTS
from stories.links import UNSUPPORTED_LINKS, canonical_url, parse_url
from stories.structures import Target, TargetKind
from stories.targets import parse_line
from tests.unit.stories.expected_targets import ID, LITE, SEC_UID, WEB, post, short, story, user

UNDERSTOOD = {
    # profile links
    "profile": (f"{WEB}/@alice", user("alice")),
    "profile, slash": (f"{WEB}/@alice/", user("alice")),
    "profile, double slash": (f"{WEB}//@alice//", user("alice")),
    "profile, query": (f"{WEB}/@alice?lang=en", user("alice")),
    "profile, tracking": (f"{WEB}/@alice?_r=1&_t=8abc&u_code=d1&sec_uid={SEC_UID}", user("alice")),
    "profile, fragment": (f"{WEB}/@alice#top", user("alice")),
    "profile, encoded at": (f"{WEB}/%40alice", user("alice")),
    "profile, no scheme": ("www.tiktok.com/@alice", user("alice")),
    "profile, bare host": ("tiktok.com/@alice", user("alice")),
    "profile, mobile host": ("https://m.tiktok.com/@alice", user("alice")),
    "profile, http": ("http://www.tiktok.com/@alice", user("alice")),
    "profile, shouting": ("HTTPS://WWW.TIKTOK.COM/@Alice", user("alice")),
    "profile by id": (f"{WEB}/@6812345678901", user("6812345678901", "6812345678901")),
    "profile by secUid": (f"{WEB}/@{SEC_UID}", Target(kind=TargetKind.USER, sec_uid=SEC_UID)),
    "story list name": (f"{WEB}/@alice/stories", user("alice")),
    "story list name, singular": (f"{WEB}/@alice/story", user("alice")),
    "old mobile profile": (
        "https://m.tiktok.com/h5/share/usr/6812345678901234567.html",
        Target(kind=TargetKind.USER, user_id="6812345678901234567"),
    ),
    "embedded profile": (f"{WEB}/embed/@alice", user("alice")),
    # stories
    "story": (f"{WEB}/@alice/story/{ID}", story()),
    "story, tracking": (f"{WEB}/@alice/story/{ID}?is_from_webapp=1&web_id=7", story()),
    "video marked as story": (f"{WEB}/@alice/video/{ID}?_r=1&story_type=1", story()),
    "video marked by aweme_type": (f"{WEB}/@alice/video/{ID}?aweme_type=40&_t=x", story()),
    "both marks": (f"{WEB}/@alice/video/{ID}?aweme_type=40&story_type=1", story()),
    "photo marked as story": (f"{WEB}/@alice/photo/{ID}?story_type=1", story()),
    "shared photo marked as story": (f"{WEB}/share/photo/{ID}?story_type=1", story(None)),
    "marks behind &amp;": (f"{WEB}/@alice/video/{ID}?_r=1&amp;story_type=1", story()),
    # posts
    "video": (f"{WEB}/@alice/video/{ID}", post()),
    "18-digit id": (
        f"{WEB}/@alice/video/712345678901234567",
        Target(kind=TargetKind.POST, name="alice", item_id="712345678901234567"),
    ),
    "photo": (f"{WEB}/@alice/photo/{ID}", post()),
    "marked as no story": (f"{WEB}/@alice/video/{ID}?story_type=0&aweme_type=40", post()),
    "photo mark is no story mark": (f"{WEB}/@alice/photo/{ID}?aweme_type=150", post()),
    "nameless, at": (f"{WEB}/@/video/{ID}", post(None)),
    "nameless, underscore": (f"{WEB}/@_/video/{ID}", post(None)),
    "nameless, i": (f"{WEB}/@i/video/{ID}", post(None)),
    "owner by id": (
        f"{WEB}/@6812345678901/video/{ID}",
        Target(kind=TargetKind.POST, name="6812345678901", user_id="6812345678901", item_id=ID),
    ),
    "share form": (f"{WEB}/share/video/{ID}", post(None)),
    "share form, second site": (f"https://www.tiktokv.com/share/video/{ID}/", post(None)),
    "old mobile": (f"https://m.tiktok.com/v/{ID}.html?u_code=x", post(None)),
    "embed": (f"{WEB}/embed/{ID}", post(None)),
    "embed v2": (f"{WEB}/embed/v2/{ID}?lang=en", post(None)),
    "player": (f"{WEB}/player/v1/{ID}?autoplay=1", post(None)),
    # short links
    "vm": ("https://vm.tiktok.com/ZMabCd12/", short("https://vm.tiktok.com/ZMabCd12/")),
    "vt": ("https://vt.tiktok.com/ZSabCd12", short("https://vt.tiktok.com/ZSabCd12/")),
    "vm without scheme": ("vm.tiktok.com/ZMabCd12", short("https://vm.tiktok.com/ZMabCd12/")),
    "t": (f"{WEB}/t/ZTabCd12/?k=1", short(f"{WEB}/t/ZTabCd12/")),
    "t on the bare host": ("tiktok.com/t/ZTabCd12", short(f"{WEB}/t/ZTabCd12/")),
}

REFUSED = {
    "profile without name": (f"{WEB}/@", NotUnderstood, "name"),
    "profile with bad name": (f"{WEB}/@a%2Fb", NotUnderstood, "name"),
    "post without id": (f"{WEB}/@alice/video/abc", NotUnderstood, "id"),
    "post with nothing after it": (f"{WEB}/@alice/video/", NotUnderstood, "id"),
    "post with a short id": (f"{WEB}/@alice/video/123", NotUnderstood, "id"),
    "story with a long id": (f"{WEB}/@alice/story/12345678901234567890", NotUnderstood, "id"),
    "id in other digits": (f"{WEB}/@alice/video/٧٥١٣٠٣٩٩٩١٧٣٠٢٩١٢٣٦", NotUnderstood, ""),
    "old profile without id": ("https://m.tiktok.com/h5/share/usr/x.html", NotUnderstood, "id"),
    "backslashes": (f"{WEB}/@alice\\video", NotUnderstood, "backslash"),
    # other pages, by name
    "tag": (f"{WEB}/tag/cats", UnsupportedLink, "a tag page"),
    "sound": (f"{WEB}/music/song-7287891045980592914", UnsupportedLink, "a sound"),
    "search": (f"{WEB}/search?q=cats", UnsupportedLink, "a search"),
    "search below": (f"{WEB}/search/user?q=cats", UnsupportedLink, "a search"),
    "explore": (f"{WEB}/explore", UnsupportedLink, "the Explore page"),
    "for you": (f"{WEB}/foryou", UnsupportedLink, "the For You feed"),
    "discover": (f"{WEB}/discover/cats", UnsupportedLink, "a Discover page"),
    "live": (f"{WEB}/live", UnsupportedLink, "a live"),
    "someone's live": (f"{WEB}/@alice/live?lang=en", UnsupportedLink, "a live"),
    "playlist": (f"{WEB}/@alice/playlist/x-7287891045980592914", UnsupportedLink, "a playlist"),
    "collection": (f"{WEB}/@alice/collection/x-72878910", UnsupportedLink, "a collection"),
    "shop": ("https://shop.tiktok.com/view/product/1", UnsupportedLink, "the shop"),
    "shop on the main site": (f"{WEB}/shop/pdp/1", UnsupportedLink, "the shop"),
    "ads": ("https://ads.tiktok.com/business", UnsupportedLink, "the advertising site"),
    "shop, bare": ("shop.tiktok.com", UnsupportedLink, "the shop"),
    "second shop, bare": ("shop-us.tiktok.com", UnsupportedLink, "the shop"),
    "ads, bare": ("ads.tiktok.com", UnsupportedLink, "the advertising site"),
    "seller, bare": ("seller.tiktok.com", UnsupportedLink, "the shop"),
    "live, bare": ("live.tiktok.com", UnsupportedLink, "a live"),
    "unknown part, bare": ("us.tiktok.com", UnsupportedLink, "us.tiktok.com"),
    "TikTok Lite's advert alone": (LITE, UnsupportedLink, "neither a profile nor a story"),
    "login": (f"{WEB}/login?redirect=x", UnsupportedLink, "the sign-in page"),
    "home": (WEB, UnsupportedLink, "TikTok's home page"),
    "home, dead short link": (f"{WEB}/?_r=1", UnsupportedLink, "TikTok's home page"),
    "home, bare": ("tiktok.com", UnsupportedLink, "TikTok's home page"),
    "unknown page": (f"{WEB}/about", UnsupportedLink, "neither a profile nor a story"),
    "unknown page below a profile": (f"{WEB}/@alice/likes", UnsupportedLink, "neither a profile"),
    "unknown part": ("https://newsroom.tiktok.com/x", UnsupportedLink, "newsroom.tiktok.com"),
    "short link without code": ("https://vm.tiktok.com/", UnsupportedLink, "without its code"),
    "short link with a path": ("https://vm.tiktok.com/a/b/c", UnsupportedLink, "without its code"),
    # other sites and traps
    "another site": ("https://example.com/@alice", UnsupportedLink, "another site (example.com)"),
    "another site, no scheme": ("example.com/alice", UnsupportedLink, "(example.com)"),
    "look-alike suffix": (
        "https://www.tiktok.com.evil.example/@alice",
        UnsupportedLink,
        "another site (www.tiktok.com.evil.example)",
    ),
    "look-alike prefix": ("https://eviltiktok.com/@alice", UnsupportedLink, "(eviltiktok.com)"),
    "look-alike dash": ("https://www-tiktok.com/@alice", UnsupportedLink, "(www-tiktok.com)"),
    "user part": ("https://www.tiktok.com@evil.example/@alice", UnsupportedLink, "hides"),
    "user part before ours": ("https://a:b@www.tiktok.com/@alice", UnsupportedLink, "hides"),
    "port": ("https://www.tiktok.com:8443/@alice", UnsupportedLink, "port"),
    "standard port too": ("https://www.tiktok.com:443/@alice", UnsupportedLink, "port"),
    "trailing dot": ("https://www.tiktok.com./@alice", UnsupportedLink, "another site"),
    "address": ("http://127.0.0.1/@alice", UnsupportedLink, "another site (127.0.0.1)"),
    "IPv6 address": ("http://[::1]/@alice", UnsupportedLink, "another site"),
    "no host": ("https:///@alice", UnsupportedLink, "another site"),
    "ftp": ("ftp://www.tiktok.com/@alice", UnsupportedLink, "ftp"),
    "app link": (f"snssdk1233://aweme/detail/{ID}", UnsupportedLink, "snssdk1233"),
    "ours inside another's query": (
        f"https://evil.example/?u={WEB}/@alice",
        UnsupportedLink,
        "another site (evil.example)",
    ),
    "ours inside another's query, no scheme": (
        f"evil.example/?u={WEB}/@alice",
        UnsupportedLink,
        "another site (evil.example)",
    ),
    "CDN is no page": ("https://v16.tiktokcdn.com/x", UnsupportedLink, "another site"),
}


@pytest.mark.parametrize(("text", "target"), UNDERSTOOD.values(), ids=UNDERSTOOD.keys())
def test_understood(text: str, target: Target) -> None:
    assert parse_url(text) == parse_line(text) == target


@pytest.mark.parametrize(("text", "error", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(text: str, error: type[InputError], words: str) -> None:
    for parse in (parse_url, parse_line):
        with pytest.raises(error) as refusal:
            parse(text)
        assert type(refusal.value) is error
        assert words in refusal.value.detail
        if isinstance(refusal.value, UnsupportedLink):  # every wording is one that is translated
            assert refusal.value.detail.partition(" (")[0] in UNSUPPORTED_LINKS


TRACKING = """
    _r _t _d _svg lang is_from_webapp is_copy_url sender_device sender_web_id web_id share_app_id
    share_link_id share_item_id share_author_id sharer_language social_share_type source checksum
    enable_checksum sec_uid sec_user_id user_id u_code tt_from timestamp preview_pb enter_method
    enter_from refer refer_url utm_source utm_medium ug_btm ugbiz_name item_author_type
"""


@pytest.mark.parametrize("url", [f"{WEB}/@alice", f"{WEB}/@alice/story/{ID}"])
@pytest.mark.parametrize("tracking", TRACKING.split())
def test_tracking_changes_nothing(url: str, tracking: str) -> None:
    tracked = parse_line(f"{url}?{tracking}=1")
    assert tracked == parse_line(url)
    assert tracking + "=" not in canonical_url(tracked)


def test_same_thing_written_differently_has_one_key() -> None:
    assert parse_line("@Alice").key == parse_line(f"{WEB}/@alice?lang=en").key
    assert parse_line(f"{WEB}/@alice/video/{ID}").key == parse_line(f"{WEB}/@_/video/{ID}").key
    assert parse_line("vm.tiktok.com/ZMa").key == parse_line("https://vm.tiktok.com/ZMa/?k=1").key


CANONICAL = {
    "user": ("@Alice", f"{WEB}/@alice"),
    "digits": ("@6812345678", f"{WEB}/@6812345678"),
    "secUid": (SEC_UID, f"{WEB}/@{SEC_UID}"),
    "user by id": ("m.tiktok.com/h5/share/usr/6812345678.html", f"{WEB}/@6812345678"),
    "story": (f"{WEB}/@alice/story/{ID}?_r=1", f"{WEB}/@alice/story/{ID}"),
    "nameless story": (f"{WEB}/share/photo/{ID}?story_type=1", f"{WEB}/@_/video/{ID}"),
    "post": (f"{WEB}/@alice/photo/{ID}", f"{WEB}/@alice/video/{ID}"),
    "nameless post": (f"{WEB}/@/video/{ID}", f"{WEB}/@_/video/{ID}"),
    "short": ("vm.tiktok.com/ZMa1?x=1", "https://vm.tiktok.com/ZMa1/"),
}


@pytest.mark.parametrize(("text", "url"), CANONICAL.values(), ids=CANONICAL.keys())
def test_canonical_url(text: str, url: str) -> None:
    assert canonical_url(parse_line(text)) == url


@given(st.from_regex(r"[a-z0-9.-]{1,30}", fullmatch=True))
def test_no_host_outside_the_list_is_accepted(host: str) -> None:
    for text in (f"https://{host}/@alice", f"https://{host}/ZMabc"):
        try:
            parse_line(text)
        except InputError:
            continue
        assert host in PAGE_HOSTS
