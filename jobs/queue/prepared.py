"""Reads that are compiled once. Building a query takes Django several times what running it takes,
and a few of them are run for every batch of files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

_Encoder = Callable[[Any], Any]
_Slot = tuple[str, _Encoder] | None


def _as_it_is(value: Any) -> Any:
    return value


def _hexadecimal(value: Any) -> Any:
    return value.hex if isinstance(value, UUID) else None


def _start_of_like(value: Any) -> Any:
    return f"{connection.ops.prep_for_like_query(value)}%" if isinstance(value, str) else None


_ENCODERS: Final[Sequence[_Encoder]] = (_as_it_is, _hexadecimal, _start_of_like)
"""Forms in which a value gets into a statement: SQLite has no UUIDs, and `startswith` is LIKE."""


class PreparedRow:
    """The first row of a query that is run often, with other values each time.

    build: makes the query from the values, by name; of columns that need no conversion (numbers,
    booleans). samples: values to compile it with, unlike each other and all that the query says
    besides; the values it is run with are ids, numbers, or texts that others start with.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Any]], **samples: Any) -> None:
        self._build, self._samples = build, samples
        self._compiled: dict[str, tuple[str, Sequence[Any], Sequence[_Slot]]] = {}

    def first(self, **values: Any) -> tuple[Any, ...] | None:
        """The row for these values, under the names of the samples; None when there is none."""
        sql, params, slots = self._statement()
        filled = [
            slot[1](values[slot[0]]) if slot else param
            for param, slot in zip(params, slots, strict=True)
        ]
        with connection.cursor() as cursor:
            cursor.execute(sql, filled)
            row: tuple[Any, ...] | None = cursor.fetchone()
        return row

    def _statement(self) -> tuple[str, Sequence[Any], Sequence[_Slot]]:
        vendor = connection.vendor
        if vendor not in self._compiled:
            query = self._build(**self._samples).query
            sql, params = query.get_compiler(connection=connection).as_sql()
            slots = [_slot_of(param, self._samples) for param in params]
            if {slot[0] for slot in slots if slot} != set(self._samples):
                raise ValueError("a sample is not in the statement as it was given")
            self._compiled[vendor] = (sql, params, slots)
        return self._compiled[vendor]


def _slot_of(param: Any, samples: Mapping[str, Any]) -> _Slot:
    """The name of the sample that a parameter is, and how values get its form; None for others."""
    form = type(param)  # psycopg has numbers of its own, which say how wide a column is
    for name, sample in samples.items():
        for encode in _ENCODERS:
            encoded = encode(sample)
            if type(encoded) is form and encoded == param:
                return name, encode
            if isinstance(param, int) and type(encoded) is int and encoded == param:
                return name, form
    return None
