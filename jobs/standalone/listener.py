"""ProgressListener: the calls a run makes while it works, for a display."""

from __future__ import annotations

from typing import Protocol

from jobs.standalone.results import LineResult, SavedFile
from jobs.standalone.tally import Totals


class ProgressListener(Protocol):
    """The calls come on the event loop, as things happen."""

    def line_started(self, line: LineResult) -> None:
        """The line is looked up now."""

    def stories_listed(self, line: LineResult) -> None:
        """The line's stories are known."""

    def file_saved(self, line: LineResult, file: SavedFile) -> None:
        """A file is complete: in its place, or waiting to be packed."""

    def line_settled(self, line: LineResult) -> None:
        """The line has its verdict; also a line that was refused from the start."""

    def progressed(self, totals: Totals) -> None:
        """More files or bytes have arrived."""
