"""What stands in a sample in place of names, ids, times and tokens: each the same every time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

REFERENCE: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""The moment a recording began, in the time of its sample."""

_FIRST, _LAST = 1_000_000_000, 0xFFFF_FFFF
_SEC_UID: Final = "MS4wLjABAAAA"
# Of ten or thirteen digits this is no moment, and neither is the other of fewer.
_NINE, _TWO = "9", "2"


class Substitutes:
    """Replacements, made in the order they are first asked for. began_at: aware, the real time."""

    def __init__(self, began_at: datetime) -> None:
        self._shift_s = int(REFERENCE.timestamp()) - int(began_at.timestamp())
        self._names: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        self._tokens: dict[str, str] = {}
        self._hashes: dict[str, str] = {}

    # --- words --------------------------------------------------------------------------------

    def name(self, name: str) -> str:
        """In place of an account's name, whatever its case."""
        return self._names.setdefault(name.lower(), f"user{len(self._names) + 1}")

    def known_name(self, text: str) -> str | None:
        """In place of a text that is a name asked for before; None for any other text."""
        return self._names.get(text.lower())

    def token(self, text: str) -> str:
        """In place of a text that says nothing but which one it is."""
        return self._tokens.setdefault(text, f"t{len(self._tokens) + 1}")

    def sec_uid(self, text: str) -> str:
        """In place of an account's long id."""
        return f"{_SEC_UID}{self._hash(text, 43)}"

    def hex_32(self, text: str) -> str:
        """In place of 32 hexadecimal digits."""
        return self._hash(text, 32)

    def _hash(self, text: str, size: int) -> str:
        return self._hashes.setdefault(text, f"{len(self._hashes) + 1:0{size}d}")

    # --- numbers ------------------------------------------------------------------------------

    def item_id(self, digits: str) -> str:
        """In place of an id. A time in its upper 32 bits is shifted like any other."""
        known = self._ids.get(digits)
        if known is not None:
            return known
        number, serial = int(digits), len(self._ids) + 1
        if _FIRST <= number >> 32 <= _LAST:
            made = str((self.seconds(number >> 32) << 32) + serial)
        else:
            size = len(digits)
            made = str(10 ** (size - 1) + serial % 10 ** (size - 1))
        return self._ids.setdefault(digits, made)

    def seconds(self, moment: int) -> int:
        """In place of Unix seconds within 2001 to 2106, where it stays."""
        return min(max(moment + self._shift_s, _FIRST), _LAST)

    def number(self, number: int, *, is_id: bool = False) -> int:
        """In place of a whole number that is nobody's business.

        A moment in seconds or milliseconds is shifted, an id replaced; of any other number the sign
        and the count of digits stay, and neither of them begins to be one.
        """
        size = abs(number)
        if size <= 1:
            return number
        digits = str(size)
        if len(digits) >= _ID_DIGITS or (is_id and len(digits) >= _SHORT_ID_DIGITS):
            made = int(self.item_id(digits))
        elif _FIRST <= number <= _LAST:
            made = self.seconds(number)
        elif _FIRST * 1000 <= number <= _LAST * 1000:
            made = self.seconds(number // 1000) * 1000 + number % 1000
        else:
            made = int((_NINE if len(digits) in {10, 13} else _TWO) * len(digits))
        return made if number > 0 else -made

    def moment(self, at: datetime) -> datetime:
        """In place of an aware time."""
        return (at + timedelta(seconds=self._shift_s)).astimezone(UTC)


_ID_DIGITS: Final = 15
_SHORT_ID_DIGITS: Final = 5

_DIGITS = re.compile(r"-?[0-9]{1,400}")


def is_digits(text: str) -> bool:
    """Whether a text is a whole number of up to 400 digits."""
    return _DIGITS.fullmatch(text) is not None
