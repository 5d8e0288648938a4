"""PostgreSQL's own tools, of the right version, and a script that is sent without `psql`."""

from __future__ import annotations

import io
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection

from tests.factories import make_job, make_user
from webapp.backups import databases, postgresql
from webapp.backups.failures import BackupFailed, RestoreRefused
from webapp.backups.postgresql import PostgresqlDatabase


def tool(folder: Path, name: str, version: str) -> str:
    path = folder / version / name
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version} (Debian)'\n")
    path.chmod(0o755)
    return str(path)


def test_the_tool_nearest_to_the_server_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {version: tool(tmp_path, "pg_dump", version) for version in ("18.1", "15.4", "17.0")}
    monkeypatch.setattr(postgresql, "_candidates", lambda _name: list(found.values()))
    assert postgresql.tool_for("pg_dump", 150_014) == found["15.4"]
    assert postgresql.tool_for("pg_dump", 160_000) == found["17.0"]
    with pytest.raises(BackupFailed) as refused:
        postgresql.tool_for("pg_dump", 190_001)
    assert refused.value.reason == "old_tool"
    assert "is version 18, but the server is 19" in str(refused.value)


def test_without_a_tool_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "_candidates", lambda _name: [])
    with pytest.raises(BackupFailed) as refused:
        postgresql.tool_for("pg_dump", 170_000)
    assert refused.value.reason == "no_tool"
    assert "client of version 17" in str(refused.value)


def test_a_password_is_in_the_environment_alone_and_our_settings_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STORYKEEP_SECRET_KEY", "hidden")
    parameters = {"host": "db", "password": "pw", "dbname": "s", "sslmode": "require",
                  "cursor_factory": object, "keepalives": 1}  # fmt: skip
    environment = PostgresqlDatabase(parameters, set)._environment()
    assert environment["PGPASSWORD"] == "pw"
    assert environment["PGSSLMODE"] == "require"
    assert "STORYKEEP_SECRET_KEY" not in environment


class Recorded:
    """A connection that takes note."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def execute(self, text: bytes) -> None:
        self.said.append(text)

    def cursor(self) -> Recorded:
        return self

    copy = __call__ = lambda self, statement: self.said.append(statement) or self

    def write(self, piece: bytes) -> None:
        self.said.append(piece)

    def __enter__(self) -> Recorded:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def test_rows_go_as_rows_and_nothing_is_for_a_shell() -> None:
    script = (
        b"\\restrict abc\nSET transaction_timeout = 0;\nSET x = 1;\n"
        b"COPY public.a (b) FROM stdin;\n1\n\\.x\n\\.\n\nSELECT 1;\n\\! touch evil\n"
    )
    said = Recorded()
    postgresql._run(said, io.BytesIO(script))
    assert said.said == [
        b"SET x = 1;\n", b"COPY public.a (b) FROM stdin", b"1\n\\.x\n",
        b"\nSELECT 1;\n\\! touch evil\n",
    ]  # fmt: skip


# --- with a server --------------------------------------------------------------------------------


@pytest.fixture
def database() -> databases.Database:
    """The test's own database."""
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL")
    return databases.current()


@pytest.mark.django_db(transaction=True)
def test_who_leaves_in_that_moment_is_not_there(
    database: databases.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.close()
    looks: list[float] = []
    with psycopg.connect(**connection.get_connection_params()) as other:

        def leave(seconds: float) -> None:
            other.close()
            time.sleep(seconds)

        monkeypatch.setattr(postgresql, "time", SimpleNamespace(sleep=looks.append))
        assert database.is_in_use()
        assert len(looks) == postgresql.GONE_LOOKS - 1
        monkeypatch.setattr(postgresql, "time", SimpleNamespace(sleep=leave))
        assert not database.is_in_use()


def handing_on(content: bytes) -> Callable[[Callable[[bytes], object]], None]:
    def copy(put: Callable[[bytes], object]) -> None:
        put(content)

    return copy


def script_of(dump: bytes) -> str:
    """What a dump has in it, in words."""
    tool = postgresql.tool_for("pg_restore", 0)
    done = subprocess.run([tool, "-f", "-"], input=dump, capture_output=True, check=True)
    return done.stdout.decode()


@pytest.mark.django_db(transaction=True)
def test_a_dump_brings_everything_back(database: databases.Database, tmp_path: Path) -> None:
    make_job(make_user("alice"), links=2, note="tab\there\\. \\N 'quoted' ünï")
    cookie = SessionStore()
    cookie.save()
    with database.copy_to(tmp_path) as copy:
        dump = copy.read()
    assert dump.startswith(b"PGDMP")
    assert str(cookie.session_key) not in script_of(dump)
    assert not list(tmp_path.iterdir())
    assert database.expected_bytes() > 0
    assert "0001_initial" in database.migrations()["jobs"]
    make_user("bob")
    assert database.counts() == (["alice", "bob"], 1)
    connection.close()
    assert not database.is_in_use()
    database.restore(handing_on(dump), len(dump))
    assert database.counts() == (["alice"], 1)
    from jobs.models import Job

    assert Job.objects.get().note == "tab\there\\. \\N 'quoted' ünï"
    assert database.is_in_use()  # by that query's connection
    make_user("carol")  # sequences go on where they were


@pytest.mark.django_db(transaction=True)
def test_a_dump_of_an_earlier_version_signs_nobody_in(
    database: databases.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = SessionStore()
    cookie.save()
    with monkeypatch.context() as patched:
        patched.setattr(postgresql, "OF_ONE_MOMENT", frozenset())
        with database.copy_to(tmp_path) as copy:
            dump = copy.read()
    assert str(cookie.session_key) in script_of(dump)
    connection.close()
    database.restore(handing_on(dump), len(dump))
    assert not cookie.exists(str(cookie.session_key))


@pytest.mark.django_db(transaction=True)
def test_a_dump_that_breaks_leaves_everything(database: databases.Database, tmp_path: Path) -> None:
    make_job(make_user("alice"), links=2)
    with database.copy_to(tmp_path) as copy:
        dump = copy.read()
    connection.close()
    for broken in (b"no dump", dump[: len(dump) // 2], dump[:-10]):
        with pytest.raises(RestoreRefused):
            database.restore(handing_on(broken), len(broken))
        assert database.counts() == (["alice"], 1)


class LosingAnswers(psycopg.Connection[Any]):
    """A connection that breaks with the commit: before it, or when it is done."""

    is_done = True

    def commit(self) -> None:
        """Never say that it is done."""
        if self.is_done:
            super().commit()
        raise psycopg.OperationalError("server closed the connection unexpectedly")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_done", [True, False])
def test_a_commit_whose_answer_is_lost_is_told_as_it_was(
    database: databases.Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_done: bool,
) -> None:
    make_job(make_user("alice"), links=2)
    with database.copy_to(tmp_path) as copy:
        dump = copy.read()
    make_user("bob")
    connection.close()
    monkeypatch.setattr(LosingAnswers, "is_done", is_done)
    monkeypatch.setattr(psycopg, "connect", LosingAnswers.connect)
    if is_done:
        database.restore(handing_on(dump), len(dump))
    else:
        with pytest.raises(RestoreRefused):
            database.restore(handing_on(dump), len(dump))
    monkeypatch.undo()
    assert database.counts() == ((["alice"] if is_done else ["alice", "bob"]), 1)
