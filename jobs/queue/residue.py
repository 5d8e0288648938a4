"""Residue: words of rows that are gone, which a database's file may still hold.

SQLite overwrites what is deleted, but when it moves rows from one page to another it leaves copies
behind, and only writing the file anew removes them. Whoever deletes what must leave nothing says so
here, in the same transaction; `jobs/housekeeping/traces.py` does the rest.
"""

from __future__ import annotations

from typing import Final

from django.db import connection

_WRAP: Final = 2**31 - 1
"""SQLite keeps the number in four bytes of its header, as `user_version`."""


def note() -> None:
    """Have the database's file written anew before long. Call it in the deleting transaction."""
    if connection.vendor == "sqlite":
        _set(owed() % _WRAP + 1)


def owed() -> int:
    """A number that grows with each `note`; 0 when nothing is to be done, as on PostgreSQL."""
    if connection.vendor != "sqlite":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA user_version")
        (number,) = cursor.fetchone()
    return int(number)


def settle(number: int) -> None:
    """What was owed at this number is done; what came since stays owed. In a transaction."""
    if number and owed() == number:
        _set(0)


def _set(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA user_version = {number}")
