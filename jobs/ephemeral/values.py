"""Values kept in Redis, read with care: what is no value of ours counts as absent.

Whoever shares the Redis may have written anything, and so may another version.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

MAX_MOMENT: Final = 100_000_000_000.0
"""Unix seconds beyond which a moment is none, some 3,000 years ahead."""


def number(value: Any, low: float = -math.inf, high: float = math.inf) -> float | None:
    """A finite number from low to high, also from its text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) and low <= found <= high else None


def whole(value: Any, low: int, high: int) -> int | None:
    """A whole number from low to high, also from its text; None for anything else."""
    found = number(value, low, high)
    return int(found) if found is not None and found.is_integer() else None


def moment(value: Any) -> datetime | None:
    """The time of a number of Unix seconds; None for anything else."""
    seconds = number(value, 0.0, MAX_MOMENT)
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def text(value: Any, longest: int) -> str | None:
    """A text of at most so many characters that can be written as UTF-8; None for anything else."""
    if not isinstance(value, str) or len(value) > longest:
        return None
    return value if value.isascii() or value.encode(errors="replace").decode() == value else None


def record(value: str | None) -> Mapping[str, Any] | None:
    """The mapping that a JSON text holds; None for anything else."""
    try:
        found = json.loads(value or "")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def numbers(value: str | None, count: int, most: float) -> tuple[float | None, ...] | None:
    """So many numbers from -most to most that a JSON list holds, None for each that is none; None
    for anything else."""
    try:
        found = json.loads(value or "")
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list) or len(found) != count:
        return None
    return tuple(number(entry, -most, most) for entry in found)
