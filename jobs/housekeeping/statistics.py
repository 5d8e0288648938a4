"""What SQLite knows of its tables: without numbers of rows it guesses which index is the best.

PostgreSQL looks by itself. SQLite has to be asked, and then reads a few hundred rows of each index.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from django.db import connection

REFRESH_EVERY_S: Final = 60 * 60.0
SAMPLE_ROWS: Final = 400
"""Rows read of each index, so that a look costs the same however many there are."""


class StatisticsRefresher:
    """Refreshes SQLite's statistics at the first call of a process, and hourly from then on.

    clock: seconds of a clock that nobody sets. For threads.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._refreshed_at: float | None = None

    def refresh(self) -> bool:
        """Have SQLite look at its tables when that is due; whether it did."""
        if connection.vendor != "sqlite":
            return False
        with self._lock:
            now = self._clock()
            if self._refreshed_at is not None and now - self._refreshed_at < REFRESH_EVERY_S:
                return False
            self._refreshed_at = now
        with connection.cursor() as cursor:
            # Not `PRAGMA optimize`: before SQLite 3.46 it looks at no table for the first time.
            cursor.execute(f"PRAGMA analysis_limit={SAMPLE_ROWS}")
            cursor.execute("ANALYZE")
        return True


refresher: Final = StatisticsRefresher()
"""This process's own."""
