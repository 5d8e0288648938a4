"""Single JSON values, whatever their type."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from stories.wire import values


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, 7),
        ("7", 7),
        (7.0, 7),
        (0, 0),
        (-1, None),
        (7.5, None),
        ("7.5", None),
        (True, None),
        (10**16, None),
        ("9" * 5000, None),
        (float("nan"), None),
        (float("inf"), None),
        (None, None),
        ([7], None),
    ],
)
def test_whole_numbers(value: Any, number: int | None) -> None:
    assert values.as_int(value) == number


@pytest.mark.parametrize(
    ("value", "id_"),
    [
        ("123", "123"),
        (123, "123"),
        ("0123", None),
        (0, None),
        (True, None),
        ("12a", None),
        ("1" * 21, None),
        (10**20, None),
        (None, None),
    ],
)
def test_ids(value: Any, id_: str | None) -> None:
    assert values.as_id(value) == id_


@pytest.mark.parametrize("value", [999_999_999, 0x1_0000_0000, "soon", None, 1e300])
def test_instants_that_no_clock_knows(value: Any) -> None:
    assert values.as_instant(value) is None
    assert values.as_instant_ms(value) is None


def test_milliseconds_are_kept() -> None:
    assert values.as_instant_ms("1775589637042") == datetime(
        2026, 4, 7, 19, 20, 37, 42_000, tzinfo=UTC
    )


def test_the_first_object_under_several_keys() -> None:
    scope = {"a": [1], "b": {}, "c": {"x": 1}}
    assert values.first_object(scope, "a", "b", "c") == {}
    assert values.first_object(scope, "c", "b") == {"x": 1}
    assert values.first_object(scope, "a", "d") is None
