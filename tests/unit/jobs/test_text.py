"""Untrusted text, fit to be stored, logged and shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.text import clean_text, isolated, scrub


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        pytest.param("  plain  ", "plain", id="spaces around"),
        pytest.param("a\x00b", "a b", id="null"),
        pytest.param("\x1b[31mred", "[31mred", id="terminal colours"),
        pytest.param("a\x9bb\x7fc", "a b c", id="C1 and delete"),
        pytest.param("a\u2028b\u2029c", "a b c", id="line separators"),
        pytest.param("a\nb", "a b", id="line feed"),
        pytest.param("\ud800\udfff", "??", id="lone surrogates"),
        pytest.param("Zürich 東京 🌊", "Zürich 東京 🌊", id="letters survive"),
        pytest.param("\n\t ", "", id="nothing left"),
    ],
)
def test_what_cannot_be_shown_is_replaced(text: str, clean: str) -> None:
    assert clean_text(text, 100) == clean


def test_line_feeds_stay_where_several_lines_may_be() -> None:
    assert clean_text(" why\r\nI saved\tthis\x00 ", 100, multiline=True) == "why\nI saved this"


def test_text_is_cut() -> None:
    assert clean_text("é" * 5000, 10) == "é" * 10
    assert clean_text("ab cd", 3) == "ab"


def test_nothing_turns_the_direction_of_what_stands_around_it() -> None:
    text = "".join(map(chr, range(0x202A, 0x202F))) + "ab\u2066c\u2069\u200f שלום"
    assert clean_text(f"{text}\u2067\u2068", 100, multiline=True) == "abc\u200f שלום"
    assert clean_text(text, 100) == "abc\u200f שלום"


@given(st.text(st.characters(), max_size=80), st.booleans())
def test_any_text_becomes_storable(text: str, multiline: bool) -> None:
    clean = clean_text(text, 20, multiline=multiline)
    clean.encode()
    assert len(clean) <= 20
    assert clean == clean.strip()
    assert not any(char < " " and not (multiline and char == "\n") for char in clean)
    assert clean_text(clean, 20, multiline=multiline) == clean


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("@nora", "@nora", id="left to right stays as it is"),
        pytest.param("", "", id="nothing"),
        pytest.param("東京 42", "東京 42", id="other scripts"),
        pytest.param("نورا", "\u2068نورا\u2069", id="Arabic"),
        pytest.param("a שלום", "\u2068a שלום\u2069", id="mixed"),
        pytest.param("\u2068نورا", "\u2068\u2068نورا\u2069\u2069", id="cut short"),
        pytest.param("\u2068نورا\u2069, @x", "\u2068\u2068نورا\u2069, @x\u2069", id="a list"),
    ],
)
def test_a_name_in_a_sentence_turns_nothing_around_it(name: str, shown: str) -> None:
    assert isolated(name) == shown
    assert isolated(name).count("\u2068") == isolated(name).count("\u2069")


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ("www.tiktok.com/@given: status 403", "www.tiktok.com/@given: status 403"),
        ("www.tiktok.com/@other.one: 429", "www.tiktok.com/@…: 429"),
        ("v16-webapp-prime.tiktok.com: status 403", "v16-webapp-prime.tiktok.com: status 403"),
        ("p16-common-sign-useastred.tiktokcdn.com: empty", None),
        ("got /video?expire=1&signature=abc= there", "got /video?… there"),
        ("http://user:hunter2@proxy.example: no", "http://…@…: no"),
        ("item 7441111111111111111 is gone", "item … is gone"),
        ("ttwid=1%7CAbCdEfGhIjKlMnOpQrStUv", "…"),
        ("see STORYKEEP_PUBLIC_URL.", None),
        ("STORYKEEP_PUBLIC_URLaBcD, STORYKEEP_ADMIN_PASSWORD=abcdefgh", "…, …"),
        ("userInfo.user.id is missing", "userInfo.user.id is missing"),
        ("x " * 200, ("x " * 80)),
    ],
)
def test_a_detail_is_safe(detail: str, said: str | None) -> None:
    assert scrub(detail, 160, "given") == (detail if said is None else said)
