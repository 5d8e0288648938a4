"""Values kept in Redis: what is no value of ours is none at all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from jobs.ephemeral import values

GARBAGE: list[Any] = [
    *("", " ", "x", "nan", "inf", "-inf", "1e400", "9" * 5000, "\ufffd", "1,5", "0x1f", "[]"),
    *(None, True, [], {}, float("nan"), float("inf"), 10**400),
]


@pytest.mark.parametrize("value", GARBAGE, ids=lambda value: repr(value)[:12])
def test_what_is_no_number(value: Any) -> None:
    assert values.number(value) is None or value == "9" * 5000
    assert values.number(value, 0, 1e12) is None
    assert values.whole(value, 0, 10**12) is None
    assert values.moment(value) is None


def test_numbers_and_their_bounds() -> None:
    assert values.number("1.5") == values.number(1.5) == 1.5
    assert values.number("2", 0, 1) is None
    assert values.whole("7", 0, 9) == values.whole(7, 0, 9) == 7
    assert values.whole(7.5, 0, 9) is None
    assert values.moment("1800000000") == datetime.fromtimestamp(1_800_000_000, UTC)
    assert values.moment(values.MAX_MOMENT)
    assert values.moment(values.MAX_MOMENT * 2) is None
    assert values.moment(-1) is None


def test_texts() -> None:
    assert values.text("Näme", 4) == "Näme"
    for value in (None, 7, ["x"], "abcde", "\ud800"):
        assert values.text(value, 4) is None


@pytest.mark.parametrize(
    "text", ["", "x", "[]", "null", "7", '"{}"', "[" * 100_000, "\ufffd", None]
)
def test_what_is_no_record(text: str | None) -> None:
    assert values.record(text) is None


def test_a_record() -> None:
    assert values.record('{"a": 1}') == {"a": 1}


@pytest.mark.parametrize("text", [None, "", "{}", "[1]", "[1, 2, 3]", "[" * 100_000, "1"])
def test_what_is_no_list_of_two_numbers(text: str | None) -> None:
    assert values.numbers(text, 2, 10.0) is None


def test_a_list_of_numbers_and_of_what_is_none() -> None:
    assert values.numbers("[1, null]", 2, 10.0) == (1.0, None)
    assert values.numbers('[11, "x"]', 2, 10.0) == (None, None)
