"""`manage.py diagnose [NAME]`: what works and what does not, safe to paste in public.

With `--sign-in` what there is to know of a sign-in by a provider or a proxy instead.
With `--record` also what TikTok sent, made neutral: docs/protocol.md, "When an answer is new".
"""

from __future__ import annotations

import json
import logging
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from jobs import VERSION
from jobs.ops import diagnostics
from jobs.upstream.ways import ALWAYS, NAMES
from stories.errors import InputError

if TYPE_CHECKING:
    from jobs.ops.findings import Report
    from stories.neutral import Recorder
    from stories.structures import Target

BAD_INPUT: Final = 2
SAMPLE_FILE: Final = "tiktok-sample.json"
"""Where a sample is written when no file is named."""


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
        parser.add_argument(
            "--sign-in",
            action="store_true",
            dest="sign_in",
            help="look at the identity provider or the proxy that signs people in, at nothing else",
        )
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
        parser.add_argument("--language", metavar="CODE", help="of the findings in JSON")
        parser.add_argument(
            "--record",
            nargs="?",
            const=SAMPLE_FILE,
            metavar="FILE",
            help=(
                "write a neutral sample of what TikTok sent, for a report "
                f"(default: {SAMPLE_FILE}; - prints it in place of the findings)"
            ),
        )

    def handle(self, *_args: str, **options: Any) -> None:
        """Print the report; exit with 0 when nothing failed, else 1. Bad input: CommandError."""
        if options["sign_in"]:
            self._sign_in(options)
        target = _parse(options["name"])
        if target is None and options["way"] != ALWAYS:
            raise CommandError("--way needs an account to look at", returncode=BAD_INPUT)
        file: str | None = options["record"]
        recorder = _recorder(target) if file else None
        # What the parts have to log may name places and people; the report says what matters.
        logging.disable(logging.CRITICAL)
        try:
            report = diagnostics.run(target, options["way"], recorder)
        finally:
            logging.disable(logging.NOTSET)
        if file != "-":
            self._print(report, options)
        if file and recorder is not None and target is not None:
            self._record(recorder, target, file)
        sys.exit(0 if report.ok else 1)

    def _sign_in(self, options: dict[str, Any]) -> NoReturn:
        """Print what there is to know of the sign-in, and exit; where the provider has to send
        people back to goes to the error output, for it names this host."""
        from accounts.oidc import configured

        if options["name"] or options["record"] or options["as_json"]:
            raise CommandError("--sign-in goes with nothing else", returncode=BAD_INPUT)
        if not configured.is_on():
            self.stdout.write(_without_provider())
            sys.exit(0)
        from accounts.oidc import client, diagnosis

        logging.disable(logging.CRITICAL)
        try:
            findings = diagnosis.look()
        finally:
            logging.disable(logging.NOTSET)
        for finding in findings:
            self.stdout.write(str(finding))
        self.stderr.write(f"Redirect address to register there: {client.redirect_address()}")
        sys.exit(1 if any(finding.verdict == "fail" for finding in findings) else 0)

    def _print(self, report: Report, options: dict[str, Any]) -> None:
        if options["as_json"]:
            self.stdout.write(json.dumps(report.as_dict(options["language"]), indent=2))
        else:
            self.stdout.write(str(report))

    def _record(self, recorder: Recorder, target: Target, file: str) -> None:
        """Write the sample. Raises CommandError when there is none, or it cannot be written."""
        sample = recorder.sample(made_by=f"Storykeep {VERSION}", name=target.name or "")
        if not sample["answers"]:
            raise CommandError("TikTok sent nothing that could be recorded")
        text = json.dumps(sample, indent=1)
        if file == "-":
            self.stdout.write(text)
            return
        try:
            Path(file).write_text(f"{text}\n", encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}") from error
        self.stderr.write(f"A sample of what TikTok sent is in {file}.")


def _without_provider() -> str:
    """How people sign in here, where it is not by a provider."""
    env = settings.STORYKEEP
    if env.remote_user_header is None:
        return "People sign in by name and password or passkey: no provider and no header is set."
    return (
        f"People are signed in by the header {env.remote_user_header}, from"
        f" {len(env.proxy_networks)} addresses or networks, behind {env.trusted_proxies} proxies."
    )


def _parse(name: str | None) -> Target | None:
    """The account, or None for none. Raises CommandError for what is none."""
    if not name:
        return None
    try:
        return diagnostics.parse_account(name)
    except InputError as error:
        message = "that names no account; write it as @name"
        raise CommandError(message, returncode=BAD_INPUT) from error


def _recorder(target: Target | None) -> Recorder:
    """Raises CommandError where nobody would be asked for anything."""
    from stories.neutral import Recorder

    if target is None:
        raise CommandError("name an account to record", returncode=BAD_INPUT)
    return Recorder()
