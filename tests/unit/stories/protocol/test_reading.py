"""Strict reading: each value by its place, type and bounds."""

from __future__ import annotations

import re

import pytest

from stories.protocol.reading import PackRefused, Reader, different, load, shown


@pytest.mark.parametrize(
    ("text", "reason", "said"),
    [
        (b"", "not_json", "it is not JSON"),
        (b"{", "not_json", "it is not JSON"),
        (b"\xff{}", "not_json", "it is not JSON"),
        (b'{"a": NaN}', "not_json", "NaN is no JSON"),
        (b'{"a": 1, "a": 2}', "malformed", "a: it stands there twice"),
        (b"[" * 100_000, "not_json", "it is not JSON"),
        (b"1" * 5000, "not_json", "it is not JSON"),
        (b" " * 200_000, "too_large", "it is larger than 128 KiB"),
    ],
)
def test_what_is_no_plain_json_is_refused(text: bytes, reason: str, said: str) -> None:
    with pytest.raises(PackRefused) as refused:
        load(text, 128 * 1024)
    assert (refused.value.reason, str(refused.value)) == (reason, said)


def reader() -> Reader:
    return Reader({"n": 3, "yes": True, "t": "abc", "list": ["a", "a"], "o": {"x": 1}}, "top")


def test_values_are_read_by_name() -> None:
    values = reader()
    assert values.whole("n", 1, 3) == 3
    assert values.flag("yes") is True
    assert values.text("t", 1, 3) == "abc"
    assert values.entries("list", 1, 2) == [("top.list[0]", "a"), ("top.list[1]", "a")]
    assert values.inner("o").whole("x", 0, 1) == 1
    assert values.has("n")
    assert not values.has("m")


def refusal_of(read: str, *arguments: object) -> str:
    with pytest.raises(PackRefused) as refused:
        getattr(reader(), read)(*arguments)
    return str(refused.value)


def test_the_place_of_what_is_wrong_is_named() -> None:
    assert refusal_of("get", "gone") == "top.gone: it is missing"
    assert refusal_of("whole", "n", 4, 9) == "top.n: it is no whole number from 4 to 9"
    assert refusal_of("whole", "yes", 0, 9).startswith("top.yes")
    assert refusal_of("flag", "n") == "top.n: it is neither true nor false"
    assert refusal_of("text", "n", 1, 9) == "top.n: it is no text"
    assert refusal_of("text", "t", 4, 9) == "top.t: it does not have 4 to 9 characters"
    assert "that cannot stand there" in refusal_of("text", "t", 1, 9, re.compile("[0-9]+"))
    assert refusal_of("entries", "list", 3, 9) == "top.list: it is no list of 3 to 9 entries"
    assert refusal_of("inner", "n") == "top.n: it is no object"
    assert "twice" in refusal_of("texts", "list", (1, 9), (1, 9), re.compile("[a-z]+"))
    assert refusal_of("mapping", "o", 0) == "top.o: it is no object of at most 0 entries"
    assert refusal_of("only", "n", "yes", "t", "list") == "top.o: there is no such field"
    with pytest.raises(PackRefused, match="the document: it is no object"):
        Reader([])


def test_a_foreign_text_is_shown_short_and_on_one_line() -> None:
    assert shown("plain") == "plain"
    assert shown("two\nlines\x1b[31m") == "'two\\nlines\\x1b[31m'"
    assert shown("\N{RIGHT-TO-LEFT OVERRIDE}") == "'\\u202e'"
    assert len(shown("x" * 1000)) == 61
    assert shown(["x"]) == "['x']"


def test_entries_may_be_compared_by_a_part_of_them() -> None:
    assert different([("a", 1), ("b", 1)], "here", lambda pair: pair[0]) == (("a", 1), ("b", 1))
    with pytest.raises(PackRefused, match="here: an entry stands there twice"):
        different([("a", 1), ("a", 2)], "here", lambda pair: pair[0])
