"""`manage.py restore FILE`: a backup into an empty instance."""

from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from webapp.backups import making, restoring
from webapp.backups.archive import Backup
from webapp.backups.failures import RestoreRefused
from webapp.backups.restoring import Restored


class Command(BaseCommand):
    """Restores a backup, while Storykeep is stopped."""

    help = (
        "Restore a backup into an empty instance, while Storykeep is stopped. It is brought up to "
        "date where an older version made it."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the file, `--without-keys` and `--replace`."""
        parser.add_argument("file", metavar="FILE", help="the backup")
        parser.add_argument("--without-keys", action="store_true", help="do without the keys in it")
        parser.add_argument(
            "--replace",
            action="store_true",
            help="replace people and jobs that are there; a backup of them is made first",
        )

    def handle(self, *_args: str, **options: Any) -> None:
        """Say what came back, and what does not work any more.

        Exits with code 2 when refused, and with 1 when restored but not up to date.
        """
        try:
            with Path(options["file"]).expanduser().open("rb") as file:
                wants = not options["without_keys"] and Backup(file).manifest.keys is not None
                passphrase = (making.passphrase() or self.ask()) if wants else ""
                file.seek(0)
                with restoring.stopped():
                    restored = restoring.restore(
                        file,
                        passphrase,
                        without_keys=options["without_keys"],
                        replace=options["replace"],
                    )
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}", returncode=2) from error
        except RestoreRefused as error:
            raise CommandError(
                f"nothing was restored. {error}{_more(error)}", returncode=2
            ) from error
        self.tell(restored)
        if restored.unfinished:
            raise CommandError(
                "the backup is restored, but could not be brought up to date: "
                f"{restored.unfinished}\nDo not restore it again. Remove the cause and start "
                "Storykeep, which brings it up to date."
            )

    def ask(self) -> str:
        """The passphrase; "" where nobody is there to type it."""
        return getpass.getpass("Passphrase of the keys: ") if sys.stdin.isatty() else ""

    def tell(self, restored: Restored) -> None:
        """Say what came back."""
        held = f": {restored.people} people, {restored.jobs} jobs"
        self.stdout.write(
            f"Restored the backup of {restored.at}, made by Storykeep {restored.version}"
            f"{'' if restored.unfinished else held}. Everyone signs in once more."
        )
        if not restored.unfinished:
            self.stdout.write(f"Its folder is {settings.STORYKEEP.data_dir}. Start Storykeep now.")
        if restored.set_aside:
            self.stdout.write(f"What was there before is in {restored.set_aside}.")
        if restored.overruled:
            self.stdout.write(
                "STORYKEEP_SECRET_KEY is not the key of this backup: links that were sent do not "
                "work."
            )
        elif not restored.has_keys:
            self.stdout.write(
                "The key did not come along. Unless this instance had it already, links that were "
                "sent do not work. API tokens and authenticator apps do."
            )


def _more(error: RestoreRefused) -> str:
    hints = {
        "not_empty": " --replace puts the backup in their place, and sets them aside.",
        "passphrase": " --without-keys does without them.",  # nosec B105  # words for people
    }
    return hints.get(error.reason, "")
