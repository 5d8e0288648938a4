"""`manage.py diagnose [NAME]`: what works and what does not, safe to paste in public."""

from __future__ import annotations

import json
import logging
import sys
from argparse import ArgumentParser
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from jobs.ops import diagnostics
from jobs.upstream.ways import ALWAYS, NAMES
from stories.errors import InputError

BAD_INPUT: Final = 2


class Command(BaseCommand):
    """Prints a report, also while parts are down: that is when it is needed."""

    help = (
        "Look at database, Redis, worker, scheduler, disk and clock and, given the name of an "
        "account, once at TikTok: its profile, its list, and 1 KB of a file. The output holds "
        "nothing secret. Exit code 0: nothing failed, 1: something did, 2: bad input."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The account to probe TikTok through, and the form and language of the report."""
        parser.add_argument("name", nargs="?", metavar="NAME", help="an account, such as @name")
        parser.add_argument(
            "--way", choices=NAMES, default=ALWAYS, help="how TikTok is asked (%(default)s)"
        )
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
        parser.add_argument("--language", metavar="CODE", help="of the findings in JSON")

    def handle(self, *_args: str, **options: Any) -> None:
        """Print the report; exit with 0 when nothing failed, else 1. Bad input: CommandError."""
        target = None
        if options["name"]:
            try:
                target = diagnostics.parse_account(options["name"])
            except InputError as error:
                message = "that names no account; write it as @name"
                raise CommandError(message, returncode=BAD_INPUT) from error
        elif options["way"] != ALWAYS:
            raise CommandError("--way needs an account to look at", returncode=BAD_INPUT)
        # What the parts have to log may name places and people; the report says what matters.
        logging.disable(logging.CRITICAL)
        try:
            report = diagnostics.run(target, options["way"])
        finally:
            logging.disable(logging.NOTSET)
        if options["as_json"]:
            self.stdout.write(json.dumps(report.as_dict(options["language"]), indent=2))
        else:
            self.stdout.write(str(report))
        sys.exit(0 if report.ok else 1)
