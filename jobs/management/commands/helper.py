"""`manage.py helper install|list|back|remove`: a separate program to ask TikTok with."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from jobs.ops import helper_install
from jobs.ops.helper_install import InstallError, Wheel
from jobs.upstream.client import client_config
from stories.helper.confinement import what_holds

NAMES: Final = ("gallery-dl",)
BAD_INPUT: Final = 2
_SHUT_IN: Final = {
    "files": "reads and writes its own folder alone",
    "ports": "reaches the network through the guard alone",
    "sockets": "opens no other kind of connection",
    "processes": "leaves nothing running",
    "signals": "ends nobody else",
}


class Command(BaseCommand):
    """Installs, lists, goes back to and removes versions of a helper."""

    help = (
        "Install gallery-dl beside Storykeep, in a folder of its own: another way of asking, for "
        "when TikTok refuses ours. It is shown and asked about first, and tried out before it is "
        "used. Exit code 0: done, 1: not done, 2: bad input."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What to do, and with which version."""
        deeds = parser.add_subparsers(
            dest="deed", required=True, metavar="install|list|back|remove"
        )
        install = deeds.add_parser("install", help="download, show, ask, try out, and use it")
        install.add_argument("name", choices=NAMES)
        install.add_argument("--version", dest="wanted", metavar="V", help="not the newest one")
        install.add_argument("--yes", action="store_true", help="do not ask")
        deeds.add_parser("list", help="what is installed")
        for deed, words in (("back", "use the version before"), ("remove", "remove every version")):
            deeds.add_parser(deed, help=words).add_argument("name", choices=NAMES)

    def handle(self, *_args: str, **options: Any) -> None:
        """Do it and say so. Raises CommandError."""
        folder = settings.STORYKEEP.helpers_dir
        try:
            match options["deed"]:
                case "install":
                    self._install(options["wanted"], yes=options["yes"])
                case "list":
                    self._list()
                case "back":
                    self.stdout.write(f"gallery-dl {helper_install.go_back(folder)} is used now.")
                case "remove":
                    was_there = helper_install.remove(folder)
                    self.stdout.write("Removed." if was_there else "It is not installed.")
        except InstallError as error:
            raise CommandError(f"{error}. Nothing was changed.") from error

    def _install(self, version: str | None, *, yes: bool) -> None:
        if not yes and not sys.stdin.isatty():
            raise CommandError(
                "there is no terminal to ask on; --yes answers yes", returncode=BAD_INPUT
            )
        self.stdout.write("Downloading gallery-dl, to show it ...")
        self.stdout.flush()
        done = helper_install.install(
            settings.STORYKEEP.helpers_dir,
            version=version,
            config=client_config(),
            confirm=lambda found, wheels: self._confirm(found, wheels, yes=yes),
        )
        if done is None:
            raise CommandError("not installed")
        self.stdout.write(f"gallery-dl {done} was tried out and is used now.")
        holds = what_holds(settings.STORYKEEP.helpers_dir)
        for word, told in _SHUT_IN.items():
            self.stdout.write(f"  {'yes' if word in holds else 'NO '}  {told}")

    def _confirm(self, version: str, wheels: Sequence[Wheel], *, yes: bool) -> bool:
        self.stdout.write(f"gallery-dl {version}, in these files (name, version, SHA-256):")
        for wheel in wheels:
            self.stdout.write(f"  {wheel.name} {wheel.version}\n    {wheel.sha256}")
        self.stdout.write(
            "It is a program by others, is run as this instance's user, and sees whom it asks for."
        )
        if yes:
            return True
        self.stdout.write("Install it? [y/N] ", ending="")
        self.stdout.flush()
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    def _list(self) -> None:
        found = helper_install.versions(settings.STORYKEEP.helpers_dir)
        if not found:
            self.stdout.write("Nothing is installed.")
        for version in found:
            used = "in use" if version.current else "kept"
            self.stdout.write(f"gallery-dl {version.version}  {used}")
            for wheel in version.wheels:
                self.stdout.write(f"  {wheel.name} {wheel.version}\n    {wheel.sha256}")
