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
from django.db.models import Expression, Field, QuerySet, UUIDField

Row: TypeAlias = tuple[Any, ...]
_Convert: TypeAlias = Callable[[Any], Any]


class Slot(Expression):
    """The place of an argument in a queryset that is compiled once. index: of the argument."""

    def __init__(self, index: int, output_field: Field[Any, Any]) -> None:
        super().__init__(output_field=output_field)
        self.index = index

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """A placeholder, whose parameter is this slot itself until there is an argument."""
        return "%s", (self,)


def id_slots(count: int, first: int = 0) -> list[UUID]:
    """Ids that stand for `count` arguments, from the argument `first` on.

    They are ids because a list of them, as `job_id__in` takes it, may hold nothing else.
    """
    return [UUID(int=_FIRST_ID + index) for index in range(first, first + count)]


_FIRST_ID: Final = 0x51075 << 64  # no random id begins with so many zeros
_IDS: Final[UUIDField[UUID, UUID]] = UUIDField()


@dataclass(frozen=True, slots=True)
class _Compiled:
    """sql: with placeholders. params: slots and constants. converters: one of a column's position
    and what makes a Python value of what the database returns, for each column that needs one."""

    sql: str
    params: tuple[Any, ...]
    converters: tuple[tuple[int, _Convert], ...]


class PreparedQuery:
    """The rows of a queryset with slots, for arguments that take their places.

    build: given the number of arguments, returns a queryset made by `values_list` with a Slot, or
    one of the `id_slots`, for each of them. It is called once for each number and each kind of
    database, so it may not depend on anything else.
    """

    def __init__(self, build: Callable[[int], QuerySet[Any, Any]]) -> None:
        self._build = build
        self._compiled: dict[tuple[str, int], _Compiled] = {}

    def rows(self, *arguments: object) -> list[Row]:
        """All rows, as the queryset itself would return them with these arguments in its slots."""
        key = (connection.vendor, len(arguments))
        compiled = self._compiled.get(key)
        if compiled is None:  # two threads may both compile it, to the same end
            compiled = self._compiled[key] = _compile(self._build(len(arguments)), len(arguments))
        params = [
            param.output_field.get_db_prep_value(arguments[param.index], connection)
            if isinstance(param, Slot)
            else param
            for param in compiled.params
        ]
        with connection.cursor() as cursor:
            cursor.execute(compiled.sql, params)
            rows: list[Row] = cursor.fetchall()
        return _converted(rows, compiled.converters)


_ID_COUNTS: Final = (1, 2, 5, 10, 20, 50)


def padded(ids: Sequence[UUID]) -> list[UUID]:
    """The ids, the last one repeated, so that few different numbers of them are ever compiled."""
    count = next((count for count in _ID_COUNTS if count >= len(ids)), len(ids))
    return [*ids, *(ids[-1] for _ in range(count - len(ids)))]


def _compile(rows: QuerySet[Any, Any], arguments: int) -> _Compiled:
    compiler = rows.query.get_compiler(connection=connection)
    sql, params = compiler.as_sql()
    ids = {
        _IDS.get_db_prep_value(slot, connection): Slot(index, _IDS)
        for index, slot in enumerate(id_slots(arguments))
    }
    columns = [expression for expression, _, _ in compiler.select]
    converters = compiler.get_converters(columns)
    return _Compiled(
        sql,
        tuple(param if isinstance(param, Slot) else ids.get(param, param) for param in params),
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
