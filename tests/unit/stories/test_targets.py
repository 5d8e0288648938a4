"""Which pasted lines are understood, as what, and which are refused in which words."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stories.errors import Advert, InputError, NotUnderstood, UnsupportedLink
from stories.hosts import page_hosts
from stories.links import UNSUPPORTED_LINKS, canonical_url, is_name
from stories.structures import Target, TargetKind
from stories.targets import find_lines, parse_line
from tests.unit.stories.expected_targets import ID, LITE, SEC_UID, WEB, post, short, story, user

UNDERSTOOD = {
    # slips and leftovers
    "one slash": (f"http:/www.tiktok.com/@alice/video/{ID}", post()),
    "no slash": (f"https:www.tiktok.com/@alice/video/{ID}", post()),
    "no slash in prose": (f"look: HTTPS:tiktok.com/@alice/video/{ID} wow", post()),
    "escaped ampersand": (f"{WEB}/@alice/video/{ID}\\u0026lang=en", post()),
    "escaped slashes": (f"{WEB}\\u002F@alice\\u002fvideo\\u002F{ID}", post()),
    "escaped query": (f"{WEB}/@alice/video/{ID}\\u003Fstory_type\\u003d1", story()),
    "escaped line end": (f"{WEB}/@alice/video/{ID}\\n", post()),
    "escaped line ends": (f"{WEB}/@alice/video/{ID}\\r\\n", post()),
    "backslash at the end": (f"{WEB}/@alice/video/{ID}\\", post()),
    "id touched by Cyrillic": (
        f"{WEB}/@alice/video/{ID}\u0421\u043c\u043e",
        post(),
    ),
    "id touched by Hebrew": (f"{WEB}/@alice/video/{ID}\u05e9\u05dc\u05d5\u05dd", post()),
    "language, script and region": (f"{WEB}/zh-Hant-TW/@alice", user("alice")),
    "region with www": (f"https://www.us.tiktok.com/@alice/video/{ID}", post()),
    "region of phones": ("https://m.us.tiktok.com/@alice", user("alice")),
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
    "a share text of TikTok Lite, advert first, in Japanese": (
        f"この投稿は TikTok Lite で共有されています： {LITE} https://lite.tiktok.com/t/ZSa1/",
        short("https://lite.tiktok.com/t/ZSa1/"),
    ),
    "its advert touching the link's text": (
        f"查看 https://vt.tiktok.com/ZMa1/此帖子通过TikTok Lite分享：{LITE}",
        short("https://vt.tiktok.com/ZMa1/"),
    ),
    "TikTok Lite's advert after the link": (
        f"https://vm.tiktok.com/ZMa1/ This post is shared via TikTok Lite. Get it: {LITE}",
        short("https://vm.tiktok.com/ZMa1/"),
    ),
    "TikTok Lite's advert before the link": (
        f"This post is shared via TikTok Lite. Get it: {LITE}?x=1 https://vm.tiktok.com/ZMa1/",
        short("https://vm.tiktok.com/ZMa1/"),
    ),
    "encoded once too often": (
        f"https%3A%2F%2Fwww.tiktok.com%2F%40alice%2Fvideo%2F{ID}",
        post(),
    ),
    "encoded once too often, in prose": (
        f"look: https%3a%2f%2Fwww.tiktok.com%2F%40alice%2Fstory%2F{ID}%3Fx%3D1 !",
        story(),
    ),
    "encoded twice too often": (
        f"https%253A%252F%252Fwww.tiktok.com%252F%2540alice%252Fvideo%252F{ID}",
        post(),
    ),
    "encoded, without scheme": (f"www.tiktok.com%2F%40alice%2Fvideo%2F{ID}", post()),
    "encoded short link": (
        "https%3A%2F%2Fvm.tiktok.com%2FZMa1%2F",
        short("https://vm.tiktok.com/ZMa1/"),
    ),
    "share text, encoded as a whole link": (
        "https%3A%2F%2Fvm.tiktok.com%2FZMa1%2F%20Get%20the%20app",
        short("https://vm.tiktok.com/ZMa1/"),
    ),
    "without its scheme's name": (f"//www.tiktok.com/@alice/video/{ID}", post()),
    "without its scheme's name, in prose": ("see //www.tiktok.com/@alice there", user("alice")),
    "id in full-width digits": (
        f"{WEB}/@alice/video/" + "".join(chr(ord(d) + 0xFEE0) for d in ID),
        post(),
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
    "id touched by digits of another script": (
        f"{WEB}/@alice/video/{ID}\u0664",
        NotUnderstood,
        "letters",
    ),
    "id touched by a Latin letter": (f"{WEB}/@alice/video/{ID}\u00e9", NotUnderstood, "letters"),
    "name touched by Cyrillic": (f"{WEB}/@alice\u0443", NotUnderstood, "letters"),
    "escaped line end inside": (f"{WEB}/@alice\\n/video/{ID}", NotUnderstood, "backslash"),
    "one slash, another site": (f"https:/evil.example/@alice/{ID}", NotUnderstood, ""),
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
    "shop, bare and quoted": ("“Shop.TikTok.com”.", UnsupportedLink, "the shop"),
    "the first of two decides": (
        f"{WEB}/tag/cats and {WEB}/@alice",
        UnsupportedLink,
        "a hashtag page",
    ),
    "look-alike letter": ("https://www.tıktok.com/@alice", UnsupportedLink, "another site"),
    "look-alike letter at the end": ("https://www.tiktok.comé", UnsupportedLink, "another site"),
    "look-alike letter, no scheme": ("tıktok.com/@alice", NotUnderstood, ""),
    "encoded look-alike": (
        "https%3A%2F%2Fwww.tiktok.com.evil.example%2F%40alice",
        UnsupportedLink,
        "another site",
    ),
    "encoded user part": (
        "https%3A%2F%2Fwww.tiktok.com%40evil.example%2F%40alice",
        UnsupportedLink,
        "hides",
    ),
    "TikTok Lite's advert alone": (LITE, Advert, "the app is offered"),
    "its advert in its words": (f"Get TikTok Lite to enjoy more: {LITE}?_r=1.", Advert, ""),
    "its advert in Arabic": (f"شاهد المزيد {LITE}", Advert, ""),
    "its advert in Chinese": (f"此帖子通过TikTok Lite分享：{LITE}", Advert, ""),
    "a store's page of it": (
        "https://play.google.com/store/apps/details?id=com.zhiliaoapp.musically.go",
        Advert,
        "",
    ),
    "the app's host": ("https://lite.tiktok.com/", Advert, ""),
    "an advert and another site": (f"{LITE} https://example.com/x", Advert, ""),
    "an advert and another page": (f"get {LITE} {WEB}/tag/cats", UnsupportedLink, "a hashtag page"),
    "the app's host, bare": ("lite.tiktok.com", UnsupportedLink, "TikTok's home page"),
    "encoded without an end": ("https%3A%2F%2F" + "%25" * 3000, UnsupportedLink, ""),
    "look-alike before": ("évil.www.tiktok.com/@alice", NotUnderstood, ""),
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
        assert refusal.value.detail.partition(" (")[0] in UNSUPPORTED_LINKS


def test_an_id_from_the_future_is_mistyped() -> None:
    link = f"{WEB}/@alice/video/9913039991730291236"
    assert parse_line(link).item_id == "9913039991730291236"
    with pytest.raises(NotUnderstood, match="future"):
        parse_line(link, now=datetime(2026, 11, 20, tzinfo=UTC))
    assert parse_line(f"{WEB}/@alice/video/{ID}", now=datetime(2026, 11, 20, tzinfo=UTC)) == post()


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
    "share text with the store's page of the app": (
        "https://vm.tiktok.com/ZMa1/\nApp: https://apps.apple.com/us/app/tiktok/id835599320",
        ["https://vm.tiktok.com/ZMa1/ App: https://apps.apple.com/us/app/tiktok/id835599320"],
    ),
    "two encoded links": (
        "https%3A%2F%2Fvm.tiktok.com%2FZMa1%2F https%3A%2F%2Fvm.tiktok.com%2FZMa2%2F",
        ["https://vm.tiktok.com/ZMa1/", "https://vm.tiktok.com/ZMa2/"],
    ),
    "share text of Lite, its advert behind a short link": (
        "Zoe'nin videosuna bak! https://vt.tiktok.com/ZSa1/\nLite ile payla\u015f\u0131ld\u0131: https://vt.tiktok.com/ZSa2/",
        [
            "Zoe'nin videosuna bak! https://vt.tiktok.com/ZSa1/",
            "Lite ile payla\u015f\u0131ld\u0131: https://vt.tiktok.com/ZSa2/",
        ],
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


# Pieces that make interesting lines when thrown together.
PIECES = st.one_of(
    st.sampled_from(["https://", "http:", "//", "www.", "tiktok.com", "vm.tiktok.com", "/", "@"]),
    st.sampled_from(["＠", "alice", ":", ID, "/video/", "/story/", "?story_type=1", "%40", "%2F"]),
    st.sampled_from([".", "evil.example", "#", "\\", "t", " ", ",", "é", "看", "\u200b", "\ud800"]),
    st.sampled_from(
        ["，", "）", "|", "](", "[", "~", "\u0332", "\n", "#TikTok", "tiktoklite", "1."]
    ),
    st.sampled_from(
        ["https%3A%2F%2F", "%252F", "us.", "//", ";", "/t/", "%20", "/embed/v3/", "lite."]
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
    assert url.netloc in page_hosts()
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
