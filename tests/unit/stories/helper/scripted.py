"""Programs in place of gallery-dl: each a few lines of Python that may do anything."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

Write = Callable[[str], Callable[[], Sequence[str]]]


@dataclass
class NoProxy:
    """In place of the guard: an address where nobody listens."""

    url: str = "http://127.0.0.1:9"
    started: int = 0

    async def start(self) -> None:
        self.started += 1


def write_script(folder: Path, text: str) -> Callable[[], Sequence[str]]:
    """The command that runs these lines."""
    path = folder / "program.py"
    path.write_text("import os, sys, time, json\n" + textwrap.dedent(text))
    return lambda: [sys.executable, "-I", str(path)]
