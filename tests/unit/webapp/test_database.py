"""New connections: limits on PostgreSQL, and a look at the schema before anything else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, OperationalError, connection
from django.db.models.signals import post_migrate, pre_migrate

from jobs.ops import schema
from webapp import database

on_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite is on this machine"
)


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[None]:
    """A process that has not looked at the schema yet."""
    monkeypatch.setattr(database._Process, "schema_is_fit", False)
    monkeypatch.setattr(database._Process, "statement_s", database.STATEMENT_S)
    connection.close()
    yield
    monkeypatch.undo()
    connection.close()


def setting(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", [name])
        return str(cursor.fetchone()[0])


@pytest.mark.usefixtures("process")
def test_a_newer_database_is_not_touched(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schema, "unknown_migrations", lambda: ["jobs.9999_of_tomorrow"])
    with pytest.raises(SystemExit) as end:
        database.leave_if_newer()
    assert end.value.code == 2
    assert "jobs.9999_of_tomorrow" in capsys.readouterr().err
    connection.close()
    with pytest.raises(schema.NewerDatabase):
        connection.ensure_connection()


@pytest.mark.usefixtures("process")
def test_a_process_that_found_it_fit_goes_on_while_a_newer_version_migrates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database.leave_if_newer()
    monkeypatch.setattr(schema, "unknown_migrations", lambda: ["jobs.9999_of_tomorrow"])
    connection.ensure_connection()
    database.leave_if_newer()


@pytest.mark.usefixtures("process")
def test_a_database_that_is_away_is_waited_for_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(connection, "connect", away)
    database.leave_if_newer()
    with pytest.raises(DatabaseError):
        connection.ensure_connection()


@on_postgresql
@pytest.mark.usefixtures("process")
def test_a_session_has_limits() -> None:
    assert setting("statement_timeout") == "2min"
    assert setting("lock_timeout") == "30s"
    assert setting("idle_in_transaction_session_timeout") == "1min"
    options: Any = settings.DATABASES["default"]["OPTIONS"]
    assert (options["connect_timeout"], options["tcp_user_timeout"]) == (5, 15_000)
    database.people_wait()
    connection.close()
    assert setting("statement_timeout") == "30s"


@on_postgresql
@pytest.mark.usefixtures("process")
def test_a_migration_takes_as_long_as_it_takes() -> None:
    assert pre_migrate.has_listeners()
    assert post_migrate.has_listeners()
    database._before_migrations(using="default")
    assert setting("statement_timeout") == "0"
    assert setting("idle_in_transaction_session_timeout") == "0"
    database._after_migrations(using="default")
    assert setting("statement_timeout") == "2min"
