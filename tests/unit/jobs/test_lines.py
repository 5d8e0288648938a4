"""A pasted line and its verdict."""

from __future__ import annotations

from typing import Any

from jobs import lines


def test_ten_thousand_lines_are_read_without_harm(set_env: Any) -> None:
    set_env(batch_max=10_000)
    found = lines.read_lines([f"@user{number}" for number in range(10_000)] * 2)
    assert len(found) == 10_000
