"""Every new connection to the database: its limits are set, and the first one looks at the schema.

PostgreSQL may vanish without a word: a firewall drops packets, a host is gone. Then the system's
own patience is hours. These limits are the session's (docs/decisions/0041); those of the connection
itself are in the settings.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, pre_migrate

from jobs.ops import schema

logger = logging.getLogger(__name__)

STATEMENT_S: Final = 120
"""Seconds a statement runs at most: a sweep of a large instance may take some time."""
REQUEST_STATEMENT_S: Final = 30
"""Seconds where people wait for it."""
NEWER_DATABASE: Final = 2
"""Exit code of a part that refuses to use a newer version's database."""
_SESSION_LIMITS: Final[dict[str, str]] = {
    "lock_timeout": "30s",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
"""What the server is told: for how long a statement waits for a lock; when it looks whether a
silent client is still there, for it may hold one."""


def install() -> None:
    """Have every connection of this process begin like that; called as the site is loaded."""
    connection_created.connect(_on_connection, dispatch_uid="webapp.database")
    pre_migrate.connect(_before_migrations, dispatch_uid="webapp.database")
    post_migrate.connect(_after_migrations, dispatch_uid="webapp.database")


class _Process:
    """This process. statement_s: seconds its statements run at most. schema_is_fit: the schema was
    looked at; the process stays with that, and while a newer version migrates, older ones go on
    until they are replaced."""

    statement_s = STATEMENT_S
    schema_is_fit = False


def people_wait() -> None:
    """Have the statements of this process end sooner, for people wait for them."""
    _Process.statement_s = REQUEST_STATEMENT_S


def _on_connection(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if connection.vendor == "postgresql":
        _set(connection, _SESSION_LIMITS | _statement_limits())
    if not _Process.schema_is_fit:
        schema.check()
        _Process.schema_is_fit = True


def _statement_limits() -> dict[str, str]:
    return {
        "statement_timeout": f"{_Process.statement_s}s",
        "idle_in_transaction_session_timeout": "60s",
    }


def _set(connection: BaseDatabaseWrapper, limits: dict[str, str]) -> None:
    with connection.cursor() as cursor:
        calls = ", ".join("set_config(%s, %s, false)" for _ in limits)
        cursor.execute(f"SELECT {calls}", [word for pair in limits.items() for word in pair])


def _before_migrations(using: str, **_: Any) -> None:
    """A migration of a large table takes as long as it takes."""
    if connections[using].vendor == "postgresql":
        _set(connections[using], dict.fromkeys(_statement_limits(), "0"))


def _after_migrations(using: str, **_: Any) -> None:
    if connections[using].vendor == "postgresql":
        _set(connections[using], _statement_limits())


def leave_if_newer() -> None:
    """End this process with NEWER_DATABASE, with a line that says why, when the database is of a
    newer version.

    A database that is away is waited for later, by whoever needs it.
    """
    try:
        connection.ensure_connection()
    except schema.NewerDatabase as error:
        if settings.STORYKEEP.log_format == "json":
            from webapp import log_format

            log_format.write_refusal(__name__, [str(error)])
        else:
            sys.stderr.write(f"{error}\n")
        sys.exit(NEWER_DATABASE)
    except DatabaseError:
        return
    finally:
        connection.close()
