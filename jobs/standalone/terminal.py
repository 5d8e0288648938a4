"""The terminal of a run: a progress bar, lines of text, and a quiet log."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from jobs import left_out, text
from jobs.errors import Cancelled
from jobs.standalone.report import error_words, left_out_words
from jobs.standalone.results import LineResult, RunResult, SavedFile
from jobs.standalone.tally import Totals
from jobs.states import ItemState
from stories.errors import StoriesError

_BAR_FORMAT = "{desc} |{bar}| {n_fmt}/{total_fmt} [{rate_fmt}, {remaining} left]"


class Display:
    """A run's ProgressListener: a progress bar on a terminal, a line for each event elsewhere.

    A context manager, which removes the bar. out: for what succeeds. err: for what does not.
    """

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out, self._err = out, err
        self._bar: Any = None
        self._has_bar = out.isatty()

    def __enter__(self) -> Display:
        if self._has_bar:
            # A serial line does not know its size.
            has_size = os.get_terminal_size(self._out.fileno()).columns > 0
            tqdm.monitor_interval = 0  # no thread to refresh a bar that every event refreshes
            self._bar = tqdm(
                total=0,
                file=self._out,
                unit="B",
                unit_scale=True,
                bar_format=_BAR_FORMAT,
                dynamic_ncols=has_size,
                ncols=None if has_size else 80,
                nrows=None if has_size else 24,
                leave=False,
                desc="looking up",
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    # --- ProgressListener ---

    def line_started(self, line: LineResult) -> None:
        """Print that the pasted line is being looked up, where there is no bar."""
        if not self._has_bar:
            self._print(f"{line.line.text}: looking up")

    def stories_listed(self, line: LineResult) -> None:
        """A line with the number of stories, if there are any."""
        count = len(line.stories)
        if count:
            self._print(f"{line.line.text}: found {count} {_plural(count, 'story', 'stories')}")

    def file_saved(self, line: LineResult, file: SavedFile) -> None:
        """A line with the file's path; none for a file that waits to be packed."""
        if file.path is not None:
            facts = [_size(file.facts.size_bytes), *_remarks(file)]
            self._print(f"saved {printable(file.path)} ({', '.join(facts)})")

    def line_settled(self, line: LineResult) -> None:
        """The verdict; errors go to the error stream, with their codes."""
        if line.state == ItemState.EMPTY:
            why = error_words(line.error)[0] if line.error else "no public story"
            self._print(f"{line.line.text}: {why}")
        elif line.state == ItemState.DONE:
            count = len(line.stories)
            self._print(
                f"{line.line.text}: saved, {count} {_plural(count, 'story', 'stories')}, "
                f"{len(line.files)} {_plural(len(line.files), 'file', 'files')}"
            )
        else:
            self._print_errors(line)

    def progressed(self, totals: Totals) -> None:
        """Move the bar, if there is one."""
        if self._bar is None or not totals.files_total:
            return
        self._bar.total = totals.bytes_total
        self._bar.set_description_str(
            f"saving {totals.files_done} of {totals.files_total}", refresh=False
        )
        self._bar.update(totals.bytes_done - self._bar.n)

    # --- text ---

    def print_summary(self, result: RunResult, out: Path) -> None:
        """The last line: number and size of all files, and the folder or ZIP."""
        # A story that came by two lines has its files once.
        files = {file.path or file.name: file for line in result.lines for file in line.files}
        if result.signal is not None:
            self._print_error("interrupted")
        if not files:
            return
        size_bytes = sum(file.facts.size_bytes for file in files.values())
        bundle = result.bundle
        self._print(
            f"{len(files)} {_plural(len(files), 'file', 'files')}, {_size(size_bytes)}, "
            f"in {printable(bundle.path if bundle and bundle.path else out)}"
        )

    def _print_errors(self, line: LineResult) -> None:
        saved = sum(story.saved for story in line.stories)
        expected = sum(story.expected for story in line.stories)
        if line.state == ItemState.PARTIAL and saved < expected:
            self._print_error(f"{line.line.text}: only {saved} of {expected} saved")
        elif line.state == ItemState.PARTIAL:
            files = f"{len(line.files)} {_plural(len(line.files), 'file', 'files')}"
            self._print_error(f"{line.line.text}: saved in part, {files}")
        codes: set[str] = set()
        for entry in left_out.entries(line.left_out):
            codes.add(entry.code)
            message, hint = left_out_words(entry, line.details.get(entry.reason, ""))
            self._print_error(f"{line.line.text}: {entry.code}: {message} {hint}")
        for story in line.stories:
            if story.error is not None and not isinstance(story.error, Cancelled):
                codes.add(story.error.code)
                text = _error_text(story.error)
                self._print_error(f"{line.line.text}: {story.story.source_url}: {text}")
        if line.error is not None and line.error.code not in codes:
            self._print_error(f"{line.line.text}: {_error_text(line.error)}")

    def _print(self, text: str) -> None:
        self._write(text, self._out)

    def _print_error(self, text: str) -> None:
        self._write(f"fetch: {text}", self._err)

    def _write(self, text: str, stream: TextIO) -> None:
        if self._bar is not None:
            tqdm.write(text, file=stream)  # removes the bar and puts it back below
        else:
            print_line(text, stream)


def _error_text(error: StoriesError) -> str:
    message, hint = error_words(error)
    wait = "" if error.retry_after_s is None else f" Try again in {error.retry_after_s:.0f} s."
    return f"{error.code}: {message}{wait}{f' {hint}' if hint else ''}"


_REMARKS: Final = {
    "hevc": "HEVC",
    "odd_format": "few players open it",
    "no_sound": "no sound",
    "watermarked": "with watermark",
}
"""Labels that are worth a word, and the word."""


def _remarks(file: SavedFile) -> Iterator[str]:
    """What the person should know about a file before they rely on it."""
    yield from (_REMARKS[label] for label in file.facts.labels if label in _REMARKS)
    if not file.checked:
        yield "opened, but its format hides damage inside"


def _plural(count: int, singular: str, plural: str) -> str:
    return singular if count == 1 else plural


def _size(size_bytes: int) -> str:
    if size_bytes < 1_000_000:
        return f"{size_bytes / 1000:.0f} kB"
    return f"{size_bytes / 1_000_000:.1f} MB"


# --- streams ------------------------------------------------------------------------------------


def print_line(text: str, stream: TextIO) -> None:
    """Write a line and flush it. A reader that has gone (`| head`) does not end the run."""
    try:
        stream.write(f"{text}\n")
        stream.flush()
    except BrokenPipeError:
        null_fd = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null_fd, stream.fileno())
        os.close(null_fd)


def printable(path: Path) -> str:
    """A path as text that every terminal takes, whatever bytes it is made of."""
    return text.clean_text(os.fsencode(path).decode("utf-8", "replace"), 4096)


def escape_unencodable(stream: TextIO) -> None:
    """Have a stream write a character it cannot encode as its number, instead of an error."""
    reconfigure = getattr(stream, "reconfigure", None)  # not there when a test stands in
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


@contextmanager
def quiet_log(verbosity: int) -> Iterator[None]:
    """Log warnings and errors alone, unless verbosity is 2 or more, and off the bar's line."""
    root = logging.getLogger()
    before = root.level
    if verbosity < 2:
        root.setLevel(max(before, logging.WARNING))
    try:
        with logging_redirect_tqdm():
            yield
    finally:
        root.setLevel(before)
