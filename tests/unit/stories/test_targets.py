"""Which lines are understood, as what, and which are refused in which words."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stories.errors import InputError, NotUnderstood, UnsupportedLink
from stories.hosts import PAGE_HOSTS, is_allowed_host, is_media_host, is_tiktok_page_host
from stories.structures import Target, TargetKind
from stories.targets import OTHER_THINGS, canonical_url, find_lines, is_name, parse_line

ID = "7513039991730291236"
SEC_UID = "MS4wLjABAAAAuqccu8k_1KABDBn39RBJGNa25LR7nYqPCSkPudN__kCDW5QVfaiPkcDwSM5LPITv"
WEB = "https://www.tiktok.com"
LITE = f"{WEB}/tiktoklite"


def user(name: str, user_id: str | None = None) -> Target:
    return Target(kind=TargetKind.USER, name=name, user_id=user_id)


def story(name: str | None = "alice") -> Target:
    return Target(kind=TargetKind.STORY, name=name, item_id=ID)


def post(name: str | None = "alice") -> Target:
    return Target(kind=TargetKind.POST, name=name, item_id=ID)


def short(url: str) -> Target:
    return Target(kind=TargetKind.SHORT, short_url=url)


UNDERSTOOD = {
    # names
    "bare name": ("some.name_1", user("some.name_1")),
    "at-name": ("@some.name_1", user("some.name_1")),
    "upper case": ("@Some.Name", user("some.name")),
    "percent-encoded at": ("%40alice", user("alice")),
    "full-width at": ("＠alice", user("alice")),
    "full-width letters": ("＠ａｌｉｃｅ", user("alice")),
    "zero-width characters": ("\ufeff@al\u200bice\u2060", user("alice")),
    "right-to-left marks": ("\u202a@alice\u202c", user("alice")),
    "spaces around": ("  @alice \t", user("alice")),
    "quoted": ("“@alice”", user("alice")),
    "final punctuation": ("@alice,", user("alice")),
    "final dot is not part of a name": ("alice.", user("alice")),
    "underscores at both ends": ("_alice_", user("_alice_")),
    "quoted, underscore at the end": ('"name_"', user("name_")),
    "quoted at-name, underscore at the end": ('"@name_",', user("name_")),
    "brackets, underscore at the end": ("(@name_)", user("name_")),
    "curly quotes, underscore at the end": ("“some_name_”", user("some_name_")),
    "guillemets, underscore at the end": ("«@name_»", user("name_")),
    "bold, underscore at the end": ("**@name_**", user("name_")),
    "struck, underscore at the end": ("~~@name_~~", user("name_")),
    "quoted, underscores at both ends": ('"_name_"', user("_name_")),
    "slanted": ("_@name_", user("name")),
    "slanted, underscore at the end": ("_@name__", user("name_")),
    "bold and slanted": ("**_@name_**", user("name")),
    "bold underscores": ("__@name__", user("name")),
    "one stray underscore": ("_@name", user("name")),
    "a name of a host": ("@shop.tiktok.com", user("shop.tiktok.com")),
    "two characters": ("ab", user("ab")),
    "24 characters": ("a" * 24, user("a" * 24)),
    "name that looks like a site": ("john.doe", user("john.doe")),
    "digits: a name, an id as fallback": ("6812345678", user("6812345678", "6812345678")),
    "at-digits": ("@6812345678", user("6812345678", "6812345678")),
    "few digits are only a name": ("1234", user("1234")),
    "20 digits are only a name": ("12345678901234567890", user("12345678901234567890")),
    "secUid alone": (SEC_UID, Target(kind=TargetKind.USER, sec_uid=SEC_UID)),
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
    # links inside text
    "share text, English": (
        "Check out Alice's story! #fyp https://vm.tiktok.com/ZMa1/ Get the app",
        short("https://vm.tiktok.com/ZMa1/"),
    ),
    "share text, Spanish": (
        f"¡Echa un vistazo a la historia de Álvaro! > {WEB}/@alice/story/{ID}.",
        story(),
    ),
    "share text, Chinese, touching": (
        "看看这个https://vt.tiktok.com/ZSa1/复制此链接",
        short("https://vt.tiktok.com/ZSa1/"),
    ),
    "share text, Japanese, touching a name": (f"こちら{WEB}/@aliceを見て", user("alice")),
    "share text, Arabic": (
        "شاهد القصة \u200fhttps://vm.tiktok.com/ZMa1/ الآن",
        short("https://vm.tiktok.com/ZMa1/"),
    ),
    "angle brackets": (f"<{WEB}/@alice>", user("alice")),
    "markdown": (f"[story]({WEB}/@alice/story/{ID})", story()),
    "markdown, link as its text": (f"[{WEB}/@alice]({WEB}/@alice)", user("alice")),
    "Slack": (f"<{WEB}/@alice|{WEB}/@alice>", user("alice")),
    "Slack, in prose": (f"see <{WEB}/@alice/story/{ID}|Alice's story>!", story()),
    "full-width comma, then ASCII": (f"{WEB}/@alice，great", user("alice")),
    "full-width exclamation, then ASCII": (f"看{WEB}/@alice！great", user("alice")),
    "full-width bracket, then ASCII": (f"（{WEB}/@alice）and", user("alice")),
    "full-width colon, then ASCII": (f"{WEB}/@alice：it", user("alice")),
    "full-width semicolon, then ASCII": (f"{WEB}/@alice；it", user("alice")),
    "full-width question mark, then ASCII": (f"{WEB}/@alice？it", user("alice")),
    "ideographic stop, then ASCII": (f"{WEB}/@alice。it", user("alice")),
    "ideographic comma, then ASCII": (f"{WEB}/@alice、it", user("alice")),
    "half-width stop, then ASCII": (f"{WEB}/@alice｡it", user("alice")),
    "full-width link": (
        "ｈｔｔｐｓ：／／ｗｗｗ．ｔｉｋｔｏｋ．ｃｏｍ／＠ａｌｉｃｅ",
        user("alice"),
    ),
    "TikTok Lite's advert after the link": (
        f"https://vm.tiktok.com/ZMa1/ This post is shared via TikTok Lite. Get it: {LITE}",
        short("https://vm.tiktok.com/ZMa1/"),
    ),
    "TikTok Lite's advert before the link": (
        f"This post is shared via TikTok Lite. Get it: {LITE}?x=1 https://vm.tiktok.com/ZMa1/",
        short("https://vm.tiktok.com/ZMa1/"),
    ),
    "label before the link": (f"Link:{WEB}/@alice", user("alice")),
    "first of two": (f"{WEB}/@alice and then {WEB}/@bob", user("alice")),
    "TikTok's among others": (f"https://example.com/x via {WEB}/@alice", user("alice")),
    "name and a slash": ("@alice/", user("alice")),
    "mention in prose": ("please get @alice, thanks", user("alice")),
    "link wins over mention": (f"@bob sent {WEB}/@alice", user("alice")),
}

REFUSED = {
    # not understood
    "nothing": ("", NotUnderstood, "empty"),
    "only invisible": ("\u200b \ufeff", NotUnderstood, "empty"),
    "prose": ("hello world", NotUnderstood, ""),
    "one character": ("a", NotUnderstood, ""),
    "25 characters": ("a" * 25, NotUnderstood, ""),
    "a dash": ("some-name", NotUnderstood, ""),
    "non-ASCII name": ("@zoë", NotUnderstood, ""),
    "non-ASCII name in a link": (f"{WEB}/@zoë", NotUnderstood, "letters"),
    "name that goes on as a path": ("@aa/../bb", NotUnderstood, ""),
    "name that goes on backwards": ("see @aa\\bb", NotUnderstood, ""),
    "name that goes on encoded": ("@aa%2F..%2Fbb", NotUnderstood, ""),
    "endless name in prose": (f"see @{'a' * 81} there", NotUnderstood, ""),
    "non-ASCII name after an underscore": (f"{WEB}/@zo_ë", NotUnderstood, "letters"),
    "mark on a letter": ("@zo\u0332e", NotUnderstood, ""),
    "mark on a letter, in prose": ("see @zo\u0332e there", NotUnderstood, ""),
    "mark on a letter in a link": (f"{WEB}/@zo\u0332e", NotUnderstood, "letters"),
    "mark at the end of a link": (f"{WEB}/@zo\u20e3", NotUnderstood, "letters"),
    "underscores alone": ("_" * 3000, NotUnderstood, ""),
    "too long with its underscore": (f'"{"a" * 24}_"', NotUnderstood, ""),
    "Cyrillic look-alike in a name": ("@аlice", NotUnderstood, ""),
    "e-mail": ("alice@example.com", NotUnderstood, ""),
    "e-mail with a dot": ("alice.b@example.com", NotUnderstood, ""),
    "too long": ("x" * 20_001, NotUnderstood, "too long"),
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
    "shop, bare and quoted": ("“Shop.TikTok.com”.", UnsupportedLink, "the shop"),
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
    "the first of two decides": (f"{WEB}/tag/cats and {WEB}/@alice", UnsupportedLink, "a tag page"),
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
    "look-alike letter": ("https://www.tıktok.com/@alice", UnsupportedLink, "another site"),
    "look-alike letter at the end": ("https://www.tiktok.comé", UnsupportedLink, "another site"),
    "look-alike letter, no scheme": ("tıktok.com/@alice", NotUnderstood, ""),
    "look-alike before": ("évil.www.tiktok.com/@alice", NotUnderstood, ""),
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
    assert parse_line(text) == target


@pytest.mark.parametrize(("text", "error", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(text: str, error: type[InputError], words: str) -> None:
    with pytest.raises(error) as refusal:
        parse_line(text)
    assert type(refusal.value) is error
    assert words in refusal.value.detail
    if isinstance(refusal.value, UnsupportedLink):  # every wording is one that is translated
        assert refusal.value.detail.partition(" (")[0] in OTHER_THINGS


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


def test_an_id_from_the_future_is_mistyped() -> None:
    link = f"{WEB}/@alice/video/9913039991730291236"
    assert parse_line(link).item_id == "9913039991730291236"
    with pytest.raises(NotUnderstood, match="future"):
        parse_line(link, now=datetime(2026, 11, 20, tzinfo=UTC))
    assert parse_line(f"{WEB}/@alice/video/{ID}", now=datetime(2026, 11, 20, tzinfo=UTC)) == post()


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


LINES = {
    "nothing": ("", []),
    "blank lines": ("\n  \n\u200b\n", []),
    "one per line": ("alice\n@bob\r\ncarol\n", ["alice", "@bob", "carol"]),
    "spaces and commas": ("@a1 @b2, @c3", ["@a1", "@b2", "@c3"]),
    "commas alone": ("@a1,@b2,@c3", ["@a1", "@b2", "@c3"]),
    "semicolons": ("@a1; @b2", ["@a1", "@b2"]),
    "full-width comma": ("@a1，＠b2", ["@a1", "@b2"]),
    "bare names beside a marked one": ("alice, @bob", ["alice", "@bob"]),
    "final comma": ("alice,\n@bob,", ["alice", "@bob"]),
    "two links": (f"{WEB}/@alice {WEB}/@bob", [f"{WEB}/@alice", f"{WEB}/@bob"]),
    "two links, comma": (f"{WEB}/@alice,{WEB}/@bob", [f"{WEB}/@alice", f"{WEB}/@bob"]),
    "comma inside a link": (f"{WEB}/@alice?x=1,22", [f"{WEB}/@alice?x=1,22"]),
    "names and links": (f"@a1 {WEB}/@bob", ["@a1", f"{WEB}/@bob"]),
    "mentions in prose": ("thanks @bob and @al.", ["@bob", "@al"]),
    "list marker": ("- @alice\n1. @bob", ["@alice", "@bob"]),
    "same mention twice": ("@bob, yes, that @bob", ["@bob"]),
    "prose": ("hello world, how are you", ["hello world, how are you"]),
    "prose with commas": ("yes, please", ["yes, please"]),
    "share text": (
        "Look at @bob's story! https://vm.tiktok.com/ZMa1/ now",
        ["Look at @bob's story! https://vm.tiktok.com/ZMa1/ now"],
    ),
    "share text over two lines": (
        "Check out this story!\nhttps://vm.tiktok.com/ZMa1/",
        ["Check out this story! https://vm.tiktok.com/ZMa1/"],
    ),
    "share text with a mention": (
        "Check out @zoe.x's video! #TikTok\nhttps://vm.tiktok.com/ZMa1/",
        ["Check out @zoe.x's video! #TikTok https://vm.tiktok.com/ZMa1/"],
    ),
    "share text under TikTok's name": (
        "TikTok\nhttps://vm.tiktok.com/ZMa1/",
        ["TikTok https://vm.tiktok.com/ZMa1/"],
    ),
    "share text with hashtags and an emoji": (
        "#TikTok\n🔥🔥\n看看这个\nhttps://vm.tiktok.com/ZMa1/",
        ["#TikTok 🔥🔥 看看这个 https://vm.tiktok.com/ZMa1/"],
    ),
    "share text with TikTok Lite's advert": (
        f"Zoe's story\n\nhttps://vm.tiktok.com/ZMa1/\nDownload TikTok Lite: {LITE}",
        [f"Zoe's story https://vm.tiktok.com/ZMa1/ Download TikTok Lite: {LITE}"],
    ),
    "share text with TikTok Lite's address alone": (
        f"https://vm.tiktok.com/ZMa1/\nGet it here:\n{LITE}/.",
        [f"https://vm.tiktok.com/ZMa1/ Get it here: {LITE}/."],
    ),
    "a numbered bare name beside a link": (
        "1. alice\n2. https://vm.tiktok.com/ZMa1/",
        ["1. alice", "2. https://vm.tiktok.com/ZMa1/"],
    ),
    "TikTok's name among names": (
        "TikTok\nalice\nhttps://vm.tiktok.com/ZMa1/",
        ["TikTok", "alice", "https://vm.tiktok.com/ZMa1/"],
    ),
    "TikTok's own account above a link": (
        "@tiktok\nhttps://vm.tiktok.com/ZMa1/",
        ["@tiktok", "https://vm.tiktok.com/ZMa1/"],
    ),
    "names beside a link": (
        "@alice\n@bob, @carol\nhttps://vm.tiktok.com/ZMa1/",
        ["@alice", "@bob", "@carol", "https://vm.tiktok.com/ZMa1/"],
    ),
    "bare and marked names beside a link": (
        "alice, @bob\nhttps://vm.tiktok.com/ZMa1/",
        ["alice", "@bob", "https://vm.tiktok.com/ZMa1/"],
    ),
    "numbered names beside a link": (
        "1. @alice\n2) @bob_\n3. https://vm.tiktok.com/ZMa1/",
        ["@alice", "@bob_", "3. https://vm.tiktok.com/ZMa1/"],
    ),
    "a marked name beside a link": (
        "- @alice\n- https://vm.tiktok.com/ZMa1/",
        ["@alice", "- https://vm.tiktok.com/ZMa1/"],
    ),
    "names with notes beside a link": (
        "@alice (Zoe)\n@bob (Tom)\nhttps://vm.tiktok.com/ZMa1/",
        ["@alice", "@bob", "https://vm.tiktok.com/ZMa1/"],
    ),
    "a mistyped name above a link": (
        "@zoë\nhttps://vm.tiktok.com/ZMa1/",
        ["@zoë", "https://vm.tiktok.com/ZMa1/"],
    ),
    "full-width comma beside links": (
        f"{WEB}/@alice，{WEB}/@bob",
        [f"{WEB}/@alice", f"{WEB}/@bob"],
    ),
    "share text over lines, one of them blank": (
        "https://vm.tiktok.com/ZMa1/\n\n??? what is this",
        ["https://vm.tiktok.com/ZMa1/ ??? what is this"],
    ),
    "no share text around a link that is refused": (
        f"{WEB}/tag/cats\n\n??? what is this",
        [f"{WEB}/tag/cats", "??? what is this"],
    ),
    "no share text around another site": (
        "Look at this\nhttps://example.com/x",
        ["Look at this", "https://example.com/x"],
    ),
    "a name above a link is its own line": (
        "alice\nhttps://vm.tiktok.com/ZMa1/",
        ["alice", "https://vm.tiktok.com/ZMa1/"],
    ),
    "two links below prose": (
        f"these two\n{WEB}/@alice {WEB}/@bob",
        ["these two", f"{WEB}/@alice", f"{WEB}/@bob"],
    ),
    "another site": ("https://example.com/@alice", ["https://example.com/@alice"]),
    "e-mail": ("mail alice@example.com please", ["mail alice@example.com please"]),
}


@pytest.mark.parametrize(("text", "lines"), LINES.values(), ids=LINES.keys())
def test_find_lines(text: str, lines: list[str]) -> None:
    assert find_lines(text) == lines


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


# Pieces that make interesting lines when thrown together.
PIECES = st.one_of(
    st.sampled_from(["https://", "http:", "//", "www.", "tiktok.com", "vm.tiktok.com", "/", "@"]),
    st.sampled_from(["＠", "alice", ":", ID, "/video/", "/story/", "?story_type=1", "%40", "%2F"]),
    st.sampled_from([".", "evil.example", "#", "\\", "t", " ", ",", "é", "看", "\u200b", "\ud800"]),
    st.sampled_from(
        ["，", "）", "|", "](", "[", "~", "\u0332", "\n", "#TikTok", "tiktoklite", "1."]
    ),
    st.sampled_from([":443", "[::1]", "&amp;", "=", "embed", "<", ">", "_", "-"]),
)
TEXTS = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=14).map("".join))


@given(TEXTS)
def test_whatever_the_line_only_a_refusal_comes_out(text: str) -> None:
    try:
        target = parse_line(text, now=datetime(2026, 11, 20, tzinfo=UTC))
    except InputError:
        return
    url = urlsplit(canonical_url(target))
    assert url.scheme == "https"
    assert url.netloc in PAGE_HOSTS
    assert target.name is None or (is_name(target.name) and target.name == target.name.lower())
    again = parse_line(canonical_url(target))
    assert again.item_id == target.item_id
    assert again.short_url == target.short_url


@given(st.lists(TEXTS, max_size=5).map("\n".join))
def test_whatever_the_text_its_lines_are_parseable(text: str) -> None:
    for line in find_lines(text):
        assert line == line.strip()
        assert line
        with suppress(InputError):
            parse_line(line)


@given(st.from_regex(r"[a-z0-9.-]{1,30}", fullmatch=True))
def test_no_host_outside_the_list_is_accepted(host: str) -> None:
    for text in (f"https://{host}/@alice", f"https://{host}/ZMabc"):
        try:
            parse_line(text)
        except InputError:
            continue
        assert host in PAGE_HOSTS
