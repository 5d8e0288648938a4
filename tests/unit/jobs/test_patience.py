"""Patience: shortened for SQLite, lifted for PostgreSQL, and as before afterwards."""

from __future__ import annotations

import pytest
from django.db import connection

from jobs import patience
from tests.unit.jobs.database_work import on_sqlite

pytestmark = pytest.mark.django_db


def asked(statement: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


@on_sqlite
def test_it_is_short_for_a_while() -> None:
    usual = asked("PRAGMA busy_timeout")
    with patience.at_most(7):
        assert asked("PRAGMA busy_timeout") == 7
    assert asked("PRAGMA busy_timeout") == usual != 7


@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL alone ends statements")
def test_a_statement_takes_as_long_as_it_takes() -> None:
    usual = asked("SELECT current_setting('statement_timeout')")
    with patience.unlimited():
        assert asked("SELECT current_setting('statement_timeout')") == "0"
    assert asked("SELECT current_setting('statement_timeout')") == usual


def test_where_there_is_nothing_to_set_nothing_is_set() -> None:
    with patience.at_most(1000), patience.unlimited():
        assert asked("SELECT 1") == 1
