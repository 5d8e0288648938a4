"""What of a job is asked for, and the addresses that ask for it."""

from __future__ import annotations

import pytest

from jobs.pages import wish
from jobs.pages.wish import Wish


@pytest.mark.parametrize(
    ("text", "positions"),
    [("", set()), ("7", {7}), ("2,7,2", {2, 7}), ("x,-1,3,²", {3}), ("1," * 9999, {1})],
)
def test_positions_of_lines_are_numbers(text: str, positions: set[int]) -> None:
    assert wish.positions(text) == positions


@pytest.mark.parametrize(
    "query",
    ["", "?show=done", "?all=2,7", "?show=failed&order=leaving&view=grid&all=1"],
)
def test_an_address_asks_for_what_it_was_made_of(query: str) -> None:
    pairs = dict(part.split("=") for part in query.removeprefix("?").split("&") if part)
    assert Wish.of(pairs).query() == query


def test_other_words_say_nothing() -> None:
    assert Wish.of({"order": "sideways", "view": "cinema", "all": "x"}).query() == ""


def test_lines_are_rows_when_there_are_many_and_nobody_wants_a_grid() -> None:
    assert not Wish().has_rows(6)
    assert Wish().has_rows(7)
    assert not Wish(grid=True).has_rows(7)


def test_of_a_wish_a_part_is_changed() -> None:
    assert Wish(show="done", leaving=True).but(leaving=False) == "?show=done"
