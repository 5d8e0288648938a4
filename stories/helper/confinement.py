"""The order that shuts a program in (launcher.py), and what of it holds on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LAUNCHER: Final = Path(__file__).with_name("launcher.py")
MIB: Final = 1024 * 1024

# What a Python needs to start, and to check certificates.
_SYSTEM: Final = (
    "/usr",
    "/bin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/ssl",
    "/etc/ld.so.cache",
    "/etc/localtime",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The rlimits of the program. cpu_s: seconds. memory, file: bytes. files: open at once."""

    cpu_s: int = 40
    memory: int = 1024 * MIB
    file: int = 16 * MIB
    files: int = 128


def shut_in(
    command: Sequence[str],
    *,
    write: Path,
    read: Sequence[Path],
    port: int,
    limits: Limits = Limits(),
) -> list[str]:
    """The command line that runs `command` shut in.

    write: the one folder it may change. read: what it may read beside the system's libraries. port:
    the one it may connect to; 0 for none.
    """
    order = {
        "write": [str(write)],
        "read": [
            *_SYSTEM,
            *(str(path) for path in Path("/etc").glob("python3*")),
            sys.base_prefix,
            sys.base_exec_prefix,
            *(str(path) for path in read),
        ],
        "port": port,
        "parent": os.getpid(),
        "limits": {
            "cpu": limits.cpu_s,
            "memory": limits.memory,
            "file": limits.file,
            "files": limits.files,
        },
    }
    return [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(order), *command]


def what_holds(folder: Path) -> frozenset[str]:
    """What the launcher can do on this machine: words of "files", "ports", "signals", "sockets",
    "processes"; none where the kernel knows nothing of it."""
    command = shut_in(["probe"], write=folder, read=(), port=1)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=20, env={}, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return frozenset()
    return frozenset(done.stdout.split())
