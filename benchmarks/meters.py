"""What processes cost, read from /proc (Linux): CPU seconds, peak memory, proportional memory."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """The process and everything it started that is still there."""
    processes = [pid]
    for task in _tasks(pid):
        with suppress(OSError):
            for child in (task / "children").read_text().split():
                processes += family(int(child))
    return processes


def _tasks(pid: int) -> Iterator[Path]:
    with suppress(OSError):
        yield from Path(f"/proc/{pid}/task").iterdir()


def cpu_s(pid: int) -> float:
    """CPU seconds of a process and its children, those that ended included."""
    total = 0
    for process_id in family(pid):
        with suppress(OSError):
            # The name in parentheses may hold anything; the numbers come after it.
            facts = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
            total += sum(
                int(ticks) for ticks in (facts[11:15] if process_id == pid else facts[11:13])
            )
    return total / _TICKS_PER_S


def peak_rss_mib(pid: int) -> float:
    """VmHWM, summed over the process and its children: never less than what was used at once."""
    return sum(_kib(f"/proc/{process_id}/status", "VmHWM:") for process_id in family(pid)) / 1024


def pss_mib(pid: int) -> float:
    """Proportional set size now, summed over the process and its children."""
    return (
        sum(_kib(f"/proc/{process_id}/smaps_rollup", "Pss:") for process_id in family(pid)) / 1024
    )


def _kib(path: str, name: str) -> int:
    with suppress(OSError):
        for line in Path(path).read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    return 0


def settle(pid: int, *, quiet_s: float = 0.4, within_s: float = 20.0) -> None:
    """Wait until the process has used next to no CPU for a while: it is ready, and warmed up."""
    deadline = time.monotonic() + within_s
    before, since = cpu_s(pid), time.monotonic()
    while time.monotonic() < deadline:
        time.sleep(0.05)
        now = cpu_s(pid)
        if now - before > 0.015:
            before, since = now, time.monotonic()
        elif time.monotonic() - since >= quiet_s:
            return


class PeakWatch:
    """The most memory seen while the block runs, asked now and then; RSS is the kernel's
    own high-water mark, PSS is what was seen."""

    def __init__(self, pid: int) -> None:
        self.pss_mib = self.rss_mib = 0.0
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.3):
            self.pss_mib = max(self.pss_mib, pss_mib(self._pid))
            self.rss_mib = max(self.rss_mib, peak_rss_mib(self._pid))
