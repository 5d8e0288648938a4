"""JSON values of any type, read as the type that is needed or as nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

Raw = Mapping[str, Any]


def as_object(value: Any) -> Raw:
    """The value if it is an object, else an empty object."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The value if it is a list, else an empty list."""
    return value if isinstance(value, list) else []


def first_object(scope: Raw, *keys: str) -> Raw | None:
    """The object under the first of `keys` that holds one; None when none does."""
    return next((scope[key] for key in keys if isinstance(scope.get(key), dict)), None)


_DIGITS = re.compile(r"-?[0-9]{1,19}")


def as_int(value: Any, *, least: int = 0, most: int = 10**15) -> int | None:
    """A whole number, also when written as a string; None for anything else or out of bounds."""
    written = isinstance(value, str) and _DIGITS.fullmatch(value)
    if written or (isinstance(value, float) and value.is_integer()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if least <= value <= most else None


def as_size(value: Any) -> int | None:
    """A count of pixels or bytes; None also for zero, which is how TikTok says "unknown"."""
    return as_int(value) or None


def as_seconds(value: Any) -> float | None:
    """A duration in seconds, above zero and up to a day; None for anything else."""
    if isinstance(value, float) and 0 < value < 86_400:
        return value
    whole = as_int(value, most=86_400)
    return float(whole) if whole else None


def as_flag(value: Any) -> bool:
    """True for true and 1, also written as a string; False for anything else."""
    if isinstance(value, str):
        return value.strip().lower() in {"true", "1"}
    return value is True or (isinstance(value, int) and value == 1)


def as_id(value: Any) -> str | None:
    """An id as a string of 1-20 digits; ids come as strings, and in some dialects as numbers."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**20:
        return str(value)
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


_ID = re.compile(r"[1-9][0-9]{0,19}")

_FIRST_INSTANT = 1_000_000_000
_LAST_INSTANT = 0xFFFFFFFF


def as_instant(seconds: Any) -> datetime | None:
    """Unix seconds as an aware datetime, from 2001 to 2106; None for anything else."""
    value = as_int(seconds, least=_FIRST_INSTANT, most=_LAST_INSTANT)
    return None if value is None else datetime.fromtimestamp(value, UTC)


def as_instant_ms(milliseconds: Any) -> datetime | None:
    """Unix milliseconds as an aware datetime, from 2001 to 2106; None for anything else."""
    value = as_int(milliseconds, least=_FIRST_INSTANT * 1000, most=_LAST_INSTANT * 1000)
    if value is None:
        return None
    return datetime.fromtimestamp(value // 1000, UTC) + timedelta(milliseconds=value % 1000)


# Half of a surrogate pair cannot be stored, nor can NUL in every database; line ends may stay.
_UNSTORABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def as_text(value: Any, most: int, *, one_line: bool = False) -> str:
    """Text without characters that cannot be stored, cut to `most`; "" for anything else.

    one_line: white space of any kind becomes single spaces.
    """
    if not isinstance(value, str):
        return ""
    text = _UNSTORABLE.sub("", value[: most * 2]).replace("\r\n", "\n").replace("\r", "\n")
    if one_line:
        text = " ".join(text.split())
    return text[:most].strip()
