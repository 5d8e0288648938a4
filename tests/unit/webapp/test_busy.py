"""A database that is locked or away: 503 with Retry-After wherever it is met, and never 500."""

from __future__ import annotations

import errno
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import (
    DatabaseError,
    InterfaceError,
    InternalError,
    OperationalError,
    connection,
    connections,
)
from django.test import Client

import manage
from accounts import tokens
from jobs.models import Job
from tests.factories import make_user
from webapp.busy import RETRY_AFTER_S, RETRY_FULL_AFTER_S, trouble

PASSWORD = "alicealice"


def raised(error: Exception, cause: Exception | None) -> Exception:
    error.__cause__ = cause
    return error


def postgresql(state: str | None) -> Exception:
    cause = Exception("what the server said")
    cause.sqlstate = state  # type: ignore[attr-defined]
    return cause


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        pytest.param("40P01", "busy", id="a deadlock"),
        pytest.param("40001", "busy", id="could not serialize"),
        pytest.param("53300", "busy", id="too many connections"),
        pytest.param("55P03", "busy", id="a lock that was not to be had"),
        pytest.param("57P01", "busy", id="the server is shut down"),
        pytest.param("57P03", "busy", id="the server starts"),
        pytest.param("57014", "busy", id="a statement that took too long"),
        pytest.param("25P03", "busy", id="a transaction that stood too long"),
        pytest.param("08006", "busy", id="the connection broke"),
        pytest.param(None, "busy", id="no answer at all"),
        pytest.param("53100", "cannot_write", id="its disk is full"),
        pytest.param("58030", "cannot_write", id="its disk fails"),
        pytest.param("42P01", "", id="no such table"),
        pytest.param("22003", "", id="a number out of range"),
    ],
)
def test_what_postgresql_says(state: str | None, kind: str) -> None:
    assert trouble(raised(OperationalError("…"), postgresql(state))) == kind


def test_a_postgresql_that_only_reads() -> None:
    """A replica, as after a failover; the driver calls it an internal error."""
    assert trouble(raised(InternalError("…"), postgresql("25006"))) == "cannot_write"
    assert trouble(raised(InternalError("…"), postgresql("25P03"))) == "busy"
    # What comes after an error that was passed over in a transaction is a bug of ours.
    assert trouble(raised(InternalError("…"), postgresql("25P02"))) == ""


def test_a_connection_that_was_closed_meanwhile() -> None:
    assert trouble(raised(InterfaceError("the connection is closed"), postgresql(None))) == "busy"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ENOSPC, "cannot_write"),
        (errno.EROFS, "cannot_write"),
        (errno.EDQUOT, "cannot_write"),
        (errno.EIO, "cannot_write"),
        (errno.ENOENT, ""),
        (errno.EPERM, ""),
    ],
)
def test_what_a_disk_says(code: int, kind: str) -> None:
    assert trouble(OSError(code, "…")) == kind


def test_what_is_a_bug() -> None:
    assert not trouble(raised(DatabaseError("…"), postgresql("57014")))
    assert not trouble(raised(InternalError("…"), postgresql(None)))
    assert not trouble(OperationalError("made up, by nobody's driver"))
    assert not trouble(ValueError("database is locked"))


def test_a_table_that_is_missing_is_a_bug() -> None:
    with sqlite3.connect(":memory:") as database, pytest.raises(sqlite3.Error) as caught:
        database.execute("SELECT * FROM nothing")
    database.close()
    assert not trouble(raised(OperationalError("no such table"), caught.value))


# --- SQLite, held ---------------------------------------------------------------------------------


@pytest.fixture
def alice(transactional_db: None) -> User:
    """Alice, whose password is known."""
    cache.clear()  # wrong passwords of other tests are counted
    return make_user("alice")


@pytest.fixture
def held(alice: User) -> Iterator[sqlite3.Connection]:
    """SQLite while a backup holds it; every statement of ours gives up after 50 ms."""
    if connection.vendor != "sqlite":
        pytest.skip("SQLite alone has one lock for all")
    path = str(connection.settings_dict["NAME"])
    if not Path(path).is_file():
        pytest.skip("in memory")
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 50")
    backup = sqlite3.connect(path, isolation_level=None)
    yield backup
    if backup.in_transaction:
        backup.execute("ROLLBACK")
    backup.close()
    connection.close()


def begin(backup: sqlite3.Connection) -> None:
    backup.execute("BEGIN EXCLUSIVE")


def check_page(response: Any) -> None:
    assert response.status_code == 503
    assert response.headers["Retry-After"] == str(RETRY_AFTER_S)
    assert response.headers["Cache-Control"] == "no-store"
    assert "Busy for a moment" in response.content.decode()


def browser_of(user: User) -> Client:
    browser = Client(raise_request_exception=False)
    browser.force_login(user)
    return browser


def test_a_submission_by_api_while_a_backup_holds_sqlite(
    alice: User, held: sqlite3.Connection
) -> None:
    headers = {"Authorization": f"Bearer {tokens.create(alice, 'phone')}"}
    begin(held)
    response = Client(raise_request_exception=False).post(
        "/api/v1/jobs",
        {"text": "@corner.bakery"},
        content_type="application/json",
        headers=headers,
    )
    assert response.status_code == 503
    assert response.headers["Retry-After"] == str(RETRY_AFTER_S)
    error = response.json()["error"]
    assert (error["code"], error["retryable"]) == ("busy", True)
    assert error["retry_after_s"] == RETRY_AFTER_S
    held.execute("ROLLBACK")
    assert not Job.objects.exists()


def test_a_paste_while_a_backup_holds_sqlite(alice: User, held: sqlite3.Connection) -> None:
    browser = browser_of(alice)
    begin(held)
    check_page(browser.post("/", {"text": "@corner.bakery"}))
    held.execute("ROLLBACK")
    assert browser.post("/", {"text": "@corner.bakery"}).status_code == 302


def test_reading_goes_on_while_a_backup_holds_sqlite(alice: User, held: sqlite3.Connection) -> None:
    browser = browser_of(alice)
    browser.post("/", {"text": "@corner.bakery"})
    job = Job.objects.get()
    headers = {"Authorization": f"Bearer {tokens.create(alice, 'phone')}"}
    begin(held)
    for path in ("/", f"/jobs/{job.pk}/", f"/jobs/{job.pk}/progress/", "/history/"):
        assert browser.get(path).status_code == 200
    assert Client().get(f"/api/v1/jobs/{job.pk}", headers=headers).status_code == 200


def test_signing_in_while_a_backup_holds_sqlite(alice: User, held: sqlite3.Connection) -> None:
    begin(held)
    browser = Client(raise_request_exception=False)
    check_page(browser.post("/login/", {"login": "alice", "password": PASSWORD}))


def test_an_act_of_an_admin_while_a_backup_holds_sqlite(held: sqlite3.Connection) -> None:
    browser = browser_of(User.objects.create_superuser("admin"))
    begin(held)
    person = {"username": "bob", "usable_password": "false"}
    check_page(browser.post("/admin/auth/user/add/", person))


def test_a_poll_while_even_reading_is_not_possible(
    alice: User, held: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session is read by a middleware, outside of any view."""
    browser = browser_of(alice)

    def locked(*_: Any, **__: Any) -> None:
        if not held.in_transaction:
            begin(held)
        connection.cursor().execute("BEGIN IMMEDIATE")

    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.load", locked)
    check_page(browser.get("/history/"))


def test_a_database_that_is_busy_is_no_error_in_the_log(
    alice: User, held: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    browser = browser_of(alice)
    begin(held)
    browser.post("/", {"text": "@corner.bakery"})
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    assert "corner.bakery" not in caplog.text


# --- SQLite, on a full disk -----------------------------------------------------------------------


@pytest.fixture
def fill(alice: User) -> Iterator[Callable[[], None]]:
    """`fill()`: from now on SQLite may not grow by a single page; it stays readable."""
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's full disk is in tests/chaos")

    def full() -> None:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")  # else what other tests deleted would be room
            cursor.execute("PRAGMA max_page_count = 1")

    yield full
    connection.close()


def check_full(response: Any) -> None:
    assert response.status_code == 503
    assert response.headers["Retry-After"] == str(RETRY_FULL_AFTER_S)
    page = response.content.decode()
    assert "Nothing can be saved right now" in page
    assert "Busy for a moment" not in page


LARGE = {"text": "\n".join(f"@somebody.{number}" for number in range(50)), "note": "x" * 500}
"""More than fits into what is left of the last pages."""


def test_a_paste_onto_a_full_disk(alice: User, fill: Callable[[], None]) -> None:
    browser = browser_of(alice)
    fill()
    check_full(browser.post("/", LARGE))
    assert not Job.objects.exists()


def test_signing_in_onto_a_full_disk(alice: User, fill: Callable[[], None]) -> None:
    fill()
    for _ in range(200):  # until the last page of sessions is full
        browser = Client(raise_request_exception=False)
        response = browser.post("/login/", {"login": "alice", "password": PASSWORD})
        if response.status_code != 302:
            break
    check_full(response)


@pytest.mark.parametrize("ended", [False, True], ids=["full", "signed out"])
def test_a_session_that_cannot_be_saved_is_told_from_one_that_was_ended(
    alice: User, monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    real = Session.save

    def save(session: Session, *args: Any, **options: Any) -> None:
        if options.get("force_update"):
            if not ended:
                cause = sqlite3.OperationalError("database or disk is full")
                cause.sqlite_errorcode = sqlite3.SQLITE_FULL  # as the driver sets it
                raise OperationalError("database or disk is full") from cause
            Session.objects.all().delete()
        real(session, *args, **options)

    monkeypatch.setattr(Session, "save", save)
    browser = Client(raise_request_exception=False)
    response = browser.post("/login/", {"login": "alice", "password": PASSWORD})
    if ended:
        assert response.status_code == 400
    else:
        check_full(response)


def test_reading_goes_on_while_the_disk_is_full(
    alice: User, fill: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    browser, script = browser_of(alice), Client(raise_request_exception=False)
    headers = {"Authorization": f"Bearer {tokens.create(alice, 'phone')}"}
    browser.post("/", {"text": "@corner.bakery"})
    job = Job.objects.get()
    fill()
    posted = script.post("/api/v1/jobs", LARGE, content_type="application/json", headers=headers)
    assert posted.status_code == 503
    assert posted.headers["Retry-After"] == str(RETRY_FULL_AFTER_S)
    error = posted.json()["error"]
    assert (error["code"], error["retryable"]) == ("cannot_write", True)
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    for path in ("/", f"/jobs/{job.pk}/", f"/jobs/{job.pk}/progress/", "/history/", "/account/"):
        assert browser.get(path).status_code == 200
    assert script.get(f"/api/v1/jobs/{job.pk}", headers=headers).status_code == 200


def test_a_disk_that_fails_elsewhere_is_no_bug_either(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("jobs.queue.submission.submit", full)
    monkeypatch.setattr("jobs.pages.home.submit", full, raising=False)
    check_full(browser_of(alice).post("/", {"text": "@corner.bakery"}))


# --- commands -------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("token", "alice"), ("invite",), ("sweep",)], ids=" ".join)
def test_a_command_while_a_backup_holds_sqlite(
    words: tuple[str, ...], held: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["manage.py", *words])
    monkeypatch.setattr(connections, "close_all", lambda: None)  # it is to give up soon
    begin(held)
    with pytest.raises(SystemExit) as ended:
        manage.main()
    assert ended.value.code == (
        "Something else is using the database, perhaps a backup. Try again in a few seconds."
    )


def test_a_bug_in_a_command_is_not_taken_for_a_busy_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def bug(_argv: list[str]) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr("django.core.management.execute_from_command_line", bug)
    with pytest.raises(ValueError, match="a bug"):
        manage.main()


def test_a_command_for_another_database_than_the_running_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_tables(_argv: list[str]) -> None:
        raise OperationalError("no such table: auth_user")

    monkeypatch.setattr("django.core.management.execute_from_command_line", no_tables)
    with pytest.raises(SystemExit, match="There are no tables in the database") as ended:
        manage.main()
    assert "Are the settings those of the running Storykeep?" in str(ended.value.code)
