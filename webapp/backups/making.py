"""Making a backup: into the folder where they are kept, or as bytes for whoever asked.

Nothing has its final name before all of it is on the disk.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from jobs import VERSION
from jobs.ephemeral import leases
from jobs.files.disk import DISK_FULL_ERRORS
from webapp import env
from webapp.backups import archive, databases, failures, kept, keys
from webapp.backups.failures import BackupFailed
from webapp.backups.kept import BackupKind

_LEASE: Final = "backup"
_LEASE_S: Final = 5 * 60
"""A backup that takes longer may be made by a second machine as well, which does no harm; for so
long none is made on a page after the process was killed that made one."""
_README: Final = """Storykeep {version}, backed up {at:%Y-%m-%d %H:%M} UTC.

To restore it into an empty instance of this version or a newer one: stop Storykeep, and

    python manage.py restore THIS-FILE.tar

or choose it on the page of the set-up link that a new instance prints. What is in it: {database},
the copy of the database; settings.txt, the settings without secrets; manifest.json, versions and
checksums. {keys}

Sessions are not in it: after a restore everyone signs in once more.
"""
_WITH_KEYS: Final = (
    """keys.bin is the secret key, encrypted with the passphrase it was made with."""
)
_WITHOUT_KEYS: Final = """The secret key is not in it, for no passphrase was given: where the key is
lost, links that were sent do not work. API tokens and authenticator apps do."""


def passphrase() -> str:
    """The passphrase of backups that are made by themselves; "" for none."""
    own = settings.STORYKEEP.backup_passphrase
    return own.get_secret_value() if own else ""


def check() -> None:
    """Raise BackupFailed where this instance cannot be backed up from here, however often it is
    tried."""
    databases.current().check_tool()


def expected_bytes() -> int:
    """About the bytes of a backup made now. Raises BackupFailed."""
    return databases.current().expected_bytes()


def make(kind: BackupKind, passphrase: str, now: datetime) -> Path:
    """Make a backup in the folder where they are kept, and remove the oldest. Raises BackupFailed.

    passphrase: "" leaves the keys out.
    """
    with kept.locked() as folder, _copied(folder) as contents:
        path = folder / kept.file_name(now, kind)
        write(path, contents(passphrase, now))
        kept.record(kind, now)
        kept.remove_surplus(kind, now)
    return path


def make_by_hand(passphrase: str, now: datetime) -> Path:
    """`make` for whoever asks on a page, which several machines may serve: one at a time of them
    all. Raises BackupFailed."""
    with leases.alone(_LEASE, seconds=_LEASE_S) as is_ours:
        if not is_ours:
            raise failures.busy()
        return make("manual", passphrase, now)


@contextmanager
def opened(passphrase: str, now: datetime) -> Iterator[tuple[int, Iterator[bytes]]]:
    """A backup as bytes: how many, and chunks of them. Raises BackupFailed."""
    with kept.locked() as folder, _copied(folder) as contents:
        yield contents(passphrase, now)


def write(path: Path, backup: tuple[int, Iterator[bytes]]) -> None:
    """Write a backup to a file that is there only once it is whole. Raises BackupFailed."""
    partial = path.with_name(f"{path.name}{kept.PARTIAL}")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for chunk in backup[1]:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise _in_words(error, path.parent) from error
    finally:
        partial.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Contents:
    """A copy of the database that becomes a backup."""

    def __init__(self, database: databases.Database, copy: IO[bytes]) -> None:
        self._database, self._copy = database, copy

    def __call__(self, passphrase: str, now: datetime) -> tuple[int, Iterator[bytes]]:
        """Its bytes: how many, and chunks of them."""
        at, kind = now.astimezone(UTC), self._database.kind
        readme = _README.format(
            version=VERSION,
            at=at,
            database=archive.DATABASES[kind],
            keys=_WITH_KEYS if passphrase else _WITHOUT_KEYS,
        )
        contents = archive.Contents(
            version=VERSION,
            at=at,
            database=kind,
            server=self._database.server,
            migrations=self._database.migrations(),
            copy=self._copy,
            readme=readme,
            settings=settings_text(),
            keys=keys.in_force(),
            passphrase=passphrase,
        )
        return archive.write(contents)


@contextmanager
def _copied(folder: Path) -> Iterator[_Contents]:
    """A copy of the database in a folder that has room for it and for the backup."""
    database = databases.current()
    try:
        if shutil.disk_usage(folder).free < 2 * database.expected_bytes():
            words = _("There is too little room for a backup in %(folder)s.")
            raise BackupFailed("no_room", words % {"folder": folder})
        with database.copy_to(folder) as copy:
            yield _Contents(database, copy)
    except OSError as error:
        raise _in_words(error, folder) from error


def _in_words(error: OSError, folder: Path) -> BackupFailed:
    reason = "no_room" if error.errno in DISK_FULL_ERRORS else "disk"
    return BackupFailed(reason, f"{folder}: {error.strerror or error}")


def settings_text() -> str:
    """The settings that are set, a line each as a shell would set them, without secrets."""
    lines = [
        f"{name}={shlex.quote(text)}" for name, text in sorted(env.texts_without_secrets().items())
    ]
    head = "# Settings that were set. Passwords and keys are not among them.\n"
    return head + "".join(f"{line}\n" for line in lines)
