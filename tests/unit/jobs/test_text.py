"""Text that every database stores and no log or terminal stumbles over."""

from __future__ import annotations

from jobs.text import clean_text


def test_nothing_turns_the_direction_of_what_stands_around_it() -> None:
    text = "".join(map(chr, range(0x202A, 0x202F))) + "ab\u2066c\u2069\u200f שלום"
    assert clean_text(f"{text}\u2067\u2068", 100, multiline=True) == "abc\u200f שלום"
    assert clean_text(text, 100) == "abc\u200f שלום"
