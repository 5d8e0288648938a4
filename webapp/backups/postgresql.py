"""PostgreSQL: a dump by its own tool, and a dump put in its place in one transaction.

The tool is not part of Storykeep, and has to be as new as the server. Its password goes through
the environment. What `pg_restore` makes of a dump is sent over a connection of ours, statement by
statement: `psql` would also do what a hostile dump has it do on this machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any, Final, cast

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from webapp.backups.failures import BackupFailed, RestoreRefused
from webapp.backups.sqlite import NOTE_VERSION, OF_ONE_MOMENT, version_and_time
from webapp.env import child_environment

KIND: Final = "postgresql"
_ENVIRONMENT: Final = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",  # nosec B105  # the name of a variable
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcrl": "PGSSLCRL",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "options": "PGOPTIONS",
    "service": "PGSERVICE",
    "passfile": "PGPASSFILE",
    "channel_binding": "PGCHANNELBINDING",
}
"""A parameter of the connection → the variable by which PostgreSQL's tools take it."""
_COPY: Final = re.compile(rb"COPY .+ FROM stdin;\n")
_OUR_TABLES: Final = frozenset({"auth_user", "jobs_job", "django_migrations"})
_NOT_FOR_US: Final = (b"\\restrict ", b"\\unrestrict ", b"SET transaction_timeout ")
"""Lines of a script that are for `psql`, or that a server before 17 does not know."""
_DUMP: Final = ("-Fc", "--no-owner", "--no-privileges")
_PIECE_BYTES: Final = 1024 * 1024
LOOKS: Final = 10
"""How often a database that went away at the commit is asked whether it is done."""
BETWEEN_LOOKS_S: Final = 3.0
GONE_LOOKS: Final = 15
"""How often a database is asked whether others are still connected."""
BETWEEN_GONE_LOOKS_S: Final = 0.2


class PostgresqlDatabase:
    """An instance's database on a server. parameters: as psycopg connects by them. tables: names of
    all that are ours, or were."""

    kind: Final = KIND

    def __init__(self, parameters: Mapping[str, Any], tables: Callable[[], set[str]]) -> None:
        self._parameters = {
            name: value
            for name, value in parameters.items()
            if name not in {"cursor_factory", "context", "prepare_threshold"} and value is not None
        }
        self._our_names = tables

    @contextmanager
    def _open(self) -> Iterator[Any]:
        import psycopg

        with closing(psycopg.connect(**self._parameters)) as database:
            yield database

    @property
    def is_there(self) -> bool:
        """Whether there is a database with our tables in it. Raises BackupFailed."""
        with _in_words(), self._open() as database:
            return self._tables(database) >= _OUR_TABLES

    @property
    def server(self) -> int:
        """The server's version, e.g. 170004. Raises BackupFailed."""
        with _in_words(), self._open() as database:
            return int(database.info.server_version)

    def expected_bytes(self) -> int:
        """About the bytes of a dump: it has no indexes, and is compressed. Raises BackupFailed."""
        with _in_words(), self._open() as database:
            row = database.execute("SELECT pg_database_size(current_database())").fetchone()
            return int(row[0]) // 2

    def migrations(self) -> dict[str, list[str]]:
        """App → migrations that were applied. Raises BackupFailed."""
        applied: dict[str, list[str]] = {}
        with _in_words(), self._open() as database:
            rows = database.execute("SELECT app, name FROM django_migrations ORDER BY id")
            for app, name in rows.fetchall():
                applied.setdefault(app, []).append(name)
        return applied

    def check_tool(self) -> None:
        """Raise BackupFailed where no dump can be made here, and say what to do."""
        tool_for("pg_dump", self.server)

    def copy_to(self, folder: Path) -> IO[bytes]:
        """A dump as of this moment, in a file that has no name any more. Raises BackupFailed."""
        tool = tool_for("pg_dump", self.server)
        without = [f"--exclude-table-data={name}" for name in sorted(OF_ONE_MOMENT)]
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # handed on
        done = subprocess.run(
            [tool, *_DUMP, *without, "--no-password"],
            env=self._environment(),
            stdout=file,
            stderr=subprocess.PIPE,
            check=False,
        )
        if done.returncode:
            file.close()
            raise BackupFailed("database", _last_line(done.stderr))
        file.seek(0)
        return file

    def counts(self) -> tuple[list[str], int]:
        """Names of the people there are, and how many jobs; ([], 0) for a database without tables.

        Raises RestoreRefused.
        """
        with _refused(), self._open() as database:
            if not self._tables(database) >= _OUR_TABLES:
                return [], 0
            names = [name for (name,) in database.execute("SELECT username FROM auth_user")]
            (jobs,) = database.execute("SELECT count(*) FROM jobs_job").fetchone()
            return names, int(jobs)

    def is_in_use(self) -> bool:
        """Whether others of the same name are connected, which may be parts of Storykeep.

        The server counts those who have just gone for a moment yet: whoever stops Storykeep and
        restores at once is not to be told that it runs.
        """
        look = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND usename = current_user AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        with _refused(), self._open() as database:
            for attempt in range(GONE_LOOKS):
                if attempt:
                    time.sleep(BETWEEN_GONE_LOOKS_S)
                (others,) = database.execute(look).fetchone()
                if not others:
                    return False
                database.rollback()  # within a transaction the answer would stay the same
        return True

    def restore(
        self,
        copy: Callable[[Callable[[bytes], object]], None],
        size: int,
        last_look: Callable[[], None] = lambda: None,
    ) -> None:
        """Put a dump in the place of what is there; all of it or nothing. Raises RestoreRefused.

        copy: hands the dump on, as `Backup.copy_database`. size: bytes of it. last_look: raises
        where it is too late by now. The dump is of the state it was made in, and has to be brought
        up to date then.
        """
        with _refused():
            with self._open() as database:
                version = database.info.server_version
            tool = tool_for("pg_restore", version)
            with tempfile.NamedTemporaryFile(dir=settings.STORYKEEP.data_dir) as dump:
                if shutil.disk_usage(dump.name).free < 2 * size:
                    raise RestoreRefused("no_room", _("There is too little room for the database."))
                copy(dump.write)
                dump.flush()
                last_look()
                self._replace(tool, dump.name)

    def _replace(self, tool: str, dump: str) -> None:
        errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed below
        with self._open() as database, errors:
            (place,) = database.execute("SELECT current_schema()").fetchone()
            names = self._tables(database) & (self._our_names() | _OUR_TABLES)
            for name in sorted(names):
                quoted = name.replace('"', '""')
                database.execute(f'DROP TABLE IF EXISTS "{quoted}" CASCADE')
            with subprocess.Popen(
                [tool, "--no-owner", "--no-privileges", "-f", "-", dump],
                stdout=subprocess.PIPE,
                stderr=errors,
            ) as script:
                try:
                    _run(database, cast("IO[bytes]", script.stdout))
                    failed = script.wait()
                finally:
                    script.kill()
            if failed:
                errors.seek(0)
                raise RestoreRefused("damaged", _last_line(errors.read()))
            database.execute("SELECT set_config('search_path', %s, true)", [place])
            for name in sorted(OF_ONE_MOMENT & self._tables(database)):
                database.execute(f"DELETE FROM {name}")  # noqa: S608  # nosec B608  # ours
            note = version_and_time()
            database.execute(NOTE_VERSION.format("%s"), note)
            self._commit(database, note)

    def _commit(self, database: Any, note: list[str]) -> None:
        """Commit; where the answer was lost, the note that is part of it tells whether it is done.

        Raises psycopg's errors.
        """
        import psycopg

        try:
            database.commit()
        except psycopg.OperationalError:
            database.close()  # else it may hold what is looked at
            if not self._is_noted(note):
                raise

    def _is_noted(self, note: list[str]) -> bool:
        """Whether a note is in the database, which may have to come back first.

        Raises psycopg's errors.
        """
        import psycopg

        look = (
            "SELECT 1 FROM django_migrations WHERE app = 'storykeep' AND name = %s AND applied = %s"
        )
        for attempt in range(LOOKS):
            try:
                with self._open() as database:
                    database.execute("SET lock_timeout = '5s'")
                    return database.execute(look, note).fetchone() is not None
            except psycopg.errors.UndefinedTable:  # it is as empty as it was
                return False
            except psycopg.OperationalError:
                if attempt + 1 == LOOKS:
                    raise
                time.sleep(BETWEEN_LOOKS_S)
        return False

    @staticmethod
    def _tables(database: Any) -> set[str]:
        rows = database.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = ANY(current_schemas(false))"
        )
        return {name for (name,) in rows}

    def _environment(self) -> dict[str, str]:
        """The environment of a tool: how to connect, and none of our settings."""
        ours = {
            _ENVIRONMENT[name]: str(value)
            for name, value in self._parameters.items()
            if name in _ENVIRONMENT
        }
        others = child_environment()
        return {name: text for name, text in others.items() if name[:10] != "STORYKEEP_"} | ours


def _run(database: Any, script: IO[bytes]) -> None:
    """Run a script of pg_restore's: statements, and rows that follow a COPY up to a line `\\.`."""
    statements: list[bytes] = []
    for line in script:
        if line.startswith(_NOT_FOR_US):
            continue
        statements.append(line)
        if _COPY.fullmatch(line):
            statements.pop()
            _execute(database, statements)
            _copy_rows(database, line, script)
    _execute(database, statements)


def _execute(database: Any, statements: list[bytes]) -> None:
    text = b"".join(statements)
    statements.clear()
    if text.strip():
        database.execute(text)


def _copy_rows(database: Any, statement: bytes, script: IO[bytes]) -> None:
    with database.cursor() as cursor, cursor.copy(statement.rstrip(b";\n")) as copy:
        piece = bytearray()
        for line in script:
            if line == b"\\.\n":
                break
            piece += line
            if len(piece) > _PIECE_BYTES:
                copy.write(bytes(piece))
                piece.clear()
        copy.write(bytes(piece))


# --- the tools ------------------------------------------------------------------------------------


def tool_for(name: str, server: int) -> str:
    """Path of a tool of PostgreSQL that is as new as the server, 170004 or so.

    Raises BackupFailed with what to do where there is none.
    """
    wanted = server // 10_000
    versions = {path: _major(path) for path in _candidates(name)}
    fitting = {path: version for path, version in versions.items() if version >= wanted}
    if fitting:
        return min(fitting, key=lambda path: fitting[path])
    if not versions:
        words = _(
            "%(tool)s is not installed here. Install the PostgreSQL client of version %(wanted)s, "
            "or use the commands on the Back up page."
        )
        raise BackupFailed("no_tool", words % {"tool": name, "wanted": wanted})
    words = _(
        "%(tool)s is version %(found)s, but the server is %(wanted)s. Install the PostgreSQL "
        "client of that version."
    )
    found = max(versions.values())
    raise BackupFailed("old_tool", words % {"tool": name, "found": found, "wanted": wanted})


def _candidates(name: str) -> list[str]:
    """Where a tool is: on the PATH, and where Debian keeps several versions."""
    found = [path] if (path := shutil.which(name)) else []
    others = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return [*found, *(str(path) for path in others if os.access(path, os.X_OK))]


def _major(tool: str) -> int:
    try:
        said = subprocess.run([tool, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return 0
    match = re.search(r"(\d+)", said.stdout)
    return int(match[1]) if match else 0


def _last_line(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines() or ["?"]
    return lines[-1]


@contextmanager
def _in_words() -> Iterator[None]:
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise BackupFailed("database", _first_line(error)) from error


@contextmanager
def _refused() -> Iterator[None]:
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise RestoreRefused("database", _first_line(error)) from error
    except BackupFailed as error:
        raise RestoreRefused(error.reason, error.args[0]) from error
    except OSError as error:
        raise RestoreRefused("disk", str(error.strerror)) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0]
