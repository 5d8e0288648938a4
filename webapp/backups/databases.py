"""The instance's database, as it is backed up and restored: SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol

from django.apps import apps
from django.db import connection

from webapp.backups.archive import Kind
from webapp.backups.postgresql import PostgresqlDatabase
from webapp.backups.sqlite import SqliteDatabase


class Database(Protocol):
    """What can be done with either kind; each says what it raises."""

    @property
    def kind(self) -> Kind:
        """Which of the two it is."""

    @property
    def server(self) -> int:
        """The number of a server's version; 0 for a file."""

    @property
    def is_there(self) -> bool:
        """Whether there is anything to back up."""

    def check_tool(self) -> None:
        """Raise where a program that is needed is not here."""

    def expected_bytes(self) -> int:
        """About the bytes of a copy, or more."""

    def migrations(self) -> dict[str, list[str]]:
        """App → migrations that were applied."""

    def copy_to(self, folder: Path) -> IO[bytes]:
        """A consistent copy, in a file without a name."""

    def counts(self) -> tuple[list[str], int]:
        """Names of people, and how many jobs."""

    def is_in_use(self) -> bool:
        """Whether others are connected."""

    def restore(
        self,
        copy: Callable[[Callable[[bytes], object]], None],
        size: int,
        last_look: Callable[[], None] = ...,
    ) -> None:
        """Replace everything in it by a copy, or leave it as it was."""


def current() -> Database:
    """The database of the settings."""
    if connection.vendor == "sqlite":
        return SqliteDatabase(Path(str(connection.settings_dict["NAME"])))
    return PostgresqlDatabase(connection.get_connection_params(), _table_names)


def _table_names() -> set[str]:
    return {model._meta.db_table for model in apps.get_models(include_auto_created=True)}  # noqa: SLF001
