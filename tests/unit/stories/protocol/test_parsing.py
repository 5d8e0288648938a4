"""A document becomes a pack only when every field of it is in order."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stories.protocol.current import built_in, built_in_text
from stories.protocol.pack import Pack, Version
from stories.protocol.parsing import document_keys, parse, parse_version
from stories.protocol.reading import PackRefused
from tests import packs

Facts = dict[str, Any]


def refused(change: Callable[[Facts], object]) -> PackRefused:
    """The refusal of the built-in document with a change."""
    with pytest.raises(PackRefused) as caught:
        parse(packs.text(change), built_in())
    return caught.value


def taken(change: Callable[[Facts], object]) -> Pack:
    return parse(packs.text(change), built_in())


def put(*path: str | int) -> Callable[[object], Callable[[Facts], None]]:
    """`put("hosts", "media", 0)("evil.example")`: a change of that value."""

    def to(value: object) -> Callable[[Facts], None]:
        def change(facts: Facts) -> None:
            place: Any = facts
            for name in path[:-1]:
                place = place[name]
            place[path[-1]] = value

        return change

    return to


def test_the_built_in_document_is_taken_as_a_newer_one_too() -> None:
    pack = taken(lambda _: None)
    assert pack.version == Version("2099-01-01", 1)
    assert pack.identities == built_in().identities
    assert pack.marks == built_in().marks


def test_what_is_of_no_use_here_can_be_left_out() -> None:
    pack = taken(lambda facts: facts.update(minimum_app="1.2.3", note="A new host."))
    assert (pack.minimum_app, pack.note) == ("1.2.3", "A new host.")
    assert (built_in().minimum_app, built_in().note) == ("", "")


@pytest.mark.parametrize(
    "version", ["", "2026-11-30", "2026-11-30.0", "2026-13-01.1", "2026-11-30.1000", "1.2.3"]
)
def test_a_version_is_a_day_and_a_number(version: str) -> None:
    with pytest.raises(PackRefused, match="version"):
        parse(packs.text(version=version), built_in())
    assert parse_version("2026-11-30.12") == Version("2026-11-30", 12)


@pytest.mark.parametrize(
    ("change", "reason", "place"),
    [
        (lambda facts: facts.update(format=2), "wrong_format", "its format is 2, not 1"),
        (lambda facts: facts.update(format=True), "wrong_format", "its format is True"),
        (lambda facts: facts.pop("format"), "malformed", "format: it is missing"),
        (lambda facts: facts.update(code="import os"), "unknown_field", "code"),
        (lambda facts: facts["hosts"].update(cookies={}), "unknown_field", "hosts.cookies"),
        (
            lambda facts: facts["identities"]["curl"][0].update(cookie="a=b"),
            "unknown_field",
            "identities.curl[0].cookie",
        ),
        (lambda facts: facts.pop("marks"), "malformed", "marks: it is missing"),
        (put("made_at")("yesterday"), "malformed", "made_at"),
        (put("made_at")("2026-02-30T00:00:00Z"), "malformed", "made_at: there is no such time"),
        (put("minimum_app")("latest"), "malformed", "minimum_app"),
        (put("note")("two\nlines"), "malformed", "note"),
    ],
)
def test_a_document_of_another_form_is_refused_and_the_place_named(
    change: Callable[[Facts], object], reason: str, place: str
) -> None:
    error = refused(change)
    assert error.reason == reason
    assert str(error).startswith(place)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(put("identities", "curl", 0, "user_agent")(agent), id=f"agent {agent!r:.20}")
        for agent in ("", "short", "x" * 301, "Mozilla/5.0\r\nCookie: a=b", "Mozillä/5.0 abc", 7)
    ]
    + [
        pytest.param(put("identities", "curl", 0, "client_hints")(hints), id=f"hints {hints!r:.30}")
        for hints in (
            [["cookie", "a=b"]],
            [["authorization", "Bearer x"]],
            [["sec-ch-ua", "x\r\nCookie: a=b"]],
            [["sec-ch-ua: x\r\ncookie", "a"]],
            [["sec-ch-ua", ""]],
            [["sec-ch-ua", "a"], ["sec-ch-ua", "b"]],
            [["sec-ch-ua"]],
            ["sec-ch-ua"],
            {"sec-ch-ua": "a"},
            [["Sec-CH-UA", "a"]],
        )
    ]
    + [
        pytest.param(put("identities", "curl", 0, "tls_target")(target), id=f"target {target!r}")
        for target in ("chrome", "chrome999", "", 7, ["chrome150"], False)
    ]
    + [
        put("identities", "httpx", 0, "tls_target")("chrome150"),
        put("identities", "curl", 1, "name")("chrome150"),
        put("identities", "curl", 0, "name")("a\nb"),
        put("identities", "curl", 0, "always_referer")("https://evil.example/"),
        put("identities", "curl", 0, "browser")(1),
        put("identities", "curl")([]),
        put("identities", "preview_agent")("x\r\nHost: evil.example"),
        lambda facts: facts["identities"].update(firefox=[]),
    ],
)
def test_an_identity_is_headers_of_a_browser_and_nothing_else(
    change: Callable[[Facts], object],
) -> None:
    error = refused(change)
    assert str(error).startswith("identities")


SITE = "https://www.tiktok.com/"


@pytest.mark.parametrize(
    "url",
    [
        "http://www.tiktok.com/@{name}",
        "https://evil.example/@{name}",
        "https://www.tiktok.com.evil.example/@{name}",
        "https://www.tiktok.com:8443/@{name}",
        "https://user@www.tiktok.com/@{name}",
        "https://www.tiktok.com@evil.example/@{name}",
        "https://live.tiktok.com/@{name}",
        f"{SITE}/@{{name}}",
        f"{SITE}../@{{name}}",
        f"{SITE}@{{name}}?token=x",
        f"{SITE}@{{name}}#x",
        f"{SITE}@{{name}}\r\n",
        f"{SITE}@{{name}}{{name}}",
        f"{SITE}@{{id}}",
        f"{SITE}@{{name}}/{{id}}",
        f"{SITE}@name",
        f"{SITE}%2e%2e/{{name}}",
        f"{SITE}{{name.__class__}}",
        "HTTPS://www.tiktok.com/@{name}",
        "javascript:alert({name})",
        "file:///etc/passwd",
        "",
        7,
    ],
)
def test_an_endpoint_is_an_https_address_on_a_page_host(url: object) -> None:
    assert str(refused(put("endpoints", "profile")(url))).startswith("endpoints.profile")


def test_an_endpoint_may_move_to_another_page_host() -> None:
    pack = taken(put("endpoints", "profile")("https://m.tiktok.com/user/{name}"))
    assert pack.endpoints.profile == "https://m.tiktok.com/user/{name}"


@pytest.mark.parametrize(
    "query",
    [
        [],
        [["cursor", "{cursor}"], ["count", "{count}"]],
        [["authorId", "{author_id}"], ["count", "{count}"]],
        [["a", "{author_id}"], ["b", "{sec_uid}"], ["cursor", "{cursor}"]],
        [["a", "{author_id}"], ["a", "x"], ["cursor", "{cursor}"]],
        [["a", "{author_id}"], ["msToken", "x"], ["cursor", "{cursor}"]],
        [["a", "{author_id}"], ["x", "sessionid"], ["cursor", "{cursor}"]],
        [["a", "{author_id}"], ["x", "a&b=c"], ["cursor", "{cursor}"]],
        [["a", "{author_id}"], ["x", "{env}"], ["cursor", "{cursor}"]],
        [["a", "{author_id}"], ["x y", "1"], ["cursor", "{cursor}"]],
        [["a", "{author_id}"], ["cursor", "{cursor}"], ["b", 3]],
        [["a", "{author_id}"], ["cursor", "{cursor}"], ["b"]],
        "a=b",
    ],
)
def test_the_lists_query_says_whose_and_from_where_and_carries_no_sign_in(query: object) -> None:
    error = refused(put("endpoints", "story_list", "query")(query))
    assert str(error).startswith("endpoints.story_list.query")


@pytest.mark.parametrize("size", [0, 51, -1, 2.5, "20", True, None])
def test_a_page_of_the_list_has_bounds(size: object) -> None:
    error = refused(put("endpoints", "story_list", "page_size")(size))
    assert str(error).startswith("endpoints.story_list.page_size")


@pytest.mark.parametrize("part", ["page", "share", "media"])
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "tiktok.com.evil.example",
        "eviltiktok.com",
        "akamaized.net",
        "com",
        "localhost",
        "127.0.0.1",
        "[::1]",
    ],
)
def test_a_host_is_tiktoks_own_or_below(part: str, host: str) -> None:
    error = refused(lambda facts: facts["hosts"][part].append(host))
    assert str(error).startswith(f"hosts.{part}")


@pytest.mark.parametrize("part", ["page", "share", "media"])
@pytest.mark.parametrize(
    "host",
    ["WWW.tiktok.com", "a b.tiktok.com", ".tiktok.com", "*.tiktok.com", "a..tiktok.com",
     "x" * 64 + ".tiktok.com", "www.tiktok.com:443", "www.tiktok.com.", "", 7],
)  # fmt: skip
def test_a_host_is_a_plain_name(part: str, host: object) -> None:
    assert str(refused(lambda facts: facts["hosts"][part].append(host))).startswith("hosts.")


def test_the_site_stays_a_page_host() -> None:
    error = refused(lambda facts: facts["hosts"]["page"].remove("www.tiktok.com"))
    assert str(error) == "hosts.page: www.tiktok.com is missing"


@pytest.mark.parametrize("words", ["", "the shop", "a live"])
def test_another_service_has_words_that_are_translated(words: str) -> None:
    pack = taken(put("hosts", "other_services", "music")(words))
    assert pack.hosts.other_services["music"] == words


@pytest.mark.parametrize("words", ["click here: https://evil.example", 7, None, ["the shop"]])
def test_other_words_for_a_service_are_refused(words: object) -> None:
    assert str(refused(put("hosts", "other_services", "music")(words))).startswith("hosts.other")


# --- codes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["accounts", "items"])
@pytest.mark.parametrize(
    "name", ["", "no_story", "empty", "not_a_story", "ok", "complete", "timed_out", None, 0, []]
)
def test_no_code_and_no_word_can_mean_that_there_is_no_story(place: str, name: object) -> None:
    for kind, key in (("numbers", "10999"), ("words", "somenewword")):
        error = refused(put("codes", place, kind, key)(name))
        assert str(error).startswith(f"codes.{place}.{kind}.{key}: an answer cannot mean that")


@pytest.mark.parametrize("place", ["accounts", "items"])
@pytest.mark.parametrize("number", ["10000", "10101", "10102"])
@pytest.mark.parametrize("name", ["unavailable", "no_such_account", "private_account"])
def test_a_number_that_keeps_us_out_says_nothing_else(place: str, number: str, name: str) -> None:
    assert refused(put("codes", place, "numbers", number)(name)).reason == "forbidden"


@pytest.mark.parametrize("number", ["10204", "10217", "10235", "10999", "5"])
@pytest.mark.parametrize("name", ["gone", "absent"])
def test_a_number_alone_does_not_make_an_item_gone(number: str, name: str) -> None:
    assert refused(put("codes", "items", "numbers", number)(name)).reason == "forbidden"


def test_nor_is_an_account_gone() -> None:
    for name in ("gone", "absent"):
        for kind, key in (("numbers", "10999"), ("words", "somenewword")):
            refused(put("codes", "accounts", kind, key)(name))
    assert refused(put("codes", "accounts", "numbers", "10204")("no_such_account"))
    assert taken(put("codes", "accounts", "numbers", "10999")("no_such_account"))


@pytest.mark.parametrize("word", ["statusse", "contentclassification", "contentclassificationx"])
def test_a_word_for_gone_is_no_part_of_one_that_says_otherwise(word: str) -> None:
    assert refused(put("codes", "items", "words", word)("gone")).reason == "forbidden"
    assert taken(put("codes", "items", "words", word)("withheld"))


@pytest.mark.parametrize(
    "word", ["short", "UPPERCASE", "with space", "a*b+c.d?", "x" * 61, "", "ä" * 9]
)
def test_a_word_is_letters_and_digits_alone(word: str) -> None:
    assert str(refused(put("codes", "items", "words", word)("refused"))).startswith("codes.items")


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "01", "", "1e3", "٣", "1" * 10, "any"])
def test_a_code_is_a_whole_number_and_never_zero(number: str) -> None:
    error = refused(put("codes", "accounts", "numbers", number)("refused"))
    assert str(error).startswith("codes.accounts.numbers")


# --- marks and renditions -------------------------------------------------------------------------


def test_no_built_in_mark_can_be_taken_away() -> None:
    def change(facts: Facts) -> None:
        facts["marks"] = {
            "challenge": ["new-mark-1", "new-mark-2"],
            "needed": 2,
            "captcha": [],
            "shell": [],
        }

    marks = taken(change).marks
    assert marks.challenge == (*built_in().marks.challenge, b"new-mark-1", b"new-mark-2")
    assert marks.captcha == built_in().marks.captcha
    assert marks.shell == built_in().marks.shell


def test_nor_can_more_of_them_be_asked_for() -> None:
    assert str(refused(put("marks", "needed")(3))).startswith("marks.needed")
    assert str(refused(put("marks", "needed")(0))).startswith("marks.needed")
    assert taken(put("marks", "needed")(1)).marks.needed == 1


@pytest.mark.parametrize("mark", ["", "a", "<htm", "x" * 81, "two\nlines", "schön", 7])
def test_a_mark_is_neither_too_short_nor_too_long(mark: object) -> None:
    for kind in ("challenge", "captcha", "shell"):
        error = refused(lambda facts: facts["marks"][kind].append(mark))  # noqa: B023
        assert str(error).startswith(f"marks.{kind}")


@pytest.mark.parametrize(
    "change",
    [
        put("renditions", "no_player")(["h264"]),
        put("renditions", "no_player")(["hevc"]),
        put("renditions", "codecs")([]),
        lambda facts: facts["renditions"]["codecs"].pop(0),
        put("renditions", "codecs", 0, "name")("hevc"),
        put("renditions", "codecs", 0, "keys")(["a.*b"]),
        put("renditions", "codecs", 0, "keys")(["_"]),
        put("renditions", "codecs", 0, "beginnings")([""]),
        put("renditions", "silent_paths")(["(a+)+$"]),
        put("renditions", "silent_paths")(["a"]),
        put("renditions", "silent_formats")([None]),
        put("renditions", "picture_order")([]),
        put("renditions", "picture_order")([[".jpg"], [".jpg"]]),
        put("renditions", "picture_order")([["jpg"]]),
        put("renditions", "picture_order")(".jpg"),
    ],
)
def test_rules_for_renditions_are_bounded_words(change: Callable[[Facts], object]) -> None:
    assert str(refused(change)).startswith("renditions")


# --- whatever stands there ------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every value in a document."""
    found = [path] if path else []
    if isinstance(value, dict):
        for name, inner in value.items():
            found += places(inner, (*path, name))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            found += places(inner, (*path, index))
    return found


BUILT_IN: Facts = json.loads(built_in_text())
PLACES = places(BUILT_IN)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(PLACES), JSON)
def test_any_value_in_any_place_is_taken_or_refused(
    path: tuple[str | int, ...], value: Any
) -> None:
    facts = copy.deepcopy(BUILT_IN)
    put(*path)(value)(facts)
    said = ""
    try:
        pack = parse(json.dumps(facts).encode("utf-8", "surrogatepass"), built_in())
    except PackRefused as error:
        said, pack = str(error), built_in()
    assert len(said) < 300
    assert said.isprintable()
    assert set(built_in().marks.challenge) <= set(pack.marks.challenge)
    for url in (pack.endpoints.profile, pack.endpoints.story_list.url):
        assert url.startswith("https://")
        assert url.split("/")[2].endswith(("tiktok.com", "tiktokv.com", "tiktokv.us", "tiktokv.eu"))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_refused(text: bytes) -> None:
    with pytest.raises(PackRefused):
        parse(text, built_in())


def test_two_documents_are_told_apart_by_place() -> None:
    changed = packs.document(put("endpoints", "story_list", "page_size")(30))
    changed["hosts"]["media"].append("byteicdn.com")
    known, keys = document_keys(BUILT_IN), document_keys(changed)
    assert set(keys) - set(known) == {"hosts.media[byteicdn.com]"}
    different = {place for place in known if known[place] != keys[place]}
    assert different == {"version", "endpoints.story_list.page_size"}
    assert "identities.curl[chrome150].client_hints[sec-ch-ua-mobile ?0]" in keys
