"""Restoring: a backup in the place of an instance's database and keys, all of it or nothing.

Everything that can be wrong is looked for first, and the keys are written beside their places. The
database is then replaced in one transaction, and the keys take their places at once: where it is
killed in between, links that were sent do not work. Everyone signs in once more either way.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from jobs.ephemeral import clearing, heartbeats
from jobs.ephemeral.connection import RedisUnavailable
from jobs.files import disk
from jobs.ops import schema
from jobs.queue import routing
from webapp.backups import databases, failures, kept, keys, making
from webapp.backups.archive import Backup
from webapp.backups.failures import BackupFailed, RestoreRefused
from webapp.backups.sqlite import migrate

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was restored. at: when it was made, RFC 3339. people, jobs: how many there are now.

    has_keys: the keys came along, and are in force. overruled: they came along, and
    STORYKEEP_SECRET_KEY names another one. set_aside: the backup of what was there before.
    unfinished: why it could not be brought up to date; nothing was counted then.
    """

    at: str
    version: str
    people: int
    jobs: int
    has_keys: bool
    overruled: bool
    set_aside: Path | None = None
    unfinished: str = ""


def restore(
    file: IO[bytes], passphrase: str, *, without_keys: bool = False, replace: bool = False
) -> Restored:
    """Restore an open backup. Raises RestoreRefused, and nothing is changed then.

    On SQLite that is also where it cannot be brought up to date, on PostgreSQL it is restored then.

    passphrase: of its keys. without_keys: do without them. replace: put it in the place of an
    instance with people and jobs, of which a backup is made first.
    """
    database = databases.current()
    backup = _checked(file, database)
    found = _keys(backup, passphrase, without_keys=without_keys)
    set_aside = None
    if replace and database.is_there:
        set_aside = _set_aside()
    elif not replace:
        _refuse_unless_empty(database)
    with _ready(found) as put_keys:
        database.restore(
            backup.copy_database,
            backup.manifest.database_member.size,
            # Once more at the last moment: somebody may have made the first account meanwhile.
            last_look=lambda: None if replace else _refuse_unless_empty(database),
        )
        # It is restored from here on: whatever fails now must not be told as a refusal.
        if not _put(put_keys):
            found = {}
    people: list[str] = []
    jobs, unfinished = 0, ""
    try:
        if database.kind == "postgresql":
            migrate()
        people, jobs = database.counts()
    except RestoreRefused as error:
        unfinished = str(error)
    _clear()
    overruled = keys.is_overruled(found)
    return Restored(
        at=backup.manifest.made_at,
        version=backup.manifest.version,
        people=len(people),
        jobs=jobs,
        has_keys=bool(found) and not overruled,
        overruled=overruled,
        set_aside=set_aside,
        unfinished=unfinished,
    )


def _put(put_keys: Callable[[], None]) -> bool:
    """Put the keys in place; False where the disk does not let us, as if they had not come."""
    try:
        put_keys()
    except OSError as error:
        logger.warning("the restored keys cannot be put in place: %s", error.strerror)
        return False
    return True


def _checked(file: IO[bytes], database: databases.Database) -> Backup:
    """The backup, whole, of a version this one knows, and for this kind of database."""
    backup = Backup(file)
    manifest = backup.manifest
    if schema.unknown_migrations(manifest.migrations):
        raise failures.newer(manifest.version)
    if manifest.database != database.kind:
        names = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
        words = _("This backup is from %(theirs)s, but this instance uses %(ours)s.")
        kinds = {"theirs": names[manifest.database], "ours": names[database.kind]}
        raise RestoreRefused("other_kind", words % kinds)
    backup.check()
    return backup


def _keys(backup: Backup, passphrase: str, *, without_keys: bool) -> dict[str, str]:
    if backup.manifest.keys is None or without_keys:
        return {}
    if not passphrase:
        words = _("The secret key in this backup needs its passphrase.")
        raise RestoreRefused("passphrase", words)
    return backup.keys(passphrase)


@contextmanager
def _ready(found: Mapping[str, str]) -> Iterator[Callable[[], None]]:
    """Keys that only have to be put in place. Raises RestoreRefused where none can be written."""
    with ExitStack() as stack:
        try:
            put = stack.enter_context(keys.ready(found))
        except OSError as error:
            words = f"{settings.STORYKEEP.data_dir}: {error.strerror}"
            raise RestoreRefused("disk", words) from error
        yield put


def _refuse_unless_empty(database: databases.Database) -> None:
    """An instance is empty while it has no job, and nobody but the admin of its settings."""
    names, jobs = database.counts()
    people = [name for name in names if name != settings.STORYKEEP.admin_user]
    if people or jobs:
        words = ngettext_lazy(
            "This instance is not empty: it has %(people)s person and %(jobs)s jobs.",
            "This instance is not empty: it has %(people)s people and %(jobs)s jobs.",
            len(people),
        )
        raise RestoreRefused("not_empty", words % {"people": len(people), "jobs": jobs})


def _set_aside() -> Path:
    """A backup of what is there. Raises RestoreRefused: without one, nothing is replaced."""
    words = _("What is there now could not be backed up: %(why)s")
    try:
        path = making.make("replaced", making.passphrase(), datetime.now(UTC))
    except BackupFailed as error:
        raise RestoreRefused(error.reason, words % {"why": error}) from error
    if not path.is_file():  # there is no other copy of what is replaced
        why = f"{path}: {os.strerror(errno.ENOENT)}"
        raise RestoreRefused("disk", words % {"why": why})
    return path


def _clear() -> None:
    """Forget what Redis holds of other rows, and take the place of saved files for ours."""
    if kept.redis_may_answer():
        clearing.forget_rows(routing.QUEUES)
    with suppress(OSError):
        disk.adopt()


@contextmanager
def alone() -> Iterator[None]:
    """Keep other restores of this host away, while Storykeep runs. Raises RestoreRefused."""
    with _held("restore.lock", str(_("A backup is being restored already. Wait for it."))):
        yield


@contextmanager
def stopped() -> Iterator[None]:
    """Keep Storykeep from starting. Raises RestoreRefused while a part of it runs."""
    words = _("Storykeep is running. Stop it first.")
    with _held("up.lock", str(words)) as run_dir:
        with suppress(RedisUnavailable):
            if kept.redis_may_answer() and heartbeats.alive():
                raise RestoreRefused("running", words)
        if databases.current().is_in_use():
            raise RestoreRefused("running", _("The database is in use. Stop Storykeep first."))
        if settings.STORYKEEP.embedded_redis:  # it is not running, and has no rows to know then
            for snapshot in run_dir.glob("*.rdb"):
                snapshot.unlink(missing_ok=True)
        yield


@contextmanager
def _held(name: str, words: str) -> Iterator[Path]:
    """Hold a lock of this instance in the folder that is returned.

    words: what is said when somebody else holds it. Raises RestoreRefused.
    """
    run_dir = Path(settings.STORYKEEP.run_dir)
    try:
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(run_dir / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise RestoreRefused("disk", f"{run_dir}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RestoreRefused("running", words) from error
        yield run_dir
    finally:
        os.close(lock)
