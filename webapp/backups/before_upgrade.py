"""The backup before an upgrade: made when there are migrations to apply, and anything to lose.

There is no way back from a migration but this.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from django.conf import settings
from django.db import connection


class UpgradeRefused(Exception):
    """The database is not upgraded, for it could not be backed up; str() says how to go on."""


def back_up(say: Callable[[str], None]) -> None:
    """Back up a database with people in it, before migrations. Raises UpgradeRefused.

    say: is told what is done. A PostgreSQL whose tools are not here is upgraded without; whoever
    runs it has backups of their own, or is told here.
    """
    if not settings.STORYKEEP.backup_keep or not _has_people():
        return
    # Loaded now, for most starts have nothing to migrate.
    from webapp.backups import making
    from webapp.backups.failures import BackupFailed

    say("backing up before the upgrade ...")
    try:
        path = making.make("upgrade", making.passphrase(), datetime.now(UTC))
    except BackupFailed as error:
        if error.reason in {"no_tool", "old_tool"}:
            say(f"no backup before the upgrade: {error}")
            return
        raise UpgradeRefused(
            f"the database is to be upgraded, and cannot be backed up before: {error} "
            "With STORYKEEP_BACKUP_KEEP=0 it is upgraded without."
        ) from error
    say(f"backed up to {path}")


def _has_people() -> bool:
    with connection.cursor() as cursor:
        if "auth_user" not in connection.introspection.table_names(cursor):
            return False
        cursor.execute("SELECT 1 FROM auth_user LIMIT 1")
        return cursor.fetchone() is not None
