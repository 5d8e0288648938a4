"""A worker that counts its SQL statements: `python -m benchmarks.counted_worker FILE ARGUMENTS…`.

FILE holds the count as text, kept up to date; the arguments are those of `webapp.worker`.
"""

from __future__ import annotations

import runpy
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Counter:
    """Counts the statements of every connection of the process, and writes the sum down."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._count = 0
        self._write()

    def wrap(self, **facts: Any) -> None:
        """Count on a connection that was just opened, for as long as it is."""
        wrappers = facts["connection"].execute_wrappers
        if self.counting not in wrappers:
            wrappers.append(self.counting)

    def counting(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        """Run one statement, and count it. BEGIN and savepoints are statements, too."""
        with self._lock:
            self._count += 1
            self._write()
        return execute(sql, params, many, context)

    def _write(self) -> None:
        self._file.write_text(str(self._count))


def main() -> None:
    """Become the worker."""
    from django.db.backends.signals import connection_created

    counter = Counter(Path(sys.argv[1]))
    connection_created.connect(counter.wrap, weak=False)
    sys.argv = ["webapp.worker", *sys.argv[2:]]
    runpy.run_module("webapp.worker", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
