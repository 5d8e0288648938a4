"""`manage.py backup [FILE]`: database, keys and settings as one file."""

from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from webapp.backups import kept, making
from webapp.backups.failures import BackupFailed
from webapp.backups.wrapping import MIN_LENGTH


class Command(BaseCommand):
    """Makes a backup, while Storykeep runs or is stopped."""

    help = (
        "Back up database, keys and settings as one file, also while Storykeep runs. The keys are "
        "encrypted with a passphrase: STORYKEEP_BACKUP_PASSPHRASE, or asked for."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the file, and `--without-keys`."""
        parser.add_argument(
            "file",
            nargs="?",
            metavar="FILE",
            help="where to; `-` for the standard output, and a new file in the folder of backups "
            "when not given",
        )
        parser.add_argument(
            "--without-keys", action="store_true", help="ask for no passphrase, leave the keys out"
        )

    def handle(self, *_args: str, **options: Any) -> None:
        """Say on the error output what was made. Exits with code 1 when there is no backup."""
        passphrase = "" if options["without_keys"] else making.passphrase() or self.ask()
        if not passphrase:
            self.stderr.write("The keys are left out, for there is no passphrase.")
        try:
            place = self.make(options["file"], passphrase)
        except BackupFailed as error:
            raise CommandError(f"there is no backup: {error}", returncode=1) from error
        if place:
            self.stderr.write(f"Backed up to {place} ({place.stat().st_size:,} bytes).")

    def make(self, file: str | None, passphrase: str) -> Path | None:
        """The file of the backup; None where it went to the standard output."""
        now = datetime.now(UTC)
        if file is None:
            return making.make("manual", passphrase, now)
        with making.opened(passphrase, now) as backup:
            if file == "-":
                for chunk in backup[1]:
                    sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
                place = None
            else:
                place = Path(file).expanduser()
                making.write(place, backup)
        kept.record("manual", now)
        return place

    def ask(self) -> str:
        """A passphrase typed twice; "" where nobody is there, or where none is wanted."""
        if not sys.stdin.isatty():
            return ""
        first = getpass.getpass("Passphrase for the keys (empty: leave them out): ")
        if not first:
            return ""
        if len(first) < MIN_LENGTH:
            raise CommandError(f"a passphrase has {MIN_LENGTH} characters or more", returncode=2)
        if getpass.getpass("Once more: ") != first:
            raise CommandError("these were two different ones", returncode=2)
        return first
