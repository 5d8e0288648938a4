"""Short names of lines."""

from __future__ import annotations

import pytest

from jobs.queries.titles import (
    MAX_LENGTH,
    display_name,
    normalized,
    note_as_title,
    short_title,
)


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("@nora", "@nora"),
        ("https://www.tiktok.com/@nora/story/1?x=1", "tiktok.com/@nora/story/1"),
        ("HTTP://vm.tiktok.com/ZM1/", "vm.tiktok.com/ZM1/"),
        ("what is this? https://x.y", "what is this? https://x.y"),
        ("x" * 40, "x" * 40),
        ("a" * 30 + "b" * 30, "a" * 26 + "…" + "b" * 10),
    ],
)
def test_a_title_is_short_and_has_no_scheme(line: str, title: str) -> None:
    assert short_title(line) == title
    assert len(short_title(line)) <= MAX_LENGTH


def test_a_note_is_a_title_but_not_that_of_a_watch() -> None:
    assert note_as_title(" for\nOmar ", from_watch=False) == "for Omar"
    assert note_as_title("for Omar", from_watch=True) == ""


def test_a_known_name_stands_for_the_line() -> None:
    link = "https://www.tiktok.com/@nora/story/1"
    assert display_name("nora", link) == "@nora"
    assert display_name("", link) == "tiktok.com/@nora/story/1"


def test_lines_are_compared_without_what_titles_leave_out() -> None:
    assert normalized("@Nora") == "@nora"
    assert normalized("https://www.tiktok.com/@Nora") == "tiktok.com/@Nora"
