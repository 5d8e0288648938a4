"""`manage.py fetch`: save stories into a folder, now, without queue and database."""

from __future__ import annotations

import json
import logging
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, TextIO

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from jobs import text
from jobs.errors import Cancelled, Internal
from jobs.lines import read_lines
from jobs.standalone import run
from jobs.standalone.output_folder import FolderFull
from jobs.standalone.run import LineTaken, Saved, StoryTaken, Takeout, Totals
from jobs.states import ItemState
from jobs.zips.archive import moment, permalink
from stories.errors import (
    NotAStory,
    Refusal,
    StoriesError,
    UnsupportedLink,
    UpstreamChanged,
    UpstreamDown,
)
from stories.harvest import HarvestOptions
from stories.targets import find_lines

MOST_STDIN_BYTES: Final = 8 * 1024 * 1024
BAD_INPUT: Final = 2
INTERRUPTED: Final = 130

_SAYS_WHERE = (UnsupportedLink, UpstreamChanged, Internal, FolderFull)
_BAR = "{desc} |{bar}| {n_fmt}/{total_fmt} [{rate_fmt}, {remaining} left]"

EPILOG = """
A line is a name, a profile link, a story link or a short link; "-" reads lines from standard
input. What is already in DIR stays: the same file counts as saved, a different one of the same name
is left alone and the new one gets a number. Several authors get a folder each. Each story brings a
name_date_time_story.json.

Exit codes: 0 all there is was saved (an account without active stories counts), 1 some of it,
2 nothing, or bad input; 130 after Ctrl-C and 143 after SIGTERM: what was finished stays, nothing is
left half-written.
"""


class Command(BaseCommand):
    """Needs neither migrations nor Redis; the settings for outbound traffic apply."""

    help = "Save the active stories behind names and links into a folder."
    requires_system_checks = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """With what the exit codes mean."""
        return super().create_parser(prog_name, subcommand, epilog=EPILOG, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        """As the contract has them."""
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

    def handle(self, *args: Any, **options: Any) -> None:
        """Ends with SystemExit, always: the code is the answer."""
        as_json: bool = options["as_json"]
        _forgive(sys.stdout)
        _forgive(sys.stderr)
        try:
            taken = self._fetch(options)
        except FolderFull as error:
            where = _shown(str(options["out"]))
            self._complain(f"cannot write into {where}: {error.detail}")
            sys.exit(BAD_INPUT)
        except KeyboardInterrupt:
            self._complain("interrupted")
            sys.exit(INTERRUPTED)
        if as_json:
            _print(json.dumps(as_plain(taken), indent=2), sys.stdout)
        sys.exit(taken.exit_code)

    def _fetch(self, options: Mapping[str, Any]) -> Takeout:
        lines = read_lines(self._lines(options["lines"]))
        if not lines:
            self._complain("there is no name and no link in that")
            sys.exit(BAD_INPUT)
        env = settings.STORYKEEP
        out = Path(options["out"])
        with _quiet(options["verbosity"]):
            display = Display(sys.stderr if options["as_json"] else sys.stdout, sys.stderr)
            with display:
                taken = run.fetch(
                    lines,
                    into=out,
                    zipped=options["zipped"],
                    options=HarvestOptions(
                        prefer=options["prefer"],
                        posts=options["posts"],
                        audio=options["audio"],
                        posters=False,
                    ),
                    pace=run.Pace(env.list_rate, env.list_burst),
                    at_once=env.item_concurrency,
                    watch=display,
                )
        display.summary(taken, out)
        return taken

    def _lines(self, given: list[str]) -> list[str]:
        lines: list[str] = []
        for one in dict.fromkeys(given):
            if one == "-":
                lines += find_lines(self._pasted(sys.stdin.buffer))
            else:
                lines.append(one)
        return lines

    def _pasted(self, stdin: BinaryIO) -> str:
        content = stdin.read(MOST_STDIN_BYTES + 1)
        if len(content) > MOST_STDIN_BYTES:
            self._complain("that is too much on standard input; 8 MiB is the most")
            sys.exit(BAD_INPUT)
        return content.decode("utf-8-sig", "replace")

    def _complain(self, words: str) -> None:
        _print(f"fetch: {words}", sys.stderr)


# --- for people ---------------------------------------------------------------------------------


class Display:
    """Says what happens: a bar on a terminal, a line each elsewhere. Serves as `takeout.Watch`.

    out: for what goes well. err: for what does not.
    """

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out, self._err = out, err
        self._bar: Any = None
        self._live = out.isatty()

    def __enter__(self) -> Display:
        if self._live:
            # A serial line does not know its size.
            sized = os.get_terminal_size(self._out.fileno()).columns > 0
            tqdm.monitor_interval = 0  # no thread that wakes up for a bar nobody forgets to move
            self._bar = tqdm(
                total=0,
                file=self._out,
                unit="B",
                unit_scale=True,
                bar_format=_BAR,
                dynamic_ncols=sized,
                ncols=None if sized else 80,
                nrows=None if sized else 24,
                leave=False,
                desc="looking up",
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def looking_up(self, line: LineTaken) -> None:
        """Worth a line only where there is no bar."""
        if not self._live:
            self._say(f"{line.line.text}: looking up")

    def found(self, line: LineTaken) -> None:
        """How many there are."""
        count = len(line.stories)
        if count:
            self._say(f"{line.line.text}: found {count} {_plural(count, 'story', 'stories')}")

    def saved(self, line: LineTaken, file: Saved) -> None:
        """Where it lies."""
        if file.path is not None:
            self._say(f"saved {_shown(str(file.path))} ({_size(file.facts.size_bytes)})")

    def settled(self, line: LineTaken) -> None:
        """A verdict: what is missing goes to the error stream, with its code."""
        if line.state == ItemState.EMPTY:
            self._say(f"{line.line.text}: no active stories")
        elif line.state == ItemState.DONE:
            count = len(line.stories)
            self._say(
                f"{line.line.text}: saved, {count} {_plural(count, 'story', 'stories')}, "
                f"{len(line.files)} {_plural(len(line.files), 'file', 'files')}"
            )
        else:
            self._explain(line)

    def _explain(self, line: LineTaken) -> None:
        if line.state == ItemState.PARTIAL:
            saved = sum(story.saved for story in line.stories)
            expected = sum(story.expected for story in line.stories)
            self._warn(f"{line.line.text}: only {saved} of {expected} saved")
        told: set[str] = set()
        for story in line.stories:
            if story.error is not None and not isinstance(story.error, Cancelled):
                told.add(story.error.code)
                self._warn(f"{line.line.text}: {story.story.source_url}: {_verdict(story.error)}")
        if line.error is not None and line.error.code not in told:
            self._warn(f"{line.line.text}: {_verdict(line.error)}")

    def moved(self, totals: Totals) -> None:
        """The bar alone shows it."""
        if self._bar is None or not totals.files_total:
            return
        self._bar.total = totals.bytes_total
        self._bar.set_description_str(
            f"saving {totals.files_done} of {totals.files_total}", refresh=False
        )
        self._bar.update(totals.bytes_done - self._bar.n)

    def summary(self, taken: Takeout, out: Path) -> None:
        """The last line: how much, and where."""
        # What came by two lines lies there once.
        files = {file.path or file.name: file for line in taken.lines for file in line.files}
        if taken.signal is not None:
            self._warn("interrupted")
        if not files:
            return
        size_bytes = sum(file.facts.size_bytes for file in files.values())
        where = taken.bundle.path if taken.bundle else out
        self._say(
            f"{len(files)} {_plural(len(files), 'file', 'files')}, {_size(size_bytes)}, "
            f"in {_shown(str(where))}"
        )

    def _say(self, words: str) -> None:
        self._write(words, self._out)

    def _warn(self, words: str) -> None:
        self._write(f"fetch: {words}", self._err)

    def _write(self, words: str, to: TextIO) -> None:
        if self._bar is not None:
            tqdm.write(words, file=to)  # takes the bar away and puts it back below
        else:
            _print(words, to)


def _print(words: str, to: TextIO) -> None:
    """A line, at once. That nobody reads any more (`| head`) does not end the run."""
    try:
        to.write(f"{words}\n")
        to.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, to.fileno())
        os.close(nowhere)


def _verdict(error: StoriesError) -> str:
    message, hint = said(error)
    again = "" if error.retry_after_s is None else f" Try again in {error.retry_after_s:.0f} s."
    return f"{error.code}: {message}{again}{f' {hint}' if hint else ''}"


def said(error: StoriesError) -> tuple[str, str]:
    """What happened, with the place where that helps, and what to try."""
    detail = text.clean_text(error.detail, 300) if isinstance(error, _SAYS_WHERE) else ""
    message, hint = _(error.message), _(error.hint) if error.hint else ""
    # The words of pages speak of buttons, of copies that expire, and of a queue that tries again.
    if isinstance(error, UpstreamDown):
        hint = _("Try again; check the connection if it stays.")
    elif isinstance(error, Refusal):
        hint = _("Try again later. If it lasts for hours, another network or proxy helps.")
    elif isinstance(error, NotAStory):
        hint = _("Add --posts to save it all the same.")
    elif isinstance(error, Cancelled):
        message = _("Interrupted. What was finished stays.")
    return f"{message} ({detail})" if detail else message, hint


def _plural(count: int, one: str, many: str) -> str:
    return one if count == 1 else many


def _size(size_bytes: int) -> str:
    if size_bytes < 1_000_000:
        return f"{size_bytes / 1000:.0f} kB"
    return f"{size_bytes / 1_000_000:.1f} MB"


def _shown(path: str) -> str:
    """A path as text that every terminal takes, whatever bytes it is made of."""
    return text.clean_text(os.fsencode(path).decode("utf-8", "replace"), 4096)


def _forgive(stream: TextIO) -> None:
    """A terminal that lacks a character gets its number instead of an error."""
    reconfigure = getattr(stream, "reconfigure", None)  # not there when a test stands in
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


@contextmanager
def _quiet(verbosity: int) -> Iterator[None]:
    """Keep the log to what is wrong, unless asked for more, and off the bar's line."""
    root = logging.getLogger()
    before = root.level
    if verbosity < 2:
        root.setLevel(max(before, logging.WARNING))
    try:
        with logging_redirect_tqdm():
            yield
    finally:
        root.setLevel(before)


# --- for scripts --------------------------------------------------------------------------------


def as_plain(taken: Takeout) -> dict[str, Any]:
    """A run in the shape of the API's job, as far as there is something to say."""
    return {
        "state": taken.state.value,
        "items": [_line(line) for line in taken.lines],
        "bundle": _file(taken.bundle) if taken.bundle else None,
    }


def _line(line: LineTaken) -> dict[str, Any]:
    author = line.author
    return {
        "line": line.line.text,
        "kind": line.kind.value,
        "state": line.state.value,
        "error": _error(line.error),
        "author": author and {"id": author.id, "name": author.name, "nickname": author.nickname},
        "stories": [_story(story) for story in line.stories],
    }


def _story(taken: StoryTaken) -> dict[str, Any]:
    story = taken.story
    return {
        "id": story.id,
        "kind": story.kind.value,
        "posted_at": moment(story.posted_at),
        "leaves_tiktok_at": moment(story.leaves_at),
        "caption": story.caption,
        "source_url": permalink(story.source_url),
        "state": taken.state.value,
        "error": _error(taken.error),
        "files": [_file(file) for file in taken.files],
    }


def _file(file: Saved) -> dict[str, Any]:
    facts = file.facts
    return {
        "name": file.name,
        "content_type": facts.content_type,
        "size_bytes": facts.size_bytes,
        "sha256": facts.sha256,
        "width": facts.width,
        "height": facts.height,
        "duration_s": facts.duration_s,
        "has_audio": file.has_audio,
        "checked": True,
        "labels": list(facts.labels),
        "path": str(file.path.absolute()) if file.path else None,
    }


def _error(error: StoriesError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    message, hint = said(error)
    wait = error.retry_after_s
    return {
        "code": error.code,
        "message": message,
        "hint": hint,
        "retryable": error.retryable,
        "retry_after_s": None if wait is None else max(0, math.ceil(wait)),
    }
