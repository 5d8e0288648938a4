"""Processes as the machine knows them: who started whom, what each takes, and free ports."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")


def eventually(
    question: Callable[[], T | None], within: float = 60, what: Callable[[], object] | str = ""
) -> T:
    """The first true answer; fails when none comes in time. what: what is waited for."""
    deadline = time.monotonic() + within
    while not (answer := question()):
        if time.monotonic() > deadline:
            said = what() if callable(what) else what
            pytest.fail(f"after {within} s still {answer!r}: {said}")
        time.sleep(0.05)
    return answer


def free_port() -> int:
    """A port of the loopback that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def on_host(name: str) -> list[str]:
    """What goes before a command for which this machine has another name; nothing without root."""
    words = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', name]
    if not shutil.which(words[0]):
        return []
    tried = subprocess.run([*words, "true"], capture_output=True, check=False)
    return [] if tried.returncode else words


def children_by_parent() -> dict[int, list[int]]:
    """Process id → ids of the living processes it has started."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(int(stat.parent.name))
    return children


def family(root: int) -> list[int]:
    """A process and all it has started, directly or not."""
    children, found, look = children_by_parent(), [], [root]
    while look:
        found.append(look.pop())
        look += children.get(found[-1], [])
    return found


def command_line(pid: int) -> str:
    """The command line of a process; "" when it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """The same signal to each that still lives."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def pss_mib(pid: int) -> float:
    """MiB of a process, shared pages divided among those who share them; 0 when it is gone."""
    with suppress(OSError):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        if matched := re.search(r"^Pss: +(\d+) kB", rollup, re.MULTILINE):
            return int(matched[1]) / 1024
    return 0.0


def descriptors(pid: int) -> int:
    """How many files, sockets and pipes a process has open."""
    with suppress(OSError):
        return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208  # a count, no paths
    return 0


def threads(pid: int) -> int:
    """How many threads a process has."""
    with suppress(OSError):
        return len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208  # a count, no paths
    return 0
