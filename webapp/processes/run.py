"""The run of an instance: what ends as one when the machine does, or the supervisor.

A line's row names the run of the process that held it, so that a power cut can be told from the
death of one worker (jobs/queue/holders.py).
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")


def run_name(*, supervised: bool, proc: Path = _PROC) -> str:
    """A name that is the same for processes that end together, and for no later ones; "" where
    the system does not tell.

    supervised: the process that started this one is the supervisor, which ends with all of it.
    """
    facts = [_boot(proc)]
    if supervised:
        facts += [str(os.getppid()), _started(proc, os.getppid())]
    if not any(facts):
        return ""
    return hashlib.blake2s(" ".join(facts).encode(), digest_size=8).hexdigest()


def _boot(proc: Path) -> str:
    try:
        return (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _started(proc: Path, process_id: int) -> str:
    """When a process started, in ticks since the machine did; "" where that is not told."""
    try:
        stat = (proc / str(process_id) / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    # The second field is the program's name in brackets, and may hold anything.
    return stat.rpartition(")")[2].split()[19]
