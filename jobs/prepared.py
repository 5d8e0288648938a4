"""Prepared queries: a queryset whose SQL is compiled once, and run with other arguments each time.

Building and compiling a queryset costs the ORM more than our small queries cost the database. The
SQL stays the ORM's own, so that it is right for every database the ORM knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from django.db import connection
from django.db.models import (
    DateTimeField,
    Expression,
    Field,
    IntegerField,
    QuerySet,
    TextField,
    UUIDField,
)

Row: TypeAlias = tuple[Any, ...]
_Convert: TypeAlias = Callable[[Any], Any]

# --- places of arguments --------------------------------------------------------------------------


class _Slot(Expression):
    """The places of `count` arguments in a row, from the argument `first` on.

    count: None for one by itself; a number makes the list of so many that `__in` takes.
    """

    def __init__(self, first: int, output_field: Field[Any, Any], count: int | None = None) -> None:
        super().__init__(output_field=output_field)
        self.first, self.count = first, count

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """Placeholders, whose parameters say which arguments belong there."""
        if self.count is None:
            return "%s", (_Place(self.first, self.output_field),)
        places = range(self.first, self.first + self.count)
        marks = ", ".join("%s" for _ in places)
        return f"({marks})", tuple(_Place(index, self.output_field) for index in places)


@dataclass(frozen=True, slots=True)
class _Place:
    """A parameter that is the argument `index`, as values of the field are given to a database."""

    index: int
    field: Field[Any, Any]


def id_slot(index: int) -> Any:
    """The place of an argument that is an id; it goes into a queryset where the id would."""
    return _Slot(index, UUIDField())


def ids_slot(first: int, count: int) -> Any:
    """The place of the `count` arguments from `first` on, all of them ids, as `__in` takes them."""
    return _Slot(first, UUIDField(), count)


def number_slot(index: int) -> Any:
    """The place of an argument that is an integer."""
    return _Slot(index, IntegerField())


def text_slot(index: int) -> Any:
    """The place of an argument that is text; also one that other text starts with or contains."""
    return _Slot(index, TextField())


def time_slot(index: int) -> Any:
    """The place of an argument that is an aware datetime."""
    return _Slot(index, DateTimeField())


_ID_COUNTS: Final = (1, 2, 5, 10, 20, 50)


def padded(ids: Sequence[UUID]) -> list[UUID]:
    """The ids, the last one repeated, so that few different numbers of them are ever compiled."""
    count = next((count for count in _ID_COUNTS if count >= len(ids)), len(ids))
    return [*ids, *(ids[-1] for _ in range(count - len(ids)))]


# --- queries --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Compiled:
    """sql: with placeholders. params: places and constants. converters: one of a column's position
    and what makes a Python value of what the database returns, for each column that needs one."""

    sql: str
    params: tuple[Any, ...]
    converters: tuple[tuple[int, _Convert], ...]


class PreparedQuery:
    """The rows of a queryset with slots, for arguments that take their places.

    build: given the number of arguments, returns a queryset made by `values_list`, with a slot for
    each of them. It is called once for each number and each kind of database, so it may not depend
    on anything else. For any thread.
    """

    def __init__(self, build: Callable[[int], QuerySet[Any, Any]]) -> None:
        self._build = build
        self._compiled: dict[tuple[str, int], _Compiled] = {}

    def rows(self, *arguments: object) -> list[Row]:
        """All rows, as the queryset itself would return them with these arguments in its slots.

        Raises ValueError when there are more or fewer arguments than slots.
        """
        compiled = self._statement(len(arguments))
        with connection.cursor() as cursor:
            cursor.execute(compiled.sql, _filled(compiled.params, arguments))
            rows: list[Row] = cursor.fetchall()
        return _converted(rows, compiled.converters)

    def first(self, *arguments: object) -> Row | None:
        """The first of `rows`, None when there is none. Limit what may have many.

        Raises ValueError when there are more or fewer arguments than slots.
        """
        compiled = self._statement(len(arguments))
        with connection.cursor() as cursor:
            cursor.execute(compiled.sql, _filled(compiled.params, arguments))
            row: Row | None = cursor.fetchone()
        if row is None or not compiled.converters:
            return row
        return _converted([row], compiled.converters)[0]

    def _statement(self, arguments: int) -> _Compiled:
        key = (connection.vendor, arguments)
        compiled = self._compiled.get(key)
        if compiled is None:  # two threads may both compile it, to the same end
            compiled = self._compiled[key] = _compile(self._build(arguments), arguments)
        return compiled


def _filled(params: Sequence[Any], arguments: Sequence[object]) -> list[Any]:
    return [
        param.field.get_db_prep_value(arguments[param.index], connection)
        if isinstance(param, _Place)
        else param
        for param in params
    ]


def _compile(rows: QuerySet[Any, Any], arguments: int) -> _Compiled:
    compiler = rows.query.get_compiler(connection=connection)
    sql, params = compiler.as_sql()
    if {param.index for param in params if isinstance(param, _Place)} != set(range(arguments)):
        raise ValueError(f"{arguments} arguments need a slot each, and no more slots than that")
    converters = compiler.get_converters([expression for expression, _, _ in compiler.select])
    return _Compiled(
        sql,
        tuple(params),
        tuple(
            (position, _quick(expression) or _chained(steps, expression))
            for position, (steps, expression) in converters.items()
        ),
    )


def _quick(column: Any) -> _Convert | None:
    """A converter for a type SQLite has no value for, a tenth as dear as the ORM's; else None.

    The values are those `django.db.backends.sqlite3` writes: 32 hexadecimal digits, and UTC
    without saying so.
    """
    if connection.vendor != "sqlite":  # others return such values themselves
        return None
    return _SQLITE.get(column.output_field.get_internal_type())


def _utc(written: datetime | str) -> datetime:
    # A column comes as a datetime, what SQL has computed as text.
    naive = datetime.fromisoformat(written) if isinstance(written, str) else written
    return naive.replace(tzinfo=UTC)


_SQLITE: Final[dict[str, _Convert]] = {"DateTimeField": _utc, "UUIDField": UUID}


def _chained(steps: Sequence[Callable[..., Any]], column: Any) -> _Convert:
    """The ORM's own converters of a column as one. They may not need the connection's state."""

    def convert(value: Any) -> Any:
        for step in steps:
            value = step(value, column, connection)
        return value

    return convert


def _converted(rows: list[Row], converters: Sequence[tuple[int, _Convert]]) -> list[Row]:
    if not rows or not converters:
        return rows
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
    for position, convert in converters:
        column = columns[position]
        # Ids and times of a job repeat: each is made once, and shared.
        values = {value: None if value is None else convert(value) for value in set(column)}
        columns[position] = [values[value] for value in column]
    return list(zip(*columns, strict=True))
