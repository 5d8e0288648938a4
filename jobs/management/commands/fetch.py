"""`manage.py fetch`: save stories into a folder, now, without queue and database."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from jobs.lines import read_lines
from jobs.ops.findings import clock_difference
from jobs.standalone import report, run, terminal
from jobs.standalone.client import RunRateLimit
from jobs.standalone.output_folder import FolderFull
from jobs.standalone.results import RunResult
from jobs.upstream import protocol
from stories.harvest import HarvestOptions
from stories.protocol.acceptance import check_newer
from stories.protocol.current import built_in, use
from stories.protocol.reading import PackRefused
from stories.protocol.signing import MAX_ENVELOPE_BYTES
from stories.targets import find_lines

MAX_STDIN_BYTES: Final = 8 * 1024 * 1024
BAD_INPUT: Final = 2
INTERRUPTED: Final = 130

EPILOG = """
A line is a name, a profile link, a story link or a short link; "-" reads lines from standard
input. What is already in DIR stays: the same file counts as saved, a different one of the same name
is left alone and the new one gets a number. Several authors get a folder each. Each story brings a
name_date_time_story.json.

Exit codes: 0 all there is was saved (an account without active stories counts), 1 some of it, or
TikTok's list leaves something out, 2 nothing, or bad input; 130 after Ctrl-C and 143 after SIGTERM:
what was finished stays, nothing is left half-written.
"""


class Command(BaseCommand):
    """Needs neither migrations nor Redis; the settings for outbound requests apply."""

    help = "Save the active stories behind names and links into a folder."
    requires_system_checks = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """A parser whose help ends with the exit codes."""
        return super().create_parser(prog_name, subcommand, epilog=EPILOG, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        """The lines and options."""
        parser.add_argument("lines", nargs="+", metavar="LINE", help="name or link; - for stdin")
        parser.add_argument(
            "--out", required=True, type=Path, metavar="DIR", help="made if missing"
        )
        parser.add_argument(
            "--zip", action="store_true", dest="zipped", help="one ZIP instead of loose files"
        )
        parser.add_argument(
            "--json", action="store_true", dest="as_json", help="nothing but JSON on stdout"
        )
        parser.add_argument(
            "--prefer",
            choices=("compatible", "highest"),
            default="compatible",
            help="H.264 that plays everywhere (default), or the largest, even HEVC",
        )
        parser.add_argument("--posts", action="store_true", help="save ordinary posts, too")
        parser.add_argument(
            "--audio",
            choices=("none", "m4a", "mp3"),
            default="none",
            help="the sound as a file of its own, too",
        )
        parser.add_argument(
            "--protocol", type=Path, metavar="FILE", help="a signed protocol pack, newer than this"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Fetch the lines and print the result. Always exits, with SystemExit."""
        terminal.escape_unencodable(sys.stdout)
        terminal.escape_unencodable(sys.stderr)
        try:
            result = self._fetch(options)
        except FolderFull as error:
            folder = terminal.printable(options["out"])
            self._print_error(f"cannot write into {folder}: {error.detail}")
            sys.exit(BAD_INPUT)
        except KeyboardInterrupt:
            self._print_error("interrupted")
            sys.exit(INTERRUPTED)
        if options["as_json"]:
            terminal.print_line(json.dumps(report.as_dict(result), indent=2), sys.stdout)
        sys.exit(result.exit_code)

    def _fetch(self, options: Mapping[str, Any]) -> RunResult:
        if options["protocol"]:
            self._use_pack(options["protocol"])
        lines = read_lines(self._lines(options["lines"]))
        if not lines:
            self._print_error("there is no name and no link in that")
            sys.exit(BAD_INPUT)
        env = settings.STORYKEEP
        out = Path(options["out"])
        with terminal.quiet_log(options["verbosity"]):
            display = terminal.Display(sys.stderr if options["as_json"] else sys.stdout, sys.stderr)
            with display:
                result = run.fetch(
                    lines,
                    into=out,
                    zipped=options["zipped"],
                    options=HarvestOptions(
                        prefer=options["prefer"],
                        posts=options["posts"],
                        audio=options["audio"],
                        posters=False,
                        zone=timezone.get_default_timezone(),
                    ),
                    rate_limit=RunRateLimit(env.list_rate, env.list_burst),
                    concurrency=env.item_concurrency,
                    listener=display,
                )
        display.print_summary(result, out)
        difference = clock_difference(result.clock_ahead_s)
        if difference:
            self._print_error(f"warning: {difference}")
        return result

    def _use_pack(self, path: Path) -> None:
        """Go by a signed pack for this run, or exit: what is older would know less."""
        try:
            with path.open("rb") as file:
                pack = protocol.read(file.read(MAX_ENVELOPE_BYTES + 1))
            check_newer(pack, built_in().version)
        except OSError as error:
            self._print_error(f"{terminal.printable(path)}: {error.strerror}")
            sys.exit(BAD_INPUT)
        except PackRefused as error:
            self._print_error(f"{terminal.printable(path)}: {error}")
            sys.exit(BAD_INPUT)
        use(pack)

    def _lines(self, arguments: list[str]) -> list[str]:
        """The lines that were typed, those of standard input in place of "-"."""
        lines: list[str] = []
        for argument in dict.fromkeys(arguments):
            if argument == "-":
                lines += find_lines(self._pasted_text(sys.stdin.buffer))
            else:
                lines.append(argument)
        return lines

    def _pasted_text(self, stdin: BinaryIO) -> str:
        content = stdin.read(MAX_STDIN_BYTES + 1)
        if len(content) > MAX_STDIN_BYTES:
            self._print_error("that is too much on standard input; 8 MiB is the most")
            sys.exit(BAD_INPUT)
        return content.decode("utf-8-sig", "replace")

    def _print_error(self, text: str) -> None:
        terminal.print_line(f"fetch: {text}", sys.stderr)
