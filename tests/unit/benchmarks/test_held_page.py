"""A page says what it holds, and takes what is left out for unchanged."""

from __future__ import annotations

import pytest

from benchmarks.held_page import HELD_BYTES, HeldPage

PAGE = (
    '<section class="line done" id="line-1" data-tag="one">'
    '<li class="tile" id="story-1" tabindex="-1" data-tag="first"></li></section>'
    '<section class="line running" id="line-2" data-tag="two">'
    '<li class="tile" id="story-2" data-tag="second"></li></section>'
)


def _held(*pieces: str) -> str:
    page = HeldPage()
    for piece in pieces:
        page.load(piece)
    return page.headers().get("Storykeep-Holds", "")


def test_lines_are_named_and_the_tiles_of_those_that_may_change() -> None:
    assert _held(PAGE) == "one two second"


def test_a_page_without_tags_says_nothing() -> None:
    assert HeldPage().headers() == {}
    assert _held('<section class="line done" id="line-1"><li class="tile" id="s"></li>') == ""


def test_what_an_answer_leaves_out_is_still_held() -> None:
    answer = (
        '<section id="line-1" data-same></section>'
        '<section class="line running" id="line-2" data-tag="two-b">'
        '<li id="story-2" data-same></li><li class="tile" id="story-3" data-tag="third"></li>'
        "</section>"
    )
    assert _held(PAGE, answer) == "one two-b second third"


def test_a_line_that_is_gone_is_no_longer_held() -> None:
    assert _held(PAGE, '<section id="line-1" data-same></section>') == "one"


def test_an_answer_that_leaves_out_what_the_page_lacks_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="line-9"):
        _held(PAGE, '<section id="line-9" data-same></section>')


def test_the_header_stays_below_what_proxies_take() -> None:
    many = "".join(
        f'<section class="line done" id="line-{number}" data-tag="tag{number:07}"></section>'
        for number in range(2000)
    )
    assert len(_held(many)) == HELD_BYTES
