"""The schema of the database: whether this version knows all of it, and which version made it.

A database that a newer version has changed must not be used by an older one, which would write
rows that the newer one does not expect, and read others wrongly.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from django.apps import apps
from django.db import OperationalError, connection
from django.utils import timezone

from jobs import VERSION

_APP: Final = "storykeep"
"""Our versions stand beside the migrations as those of an app of this name, which Django ignores:
so they are in every backup and dump."""
_OURS: Final = frozenset({"jobs", "accounts", "notices"})


class NewerDatabase(OperationalError):
    """The database was changed by a newer version. unknown: its changes, as `app.migration`."""

    def __init__(self, unknown: list[str], version: str) -> None:
        self.unknown, self.version = unknown, version
        # Not named: one that was stopped before it said so, or that has this one's name.
        named = version not in {"", VERSION}
        by = f"Storykeep {version}" if named else "a newer Storykeep"
        start = f"{by} or a newer one" if named else "the newer one"
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        super().__init__(
            f"the database was made by {by}, and this is {VERSION}: it has {unknown[0]}{more}, "
            f"which this version does not know. Start {start}, or restore a backup that this "
            "version made."
        )


def check() -> None:
    """Raise NewerDatabase when the database has changes that this version does not know."""
    if unknown := unknown_migrations():
        raise NewerDatabase(unknown, last_version())


def unknown_migrations(applied: Mapping[str, Iterable[str]] | None = None) -> list[str]:
    """Applied migrations that this version does not have, as `app.name`; none in a new database.

    applied: app → names of a database that is elsewhere; this one's unless given. Of the libraries'
    only those count that come after all we have: an earlier one may have been replaced since.
    """
    return sorted(
        f"{app}.{name}"
        for app, names in (_applied() if applied is None else applied).items()
        if (known := _known(app)) is not None
        for name in set(names) - known
        if app in _OURS or name > max(known, default="")
    )


def last_version() -> str:
    """The version of Storykeep that prepared the database last; "" when none has said so."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM django_migrations WHERE app = %s"
            " ORDER BY applied DESC, id DESC LIMIT 1",
            [_APP],
        )
        row = cursor.fetchone()
    return row[0] if row else ""


def record_version() -> None:
    """Note that this version has prepared the database."""
    if last_version() == VERSION:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)",
            [_APP, VERSION, timezone.now()],
        )


def _applied() -> dict[str, set[str]]:
    """App → names of its migrations that the database has had."""
    applied: dict[str, set[str]] = {}
    with connection.cursor() as cursor:
        if "django_migrations" in connection.introspection.table_names(cursor):
            cursor.execute("SELECT app, name FROM django_migrations")
            for app, name in cursor.fetchall():
                applied.setdefault(app, set()).add(name)
    return applied


def _known(app: str) -> set[str] | None:
    """Names of the migrations there are of an app, by their files alone; None when this process
    does without it."""
    if app not in apps.app_configs:
        return None
    return set(_modules(Path(apps.get_app_config(app).path) / "migrations"))


def _modules(folder: Path) -> Iterator[str]:
    for module in pkgutil.iter_modules([str(folder)]):
        if module.name[0] not in "_~":
            yield module.name
