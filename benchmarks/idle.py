"""What an instance takes that nobody uses: memory by process, CPU, time to its first page."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any, Final

from benchmarks import instance, meters

QUIET_S: Final = 8
"""From the first page until memory is read."""
WATCHED_S: Final = 10


def measure(home: Path, python: str) -> dict[str, Any]:
    """Start an instance in a new data folder, then once more, and leave the second one alone."""
    data, log = home / "idle", home / "idle.log"
    data.mkdir()
    measured: dict[str, Any] = {}
    for name in ("first_start_s", "next_start_s"):
        began = time.perf_counter()
        with instance.whole(log, python=python, data_dir=str(data)) as idle:
            measured[name] = time.perf_counter() - began
            if name == "next_start_s":
                time.sleep(QUIET_S)
                measured["pss_mib"] = meters.pss_by_part(idle.pid)
                before = sum(meters.cpu_by_part(idle.pid).values())
                time.sleep(WATCHED_S)
                used = sum(meters.cpu_by_part(idle.pid).values()) - before
                measured["cpu_share"] = used / WATCHED_S
    shutil.rmtree(data)
    return measured
