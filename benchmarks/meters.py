"""What processes cost, read from /proc (Linux): CPU seconds, peak memory, proportional memory."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

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


def cpu_s(pid: int, *, alone: bool = False) -> float:
    """CPU seconds of a process and, unless `alone`, its children, those that ended included."""
    total = 0
    for process_id in [pid] if alone else family(pid):
        with suppress(OSError):
            # The name in parentheses may hold anything; the numbers come after it.
            facts = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
            own, of_ended_children = facts[11:13], facts[13:15]
            counted = own + (of_ended_children if process_id == pid and not alone else [])
            total += sum(map(int, counted))
    return total / _TICKS_PER_S


def machine_cpu_s() -> float:
    """CPU seconds all processes of the machine have used since it started."""
    user, nice, system, _idle, _wait, irq, soft, *_ = Path("/proc/stat").read_text().split()[1:9]
    return sum(map(int, (user, nice, system, irq, soft))) / _TICKS_PER_S


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


_NAMES: Final = {
    "redis-server": "redis",
    "valkey-server": "redis",
    "gunicorn": "web",
    "webapp.web": "web",
    "webapp.worker": "worker",
    "scheduler": "scheduler",
}


def name_of(command: str) -> str:
    """Which part of an instance a command line is of."""
    return next((name for word, name in _NAMES.items() if word in command), command[:40])


def parts(pid: int) -> dict[str, list[int]]:
    """The direct children of an instance's supervisor by what they are; those named alike together.

    The supervisor is not among them.
    """
    named: dict[str, list[int]] = {}
    for task in _tasks(pid):
        with suppress(OSError):
            for child in map(int, (task / "children").read_text().split()):
                line = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                named.setdefault(name_of(line), []).append(child)
    return named


def cpu_by_part(pid: int) -> dict[str, float]:
    """CPU seconds of each part of an instance since it began."""
    used = {name: sum(map(cpu_s, pids)) for name, pids in parts(pid).items()}
    return {**used, "supervisor": cpu_s(pid, alone=True)}


def pss_by_part(pid: int) -> dict[str, float]:
    """PSS in MiB of each part of an instance now, and of all together as "total"."""
    sizes = {name: sum(map(pss_mib, pids)) for name, pids in parts(pid).items()}
    sizes["supervisor"] = _kib(f"/proc/{pid}/smaps_rollup", "Pss:") / 1024
    return {**sizes, "total": sum(sizes.values())}


def growth(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What each counter has grown by. A process that was replaced meanwhile began again at zero."""
    return {
        name: value - before.get(name, 0) if value >= before.get(name, 0) else value
        for name, value in after.items()
    }


class _Watch:
    """Calls `_look` now and then while the block runs, and once more at its end."""

    every_s = 0.2

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(self.every_s):
            self._look()

    def _look(self) -> None:
        raise NotImplementedError


class PeakWatch(_Watch):
    """The most memory one process and its children had; RSS is the kernel's own high-water mark."""

    def __init__(self, pid: int) -> None:
        super().__init__(pid)
        self.rss_mib = 0.0

    def _look(self) -> None:
        self.rss_mib = max(self.rss_mib, peak_rss_mib(self._pid))


class PartsWatch(_Watch):
    """The most PSS each part of an instance was seen with, and all of them at one moment."""

    def __init__(self, pid: int) -> None:
        super().__init__(pid)
        self.pss_mib: dict[str, float] = {}

    def _look(self) -> None:
        for name, size in pss_by_part(self._pid).items():
            self.pss_mib[name] = max(self.pss_mib.get(name, 0.0), size)
