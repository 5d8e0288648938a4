"""Starting processes, waiting for them, and ending them."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]


def eventually(true: Callable[[], Any], what: str, within_s: float, every_s: float = 0.02) -> Any:
    """The first true answer. Raises RuntimeError when none comes."""
    deadline = time.monotonic() + within_s
    while not (answer := true()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {within_s:.0f} s")
        time.sleep(every_s)
    return answer


def end(process: subprocess.Popen[Any], within_s: float) -> None:
    """Ask a process to end, and kill it when it does not in time."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def running(
    argv: Sequence[str],
    log: Path,
    environment: Mapping[str, str],
    *,
    grace_s: float = 40,
    tree: Path = ROOT,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose output goes to `log`, ended at the end of the block. tree: where it runs."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv,
            cwd=tree,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            end(process, grace_s)


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
