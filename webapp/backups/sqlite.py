"""SQLite: a consistent copy while others write, and a copy put in its place in one transaction.

Everything goes over connections of its own, without Django: a database that a newer version has
changed can be set aside too, and what is restored is brought up to date before anybody sees it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote

from django.utils.translation import gettext_lazy as _

from jobs import VERSION
from webapp.backups.failures import BackupFailed, RestoreRefused, damaged
from webapp.env import PROJECT_DIR, child_environment

KIND: Final = "sqlite"
BUSY_S: Final = 30.0
"""Seconds for which others' writing is waited for."""
_PREPARED: Final = ".restoring"
_OUR_TABLES: Final = frozenset({"auth_user", "jobs_job", "django_migrations"})


class SqliteDatabase:
    """An instance's database in a file. path: of the file; it need not be there."""

    kind: Final = KIND
    server: Final = 0

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def _open(self, path: Path | None = None) -> Iterator[sqlite3.Connection]:
        path = path or self.path
        address = f"file:{quote(str(path))}?mode=rw"
        opened = sqlite3.connect(address, uri=True, timeout=BUSY_S, isolation_level=None)
        with closing(opened) as database:
            database.execute("PRAGMA cache_size=-2048")
            yield database

    @property
    def is_there(self) -> bool:
        """Whether there is a database at all."""
        try:
            return self.path.stat().st_size > 0
        except OSError:
            return False

    def check_tool(self) -> None:
        """Nothing is needed but Python."""

    def expected_bytes(self) -> int:
        """About the bytes of a copy, without what the file keeps in reserve.

        Raises BackupFailed.
        """
        with _in_words(), self._open() as database:
            counts = [
                database.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            ]
        pages, empty, page_bytes = map(int, counts)
        return (pages - empty) * page_bytes

    def migrations(self) -> dict[str, list[str]]:
        """App → migrations that were applied. Raises BackupFailed."""
        with _in_words(), self._open() as database:
            return _migrations(database)

    def copy_to(self, folder: Path) -> IO[bytes]:
        """A copy as of this moment, in a file that has no name any more. Raises BackupFailed.

        Others go on reading and writing. Written anew, it holds nothing of what was deleted, and
        nothing of what signs somebody in.
        """
        path = folder / f".copy-{os.getpid()}-{os.urandom(6).hex()}"
        try:
            with _in_words(), self._open() as database:
                path.touch(mode=0o600)  # it may be there if it is empty, and is nobody else's then
                database.execute("VACUUM INTO ?", [str(path)])
            with _in_words(), self._open(path) as copied:
                copied.execute("PRAGMA journal_mode=OFF")  # a copy that breaks is thrown away
                _empty(copied)
            return path.open("rb")
        except OSError as error:
            raise BackupFailed("disk", str(error.strerror)) from error
        finally:
            path.unlink(missing_ok=True)

    def counts(self) -> tuple[list[str], int]:
        """Names of the people there are, and how many jobs; ([], 0) for a database without tables.

        Raises RestoreRefused.
        """
        if not self.is_there:
            return [], 0
        try:
            with self._open() as database:
                if not _tables(database) >= _OUR_TABLES:
                    return [], 0
                names = [name for (name,) in database.execute("SELECT username FROM auth_user")]
                (jobs,) = database.execute("SELECT count(*) FROM jobs_job").fetchone()
                return names, jobs
        except sqlite3.Error as error:
            raise RestoreRefused("database", str(error)) from error

    def is_in_use(self) -> bool:
        """Whether another process has the file open, which may be one of Storykeep's."""
        if not self.is_there:
            return False
        with closing(sqlite3.connect(self.path, timeout=0.5)) as database:
            try:
                # Leaving the write-ahead log takes that nobody else is connected.
                database.execute("PRAGMA journal_mode=DELETE")
                database.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError:
                return True
        return False

    def restore(
        self,
        copy: Callable[[Callable[[bytes], object]], None],
        size: int,
        last_look: Callable[[], None] = lambda: None,
    ) -> None:
        """Put a copy in the place of what is there; all of it or nothing. Raises RestoreRefused.

        copy: hands the copy on, as `Backup.copy_database`. size: bytes of it. last_look: raises
        where it is too late by now. The copy is brought up to date beside the database first; then
        its pages replace the other's in one transaction, also under those who have the file open.
        """
        folder = self.path.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_prepared(folder)
        if shutil.disk_usage(folder).free < 3 * size:
            raise RestoreRefused("no_room", _("There is too little room for the database."))
        prepared = folder / f"{_PREPARED}-{os.getpid()}.sqlite3"
        try:
            prepared.touch(mode=0o600)
            with prepared.open("wb") as file:
                copy(file.write)
            self._prepare(prepared)
            last_look()
            self._replace(prepared)
        except sqlite3.DatabaseError as error:
            raise RestoreRefused("database", str(error)) from error
        except OSError as error:
            raise RestoreRefused("disk", str(error.strerror)) from error
        finally:
            _remove_prepared(folder)

    def _prepare(self, prepared: Path) -> None:
        """Check a copy, bring it up to date, and take out what is of one moment alone."""
        try:
            with self._open(prepared) as database:
                whole = database.execute("PRAGMA integrity_check(1)").fetchone()
                tables = _tables(database)
        except sqlite3.DatabaseError as error:
            raise damaged(prepared.name) from error
        if whole != ("ok",) or not tables >= _OUR_TABLES:
            raise damaged("database.sqlite3")
        migrate(f"sqlite:///{quote(str(prepared))}")
        with self._open(prepared) as database:
            _empty(database)
            database.execute(NOTE_VERSION.format("?"), version_and_time())
            database.execute("PRAGMA journal_mode=DELETE")

    def _replace(self, prepared: Path) -> None:
        if not self.is_there:
            self.path.touch(mode=0o600)
        with self._open(prepared) as source, self._open() as target:
            # A copy of other page sizes cannot be written to a database with a log.
            target.execute("PRAGMA journal_mode=WAL")
            target.execute("PRAGMA synchronous=FULL")
            source.backup(target, progress=_give_up_after(BUSY_S))
            target.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _give_up_after(patience_s: float) -> Callable[[int, int, int], None]:
    """A callback for Connection.backup, which would wait for a lock for ever."""
    ends_at = time.monotonic() + patience_s

    def look(status: int, _remaining: int, _total: int) -> None:
        if status in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED} and time.monotonic() > ends_at:
            raise sqlite3.OperationalError("database is locked")

    return look


def migrate(url: str = "") -> None:
    """Bring a database up to date, in a process of its own. Raises RestoreRefused.

    url: of another database than the one of the settings, of which migrations must see nothing.
    """
    environment = child_environment()
    if url:
        environment.pop("STORYKEEP_DATABASE_URL_FILE", None)
        environment["STORYKEEP_DATABASE_URL"] = url
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"],
        cwd=PROJECT_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["?"]
        raise RestoreRefused("database", said[-1])


OF_ONE_MOMENT: Final = frozenset(
    {"accounts_setuplink", "accounts_signinlink", "django_session", "usersessions_usersession"}
)
"""Tables of which no row is in a backup, nor there after a restore: sessions, whose keys are the
cookies that open them, and links. One that has ended since would be alive again."""
NOTE_VERSION: Final = (
    "INSERT INTO django_migrations (app, name, applied) VALUES ('storykeep', {0}, {0})"
)
"""Notes in a database that a version has prepared it (jobs/ops/schema.py); {0} stands for what is a
parameter there."""


def version_and_time() -> list[str]:
    """The parameters of NOTE_VERSION."""
    return [VERSION, datetime.now(UTC).isoformat(sep=" ")]


def _tables(database: sqlite3.Connection) -> set[str]:
    rows = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {name for (name,) in rows}


def _empty(database: sqlite3.Connection) -> None:
    """Delete what is of one moment alone, and its bytes; a table may be of another version."""
    database.execute("PRAGMA secure_delete=ON")
    for name in sorted(OF_ONE_MOMENT & _tables(database)):
        database.execute(f"DELETE FROM {name}")  # noqa: S608  # nosec B608  # ours


def _migrations(database: sqlite3.Connection) -> dict[str, list[str]]:
    applied: dict[str, list[str]] = {}
    for app, name in database.execute("SELECT app, name FROM django_migrations ORDER BY id"):
        applied.setdefault(app, []).append(name)
    return applied


def _remove_prepared(folder: Path) -> None:
    for path in folder.glob(f"{_PREPARED}-*"):
        path.unlink(missing_ok=True)


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        full = "full" in str(error)
        words = _("There is too little room for a copy of the database.") if full else str(error)
        raise BackupFailed("no_room" if full else "database", words) from error
