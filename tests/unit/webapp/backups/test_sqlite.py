"""A copy of SQLite is consistent while others write; a restore brings all of it or nothing."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from webapp.backups import sqlite
from webapp.backups.failures import BackupFailed, RestoreRefused
from webapp.backups.sqlite import SqliteDatabase

TABLES = """
CREATE TABLE auth_user (id integer PRIMARY KEY, username text);
CREATE TABLE jobs_job (id integer PRIMARY KEY, note text);
CREATE TABLE accounts_setuplink (id integer);
CREATE TABLE django_migrations (id integer PRIMARY KEY, app text, name text, applied text);
INSERT INTO django_migrations (app, name) VALUES ('jobs', '0001_initial'), ('jobs', '0002_more');
INSERT INTO accounts_setuplink VALUES (1);
CREATE TABLE django_session (session_key text PRIMARY KEY, session_data text);
INSERT INTO django_session VALUES ('a cookie of hers', hex(zeroblob(100000)));
"""


def make(path: Path, *names: str, wal: bool = True) -> SqliteDatabase:
    database = sqlite3.connect(path, isolation_level=None)
    if wal:
        database.execute("PRAGMA journal_mode=WAL")
    database.executescript(TABLES)
    for name in names:
        database.execute("INSERT INTO auth_user (username) VALUES (?)", [name])
    database.close()
    return SqliteDatabase(path)


def copy_of(database: SqliteDatabase, folder: Path) -> Callable[[Callable[[bytes], object]], None]:
    with database.copy_to(folder) as file:
        content = file.read()
    return lambda put: (put(content), None)[1]


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    database = sqlite3.connect(path)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


@pytest.fixture(autouse=True)
def migrated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses of databases that were to be brought up to date; integration tests do it."""
    addresses: list[str] = []
    monkeypatch.setattr(sqlite, "migrate", addresses.append)
    return addresses


def test_a_copy_has_no_name_and_nothing_of_what_was_deleted(tmp_path: Path) -> None:
    database = make(tmp_path / "d.sqlite3", "alice")
    with sqlite3.connect(database.path) as other:
        other.execute("PRAGMA secure_delete=OFF")
        other.execute("INSERT INTO jobs_job (note) VALUES ('forgotten words')")
        other.commit()
        other.execute("DELETE FROM jobs_job")
    other.close()
    with database.copy_to(tmp_path) as copy:
        assert {path.name.partition("-")[0] for path in tmp_path.iterdir()} == {"d.sqlite3"}
        content = copy.read()
    assert content.startswith(b"SQLite format 3")
    assert b"alice" in content
    assert b"forgotten words" not in content
    assert b"a cookie of hers" not in content
    assert bytes(2000).hex().encode() not in content
    assert database.expected_bytes() == pytest.approx(len(content), abs=8192)
    assert database.migrations() == {"jobs": ["0001_initial", "0002_more"]}


def test_a_copy_is_of_one_moment_while_others_write(tmp_path: Path) -> None:
    database = make(tmp_path / "d.sqlite3")
    stop, written = threading.Event(), threading.Event()

    def write() -> None:
        other = sqlite3.connect(database.path, timeout=30)
        for number in range(1, 100_000):
            with other:  # always two at once
                other.execute("INSERT INTO auth_user (username) VALUES (?)", [f"p{number}"])
                other.execute("INSERT INTO jobs_job (note) VALUES (?)", ["x" * 500])
            written.set()
            if stop.is_set():
                break
        other.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert written.wait(10)
        for number in range(5):
            path = tmp_path / f"copy{number}"
            with database.copy_to(tmp_path) as copy:
                path.write_bytes(copy.read())
            [(people, jobs)] = rows(
                path, "SELECT (SELECT count(*) FROM auth_user), (SELECT count(*) FROM jobs_job)"
            )
            assert people == jobs != 0
            assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    finally:
        stop.set()
        writer.join()


def test_no_database_and_one_that_is_none_are_said(tmp_path: Path) -> None:
    assert not SqliteDatabase(tmp_path / "none").is_there
    with pytest.raises(BackupFailed) as refused:
        SqliteDatabase(tmp_path / "none").copy_to(tmp_path)
    assert refused.value.reason == "database"
    (tmp_path / "text").write_text("no database" * 100)
    with pytest.raises(BackupFailed):
        SqliteDatabase(tmp_path / "text").expected_bytes()
    with pytest.raises(BackupFailed):
        make(tmp_path / "d.sqlite3").copy_to(tmp_path / "away")


def test_people_and_jobs_are_counted(tmp_path: Path) -> None:
    assert make(tmp_path / "d.sqlite3", "alice", "bob").counts() == (["alice", "bob"], 0)
    assert SqliteDatabase(tmp_path / "none").counts() == ([], 0)
    (tmp_path / "empty").touch()
    assert SqliteDatabase(tmp_path / "empty").counts() == ([], 0)
    (tmp_path / "text").write_text("no database" * 100)
    with pytest.raises(RestoreRefused):
        SqliteDatabase(tmp_path / "text").counts()


def test_whether_somebody_has_it_open_is_seen(tmp_path: Path) -> None:
    database = make(tmp_path / "d.sqlite3", "alice")
    assert not database.is_in_use()
    other = sqlite3.connect(database.path)
    other.execute("SELECT * FROM auth_user").fetchall()
    assert database.is_in_use()
    other.close()
    assert not database.is_in_use()
    assert rows(database.path, "PRAGMA journal_mode") == [("wal",)]


def test_it_replaces_everything_also_under_those_who_have_it_open(
    tmp_path: Path, migrated: list[str]
) -> None:
    theirs = make(tmp_path / "theirs.sqlite3", "alice", wal=False)
    ours = make(tmp_path / "my dàta%.sqlite3", "somebody", "else")
    other = sqlite3.connect(ours.path)
    other.execute("CREATE TABLE of_a_newer_version (x)")
    assert other.execute("SELECT count(*) FROM auth_user").fetchone() == (2,)
    # As an earlier version copied it, with all that is in it.
    ours.restore(just(theirs.path.read_bytes()), 100)
    assert other.execute("SELECT username FROM auth_user").fetchall() == [("alice",)]
    assert other.execute("SELECT count(*) FROM accounts_setuplink").fetchone() == (0,)
    assert other.execute("SELECT count(*) FROM django_session").fetchone() == (0,)
    assert b"a cookie of hers" not in ours.path.read_bytes()
    with pytest.raises(sqlite3.OperationalError):
        other.execute("SELECT * FROM of_a_newer_version")
    other.close()
    assert rows(ours.path, "SELECT name FROM django_migrations WHERE app = 'storykeep'")
    assert len(migrated) == 1
    assert not list(tmp_path.glob(".restoring*"))


def test_where_there_is_none_it_is_made_private(tmp_path: Path) -> None:
    theirs = make(tmp_path / "theirs.sqlite3", "alice")
    ours = SqliteDatabase(tmp_path / "data" / "storykeep.sqlite3")
    ours.restore(copy_of(theirs, tmp_path), 100)
    assert ours.counts() == (["alice"], 0)
    assert ours.path.stat().st_mode & 0o777 == 0o600


def just(content: bytes) -> Callable[[Callable[[bytes], object]], None]:
    return lambda put: (put(content), None)[1]


def test_whatever_goes_wrong_it_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = make(tmp_path / "d.sqlite3", "somebody")
    make(tmp_path / "theirs.sqlite3", "alice", wal=False)
    good = (tmp_path / "theirs.sqlite3").read_bytes()

    def breaks_off(put: Callable[[bytes], object]) -> None:
        put(good[:5000])
        raise RestoreRefused("damaged", "database.sqlite3")

    broken = good[:8192] + bytes(4096) + good[12288:]
    empty = tmp_path / "empty.sqlite3"
    sqlite3.connect(empty).execute("CREATE TABLE x (y)").connection.close()
    for copy in (
        breaks_off,
        just(b"text"),
        just(broken),
        just(good[:9000]),
        just(empty.read_bytes()),
    ):
        with pytest.raises(RestoreRefused):
            ours.restore(copy, 100)
        assert ours.counts() == (["somebody"], 0)
    with pytest.raises(RestoreRefused) as refused:
        ours.restore(just(good), 2**60)
    assert refused.value.reason == "no_room"

    def fails(_url: str) -> None:
        raise RestoreRefused("database", "a migration failed")

    monkeypatch.setattr(sqlite, "migrate", fails)
    with pytest.raises(RestoreRefused):
        ours.restore(just(good), 100)
    assert ours.counts() == (["somebody"], 0)
    assert not list(tmp_path.glob(".restoring*"))


def test_who_holds_the_database_for_long_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_S", 0.1)
    ours, theirs = make(tmp_path / "d.sqlite3", "x"), make(tmp_path / "theirs.sqlite3", "alice")
    copy = copy_of(theirs, tmp_path)
    other = sqlite3.connect(ours.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RestoreRefused) as refused:
        ours.restore(copy, 100)
    assert refused.value.reason == "database"
    other.execute("ROLLBACK")
    other.close()
    assert ours.counts() == (["x"], 0)
