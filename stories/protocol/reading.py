"""Strict reading of JSON: every value by its place, type and bounds, and nothing beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

T = TypeVar("T")

PRINTABLE: Final = re.compile(r"[ -~]+")
"""Printable ASCII on one line: nothing that could end a header or a line of a log."""
_SHOWN: Final = 60


class PackRefused(Exception):
    """A document is not taken. str(): why, in a sentence without a full stop, for admins.

    reason: which kind of refusal, a bare word.
    """

    def __init__(self, reason: str, said: str) -> None:
        super().__init__(said)
        self.reason = reason


def shown(text: object) -> str:
    """A foreign text fit for a message: short, on one line, in plain letters."""
    plain = ascii(text) if not isinstance(text, str) or not PRINTABLE.fullmatch(text) else text
    return plain if len(plain) <= _SHOWN else f"{plain[:_SHOWN]}…"


def malformed(place: str, said: str) -> PackRefused:
    """The refusal of a value. place: as `hosts.media[2]`."""
    return PackRefused("malformed", f"{place}: {said}")


def load(text: bytes, max_bytes: int) -> Any:
    """Parsed JSON of at most so many bytes, without a name twice. Raises PackRefused."""
    if len(text) > max_bytes:
        raise PackRefused("too_large", f"it is larger than {max_bytes // 1024} KiB")

    def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise PackRefused("malformed", f"{shown(twice)}: it stands there twice")
        return values

    def no_number(name: str) -> Any:
        raise PackRefused("not_json", f"{name} is no JSON")

    try:
        return json.loads(
            text.decode("utf-8"), object_pairs_hook=each_once, parse_constant=no_number
        )
    except (ValueError, RecursionError) as error:
        raise PackRefused("not_json", "it is not JSON") from error


class Reader:
    """A JSON object whose fields are read by name. place: where it stands, "" for the whole.

    Every method raises PackRefused.
    """

    def __init__(self, value: object, place: str = "") -> None:
        if not isinstance(value, dict):
            raise malformed(place or "the document", "it is no object")
        self._values: dict[str, Any] = value
        self.place = place

    def at(self, name: str) -> str:
        """The place of a field."""
        return f"{self.place}.{name}" if self.place else name

    def only(self, *names: str) -> None:
        """Refuse fields of other names."""
        for name in self._values:
            if name not in names:
                raise PackRefused(
                    "unknown_field", f"{self.at(shown(name))}: there is no such field"
                )

    def get(self, name: str) -> Any:
        """A field's value, whatever it is."""
        if name not in self._values:
            raise malformed(self.at(name), "it is missing")
        return self._values[name]

    def has(self, name: str) -> bool:
        """Whether a field is there."""
        return name in self._values

    def inner(self, name: str) -> Reader:
        """The object in a field."""
        return Reader(self.get(name), self.at(name))

    def flag(self, name: str) -> bool:
        """A field that is true or false."""
        value = self.get(name)
        if not isinstance(value, bool):
            raise malformed(self.at(name), "it is neither true nor false")
        return value

    def whole(self, name: str, least: int, most: int) -> int:
        """A whole number within bounds."""
        value = self.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise malformed(self.at(name), f"it is no whole number from {least} to {most}")
        return value

    def text(self, name: str, least: int, most: int, form: re.Pattern[str] = PRINTABLE) -> str:
        """A text of so many characters, in this form."""
        return as_text(self.get(name), self.at(name), least, most, form)

    def entries(self, name: str, least: int, most: int) -> list[tuple[str, Any]]:
        """(place, value) of each entry of a list of so many."""
        value = self.get(name)
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise malformed(self.at(name), f"it is no list of {least} to {most} entries")
        return [(f"{self.at(name)}[{index}]", entry) for index, entry in enumerate(value)]

    def texts(
        self, name: str, counts: tuple[int, int], lengths: tuple[int, int], form: re.Pattern[str]
    ) -> tuple[str, ...]:
        """A list of different texts. counts, lengths: the least and the most."""
        entries = self.entries(name, *counts)
        read = (as_text(value, place, *lengths, form) for place, value in entries)
        return different(read, self.at(name))

    def mapping(self, name: str, most: int) -> Mapping[str, Any]:
        """The object in a field whose names are data, of at most so many."""
        value = self.get(name)
        if not isinstance(value, dict) or len(value) > most:
            raise malformed(self.at(name), f"it is no object of at most {most} entries")
        return value


def as_text(value: object, place: str, least: int, most: int, form: re.Pattern[str]) -> str:
    """A text of so many characters in this form. Raises PackRefused."""
    if not isinstance(value, str):
        raise malformed(place, "it is no text")
    if not least <= len(value) <= most:
        raise malformed(place, f"it does not have {least} to {most} characters")
    if value and not form.fullmatch(value):
        raise malformed(place, f"that cannot stand there: {shown(value)}")
    return value


def _itself(value: object) -> object:
    return value


def different(
    values: Iterable[T], place: str, key: Callable[[T], object] = _itself
) -> tuple[T, ...]:
    """The values, when no two have the same key. Raises PackRefused."""
    listed = tuple(values)
    if len({key(value) for value in listed}) != len(listed):
        raise malformed(place, "an entry stands there twice")
    return listed
