"""Which links are understood, as what, and which are refused in which words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stories.errors import Advert, InputError, NotUnderstood, UnsupportedLink
from stories.hosts import is_link_host, page_hosts
from stories.links import (
    UNSUPPORTED_LINKS,
    canonical_url,
    is_app_advert,
    parse_redirect,
    parse_url,
)
from stories.structures import Target, TargetKind
from stories.targets import parse_line
from tests.unit.stories.expected_targets import ID, LITE, SEC_UID, WEB, post, short, story, user

UNDERSTOOD = {
    # links that open the app
    "app link": (f"snssdk1233://aweme/detail/{ID}", post(None)),
    "app link of a story": (f"SNSSDK1180://aweme/detail/{ID}?story_type=1", story(None)),
    "app link of an account": (
        "musically://user/profile/6801234567890123456?x=1",
        Target(kind=TargetKind.USER, user_id="6801234567890123456"),
    ),
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
    # a plain id or name, whatever stands around it
    "region's host": ("https://us.tiktok.com/@alice", user("alice")),
    "region's host, story": (f"https://us.tiktok.com/@alice/story/{ID}", story()),
    "host of a region with a number": (f"https://us-east2.tiktok.com/@alice/video/{ID}", post()),
    "app's host": (f"https://lite.tiktok.com/@alice/video/{ID}", post()),
    "a language before it": (f"{WEB}/de-DE/@alice/video/{ID}?lang=de", post()),
    "share form for the world": (
        f"https://t.tiktok.com/i18n/share/video/{ID}/?_d=x&region=US",
        post(None),
    ),
    "share form for the world, story": (
        f"https://t.tiktok.com/i18n/share/video/{ID}/?story_type=1",
        story(None),
    ),
    "account for the world": (
        "https://t.tiktok.com/i18n/share/user/6812345678901234567/?_d=x",
        Target(kind=TargetKind.USER, user_id="6812345678901234567"),
    ),
    "share form, item": (f"{WEB}/share/item/{ID}", post(None)),
    "share form, second site without www": (f"https://tiktokv.com/share/video/{ID}", post(None)),
    "share form, second site of a region": (
        f"https://www.tiktokv.us/share/video/{ID}/",
        post(None),
    ),
    "below stories": (f"{WEB}/@alice/stories/{ID}", story()),
    "video without a name": (f"{WEB}/video/{ID}", post(None)),
    "photo without a name": (f"{WEB}/photo/{ID}/", post(None)),
    "story without a name": (f"{WEB}/story/{ID}", story(None)),
    "old mobile, without html": (f"https://m.tiktok.com/v/{ID}", post(None)),
    "embed v3": (f"{WEB}/embed/v3/{ID}", post(None)),
    "embed v12": (f"{WEB}/embed/v12/{ID}", post(None)),
    "player v2": (f"{WEB}/player/v2/{ID}", post(None)),
    "embedded profile, query glued on": (f"{WEB}/embed/@alice&x=1", user("alice")),
    "query glued on": (f"{WEB}/@alice/video/{ID}&lang=en", post()),
    "story mark glued on": (f"{WEB}/@alice/video/{ID}&story_type=1", story()),
    "query glued on to a name": (f"{WEB}/@alice&lang=en", user("alice")),
    "query encoded": (f"{WEB}/@alice/video/{ID}%3Fstory_type%3D1%26_r%3D1", story()),
    "query encoded, name": (f"{WEB}/@alice%3Flang%3Den", user("alice")),
    "space behind": (f"{WEB}/@alice/video/{ID}%20", post()),
    "space behind a name": (f"{WEB}/@alice%20", user("alice")),
    "space before": (f"{WEB}/@alice/video/%20{ID}", post()),
    "comma behind": (f"{WEB}/@alice/video/{ID},", post()),
    "semicolon behind": (f"{WEB}/@alice/video/{ID};x", post()),
    "bracket behind": (f"{WEB}/@alice/video/{ID}%29", post()),
    "quote behind": (f"{WEB}/@alice/video/{ID}%22", post()),
    "slash behind, encoded": (f"{WEB}/@alice/video/{ID}%2F", post()),
    "slash behind a name, encoded": (f"{WEB}/@alice%2F", user("alice")),
    "slashes encoded": (f"{WEB}/@alice%2Fvideo%2F{ID}", post()),
    "half a letter behind": (f"{WEB}/@alice/video/{ID}%", post()),
    "parts behind": (f"{WEB}/@alice/video/{ID}/x/y", post()),
    "encoded twice": (f"{WEB}/%2540alice/video/{ID}", post()),
    "encoded thrice": (f"{WEB}/%252540alice", user("alice")),
    "shouting path": (f"{WEB}/@ALICE/VIDEO/{ID}", post()),
    "name that cannot be beside a plain id": (f"{WEB}/@some-body!/video/{ID}", post(None)),
    # short links
    "lite": (
        "https://lite.tiktok.com/t/ZSabCd12/",
        short("https://lite.tiktok.com/t/ZSabCd12/"),
    ),
    "t below vm": ("https://vm.tiktok.com/t/ZSabCd12/", short("https://vm.tiktok.com/ZSabCd12/")),
    "t below vt": ("vt.tiktok.com/t/ZSabCd12", short("https://vt.tiktok.com/ZSabCd12/")),
    "t of a region": ("https://us.tiktok.com/t/ZTabCd12/", short(f"{WEB}/t/ZTabCd12/")),
    "short, query glued on": (
        "https://vm.tiktok.com/ZMabCd12&x=1",
        short("https://vm.tiktok.com/ZMabCd12/"),
    ),
    "short, space behind": (
        "https://vm.tiktok.com/ZMabCd12%20/",
        short("https://vm.tiktok.com/ZMabCd12/"),
    ),
    "whole link on the short host": (f"https://vm.tiktok.com/@alice/video/{ID}", post()),
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
    "id that goes on": (f"{WEB}/@alice/video/{ID}abc", NotUnderstood, "id"),
    "id that goes on in other letters": (f"{WEB}/@alice/video/{ID}%C3%A9", NotUnderstood, "id"),
    "id that goes on with a line": (f"{WEB}/@alice/video/{ID}_", NotUnderstood, "id"),
    "embed without id": (f"{WEB}/embed/v3/", UnsupportedLink, "neither a profile nor a story"),
    "name that goes on in other letters": (f"{WEB}/@zo%C3%AB", NotUnderstood, "name"),
    "name encoded to nothing": (f"{WEB}/@%20", NotUnderstood, "name"),
    "name with half a letter before it": (f"{WEB}/%zz@alice", UnsupportedLink, ""),
    # other pages, by name
    "id below a sound": (f"{WEB}/music/video/{ID}", UnsupportedLink, "a sound"),
    "id below a tag": (f"{WEB}/tag/{ID}", UnsupportedLink, "a hashtag page"),
    "sound of a language": (f"{WEB}/en/music/x-{ID}", UnsupportedLink, "a sound"),
    "video below a playlist": (
        f"{WEB}/@alice/playlist/x/video/{ID}",
        UnsupportedLink,
        "a playlist",
    ),
    "id below the shop": (
        f"https://shop.tiktok.com/@alice/video/{ID}",
        UnsupportedLink,
        "the shop",
    ),
    "shop of a region": (f"https://shop-us.tiktok.com/video/{ID}", UnsupportedLink, "the shop"),
    "someone's live on a region's host": (
        "https://us.tiktok.com/@alice/live",
        UnsupportedLink,
        "us.tiktok.com",
    ),
    "region's host alone": ("https://us.tiktok.com/", UnsupportedLink, "us.tiktok.com"),
    "help for makers": (
        f"https://developers.tiktok.com/video/{ID}",
        UnsupportedLink,
        "developers.tiktok.com",
    ),
    "two hosts deep": (f"https://a.b.tiktok.com/@alice/video/{ID}", UnsupportedLink, "a.b.tiktok"),
    "host that ends in a dash": (
        "https://us-.tiktok.com/@alice",
        UnsupportedLink,
        "us-.tiktok.com",
    ),
    "second site, look-alike": (
        f"https://tiktokv.com.evil.example/share/video/{ID}",
        UnsupportedLink,
        "another site",
    ),
    "second site, other name": (
        f"https://xtiktokv.com/video/{ID}",
        UnsupportedLink,
        "another site",
    ),
    "region's host with a port": ("https://us.tiktok.com:444/@alice", UnsupportedLink, "port"),
    "region's host hidden": ("https://us.tiktok.com@evil.example/", UnsupportedLink, "hides"),
    "encoded link inside another's query": (
        "https://evil.example/?u=https%3A%2F%2Fwww.tiktok.com%2F%40alice",
        UnsupportedLink,
        "another site (evil.example)",
    ),
    "tag": (f"{WEB}/tag/cats", UnsupportedLink, "a hashtag page"),
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
    "app link to another page": ("snssdk1233://live?room=1", UnsupportedLink, "another kind"),
    "app link without an id": ("snssdk1233://aweme/detail/", UnsupportedLink, "another kind"),
    "app link with a backslash": (f"tiktok://aweme\\detail\\{ID}", NotUnderstood, ""),
    "another service's region": ("https://www.shop.tiktok.com/@a", UnsupportedLink, "another part"),
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
        assert is_link_host(host)


# What whoever pastes a link may put between us and its host.
SUFFIXES = ["@evil.example", ".evil.example", ":8443", "%2eevil.example", "\\.evil.example", "."]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("host", ["www.tiktok.com", "us.tiktok.com", "lite.tiktok.com"])
def test_a_look_alike_of_any_host_stays_refused(host: str, suffix: str) -> None:
    for path in (f"/@alice/video/{ID}", "/t/ZMabcd/", "/ZMabcd/"):
        with pytest.raises(InputError):
            parse_line(f"https://{host}{suffix}{path}")


def test_what_is_read_on_any_host_is_asked_for_on_few() -> None:
    for text, _ in UNDERSTOOD.values():
        url = canonical_url(parse_line(text))
        assert url.split("/")[2] in page_hosts()


@pytest.mark.parametrize(
    "link",
    [
        LITE,
        f"{LITE}?_r=1",
        "tiktok.com/tiktoklite",
        f"{WEB}/tiktok-lite",
        f"{WEB}/download",
        f"{WEB}/download-link/af/x?y=z",
        "https://lite.tiktok.com/",
        "https://lite.tiktok.com/download?x=1",
        "https://apps.apple.com/us/app/tiktok-lite/id1234567890",
        "https://play.google.com/store/apps/details?id=com.zhiliaoapp.musically.go",
        "https://go.onelink.me/bIdt/abc",
        "market://details?id=x",
        "ITMS-APPS://apps.apple.com/app/id1",
    ],
)
def test_where_the_app_offers_itself(link: str) -> None:
    assert is_app_advert(link)


@pytest.mark.parametrize(
    ("link", "target"),
    [
        (f"snssdk1233://aweme/detail/{ID}?refer=web", post(None)),
        (f"snssdk1180://aweme/detail/{ID}?story_type=1", story(None)),
        (
            "snssdk1233://user/profile/6812345678901?x=1",
            Target(kind=TargetKind.USER, user_id="6812345678901"),
        ),
        (f"{WEB}/@alice/video/{ID}?x=1", post()),
    ],
)
def test_a_redirect_may_open_the_app(link: str, target: Target) -> None:
    assert parse_redirect(link) == target


@pytest.mark.parametrize(
    ("link", "error"),
    [
        (f"{LITE}?x=1", Advert),
        ("snssdk1233://", Advert),
        ("market://details?id=x", Advert),
        ("snssdk1233://webview?url=https%3A%2F%2Fevil.example", UnsupportedLink),
        ("snssdk1233://aweme/detail/1", NotUnderstood),
        ("snssdk1233://user/profile/x", UnsupportedLink),
        ("other://aweme/detail/7513039991730291236", UnsupportedLink),
    ],
)
def test_a_redirect_that_leads_nowhere(link: str, error: type[InputError]) -> None:
    with pytest.raises(error) as refusal:
        parse_redirect(link)
    assert type(refusal.value) is error


@pytest.mark.parametrize(
    "link",
    [
        f"{WEB}/@download",
        f"{WEB}/@alice/video/{ID}",
        f"{WEB}/downloading",
        f"{WEB}/tiktokliteful",
        "https://lite.tiktok.com/t/ZSabc/",
        "https://evil.example/download",
        "https://www.tiktok.com.evil.example/download",
        "https://apps.apple.com/us/app/maps/id915056765",
        "https://play.google.com/store/apps/details?id=org.mozilla.firefox",
        "https://onelink.me.evil.example/x",
    ],
)
def test_where_the_app_does_not_offer_itself(link: str) -> None:
    assert not is_app_advert(link)
