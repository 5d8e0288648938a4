"""The challenge page: told from other pages, solved as the site's own script would, or refused."""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stories import challenge
from stories.challenge import MAX_CHALLENGE_BYTES, is_challenge, solve
from stories.errors import Challenged

SAMPLES = Path(__file__).parents[2] / "samples"
SHAPE = json.loads((SAMPLES / "waf_challenge_shape.json").read_text())


def b64(raw: bytes, *, padded: bool = True) -> str:
    text = base64.b64encode(raw).decode()
    return text if padded else text.rstrip("=")


def puzzle(answer: int = 73, prefix: bytes = b"constructed-prefix") -> dict[str, Any]:
    """Constructed: laid out as described, with an answer we know."""
    digest = hashlib.sha256(prefix + str(answer).encode()).digest()
    return {"v": {"a": b64(prefix), "b": 1789461982, "c": b64(digest)}, "s": b64(b"signature")}


def page(
    cs: str, *, wci: str = "_wafchallengeid", rci: str = "waforiginalreid", rs: str = ""
) -> bytes:
    """Constructed from the described element ids and texts."""
    config = json.dumps(SHAPE["script#slardar-config"])
    return (
        f"<!doctype html><html><body>{SHAPE['visible_text']}"
        f'<script id="slardar-config" type="application/json">{config}</script>'
        f'<p id="wci" class="{wci}"></p><p id="cs" class="{cs}"></p>'
        f'<p id="rci" class="{rci}"></p><p id="rs" class="{rs}"></p>'
        f'<script src="{SHAPE["script_src"]}"></script></body></html>'
    ).encode()


def challenge_page(asked: Any, **kwargs: str) -> bytes:
    return page(b64(json.dumps(asked).encode(), padded=False), **kwargs)


def test_described_elements_are_the_ones_we_read() -> None:
    assert [element["id"] for element in SHAPE["elements"]] == ["wci", "cs", "rci", "rs"]
    assert set(SHAPE["cs_decoded_shape"]) == set(puzzle())
    assert set(SHAPE["cs_decoded_shape"]["v"]) == set(puzzle()["v"])


@pytest.mark.parametrize("answer", [0, 73, 41_999])
def test_solved(answer: int) -> None:
    asked = puzzle(answer)
    ((name, value),) = solve(challenge_page(asked))
    assert name == "_wafchallengeid"
    assert len(value) % 4 == 0, "padded"
    text = base64.b64decode(value, validate=True).decode()
    assert text == json.dumps({**asked, "d": b64(str(answer).encode())}, separators=(",", ":"))
    assert list(json.loads(text)) == list(SHAPE["answer_cookie_decoded_shape"])


def test_unknown_keys_travel_along_in_order() -> None:
    asked = {"z": [1, {"y": None}], **puzzle(5), "after": 2**70}
    ((_, value),) = solve(challenge_page(asked))
    assert list(json.loads(base64.b64decode(value))) == ["z", "v", "s", "after", "d"]


def test_second_cookie_only_with_a_value() -> None:
    cookies = solve(challenge_page(puzzle(), rs="abc.DEF-123="))
    assert cookies[1] == ("waforiginalreid", "abc.DEF-123=")
    assert len(solve(challenge_page(puzzle(), rs=""))) == 1


def test_attributes_in_any_order_and_quotes() -> None:
    cs = b64(json.dumps(puzzle()).encode())
    body = f"<p class='_waf' id='wci'></p><div class='{cs}' data-x=1 id=cs></div>".encode()
    assert solve(body)[0][0] == "_waf"


FORMS = {
    "a decoy in a comment": '<!-- <p id="cs" class="no"> --><p id="cs" class="{}"></p>',
    "a decoy in a script": '<script>"<p id=\'cs\' class=no>"</script><p id="cs" class="{}"></p>',
    "the first one counts": '<p id="cs" class="{}"></p><p id="cs" class="no"></p>',
    "a mark inside a value": '<p title="a > b" id="cs" data-x="<" class="{}"></p>',
    "an entity": '<p id="&#99;s" class=" {} "></p>',
    "upper case": "<P ID = \"cs\"\nCLASS = '{}' >",
    "closed at once": '<input id=cs class="{}"/>',
    "nothing after it": '<p hidden class="{}" id=cs></p',
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_ways_to_write_an_element(form: str) -> None:
    cs = b64(json.dumps(puzzle()).encode())
    body = '<p class="_waf" id="wci"></p>' + form.replace("{}", cs)
    assert solve(body.encode())[0][0] == "_waf"


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "junk",
    ["<a ", "<a/", "<a\t=", "<a =' ", '<a b="', "<a b='", "<a b=\"'", "<a b='\"x ", "<", "<!", "</",
     "<!--", "<!--<a", "<script ", "<script>", "</script", "<p id='cs'", "<p id=cs class=&#1;",
     "a ", "&#9", " ", "=", "<a" + " " * 99, "<p id=cs class='&#" + "9" * 5000],
)  # fmt: skip
def test_hostile_markup_takes_no_time(junk: str) -> None:
    """Thirty times what a page may be: only reading that grows with the length ends in time."""
    with suppress(Challenged):
        challenge.elements((junk * (600_000 // len(junk))).encode())


UNSOLVABLE = {
    "empty": b"",
    "not HTML": b"\xff\xfe\x00garbage",
    "no elements": b"<html>Please wait...</html>",
    "no cookie name": challenge_page(puzzle(), wci=""),
    "hostile cookie name": challenge_page(puzzle(), wci="a; Domain=example.com"),
    "hostile second value": challenge_page(puzzle(), rs="a; Path=/"),
    "hostile second name": challenge_page(puzzle(), rs="abc", rci="a b"),
    "cs is not base64": page("%%%"),
    "cs is not ASCII": page("ééé"),
    "cs has an impossible length": page("abcde"),
    "cs is not JSON": page(b64(b"nope")),
    "cs is not text": page(b64(b"\xff\xff\xff")),
    "cs is a list": challenge_page([1]),
    "cs is nested deeply": page(b64(b"[" * 9000)),
    "no v": challenge_page({"s": "x"}),
    "v is a list": challenge_page({"v": []}),
    "a is a number": challenge_page({"v": {"a": 1, "c": "x"}}),
    "c is missing": challenge_page({"v": {"a": b64(b"x")}}),
    "c is short": challenge_page({"v": {"a": b64(b"x"), "c": b64(b"short")}}),
    "a is large": challenge_page({"v": {"a": b64(b"x" * 2000), "c": b64(b"y" * 32)}}),
    "page is large": challenge_page(puzzle()) + b" " * MAX_CHALLENGE_BYTES,
    "broken markup": b"<![if !x]><![x[ <!-- <p id=cs class=",
}


@pytest.mark.parametrize("body", UNSOLVABLE.values(), ids=UNSOLVABLE.keys())
def test_unsolvable(body: bytes) -> None:
    with pytest.raises(Challenged):
        solve(body)


def test_no_answer_within_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stories.challenge.HIGHEST_ANSWER", 1000)
    assert solve(challenge_page(puzzle(1000)))
    with pytest.raises(Challenged, match="no answer"):
        solve(challenge_page(puzzle(1001)))


def test_detected() -> None:
    assert is_challenge(challenge_page(puzzle()))
    assert is_challenge(b'<div id="cs">SlardarWAF')


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Please wait... while captcha captcha captcha",
        b'<script src="/waf-aiso/x.js"></script>',
        challenge_page(puzzle()) + b" " * MAX_CHALLENGE_BYTES,
    ],
    ids=["nothing", "one marker", "another marker", "too large"],
)
def test_not_detected(body: bytes) -> None:
    assert not is_challenge(body)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_calmly(body: bytes) -> None:
    for hostile in (body, b'<p id="wci" class="x"><p id="cs" class="' + body, b"<!" + body):
        try:
            solve(hostile)
        except Challenged:
            continue


def test_marks_are_told_by_name() -> None:
    assert challenge.marks(b"<p>Please wait...</p> verify_event") == (
        "Please wait...",
        "verify_event",
    )
    assert challenge.marks(b"captcha") == ()
