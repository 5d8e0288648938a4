"""What the trial tells: a line for each check, with its seconds, and at the end what failed."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager


class Abandoned(Exception):
    """A step failed without which the rest of its part says nothing."""


class Report:
    """The checks of a trial, as they come."""

    def __init__(self) -> None:
        self.held = 0
        self.failed: list[str] = []
        self._began = time.monotonic()

    def say(self, words: str) -> None:
        """A line for whoever watches."""
        print(words, flush=True)  # noqa: T201

    @contextmanager
    def check(self, words: str, *, needed: bool = False) -> Iterator[None]:
        """One check: what is done in the block holds. needed: without it, the part is abandoned.

        Raises Abandoned.
        """
        began = time.monotonic()
        try:
            yield
        except Abandoned:
            raise
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.failed.append(words)
            reason = str(error) or where.line or type(error).__name__
            self.say(f"FAILED {time.monotonic() - began:6.1f} s  {words}\n{_indented(reason)}")
            if needed:
                raise Abandoned from error
        else:
            self.held += 1
            self.say(f"ok     {time.monotonic() - began:6.1f} s  {words}")

    def summary(self) -> str:
        """How it went, in one line and one for each check that failed."""
        checks = self.held + len(self.failed)
        took = time.monotonic() - self._began
        head = f"{self.held} of {checks} checks hold, after {took / 60:.1f} minutes"
        return "\n".join([head, *(f"  not: {words}" for words in self.failed)])


def _indented(text: str) -> str:
    return "\n".join(f"         {line}" for line in text.splitlines()[-25:])
