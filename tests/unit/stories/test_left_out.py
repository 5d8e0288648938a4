"""What a list leaves out: the reasons, their errors, and what is read back from a row."""

from __future__ import annotations

from typing import Any

import pytest

from stories import left_out
from stories.errors import StoriesError
from stories.left_out import LeftOutReason


def test_every_reason_means_an_error() -> None:
    assert set(left_out.ERRORS) == set(LeftOutReason)


def test_the_error_that_may_pass_comes_first() -> None:
    errors: list[StoriesError] = list(
        left_out.errors_for({LeftOutReason.PRIVATE: 2, LeftOutReason.HELD_BACK: 1})
    )
    assert [error.code for error in errors] == ["upstream_down", "private_post"]
    assert errors[1].detail == "left out of the list: 2 private"


def test_adverts_and_stories_that_are_over_are_not_counted() -> None:
    dropped = {"expired": 3, "ad": 1, "foreign_ad": 1, "private": 0, "no_media": 2}
    assert left_out.counted(dropped) == {"no_media": 2}


@pytest.mark.parametrize(
    ("value", "counts"),
    [
        ({}, {}),
        (None, {}),
        ([1], {}),
        ({"private": 2}, {"private": 2}),
        ({"private": 10**12}, {"private": left_out.MAX_COUNT}),
        ({"of a newer version": 2}, {"unreadable": 2}),
        ({"of a newer version": 2, "unreadable": 1}, {"unreadable": 3}),
        ({"private": "many"}, {"private": 1}),
        ({"private": -4}, {"private": 1}),
    ],
)
def test_a_row_that_names_anything_never_reads_as_nothing(
    value: Any, counts: dict[str, int]
) -> None:
    assert left_out.stored(value) == counts
