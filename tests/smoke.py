"""Start an installed copy from nothing, see every part work, measure it, and stop it again.

Run with nothing but requirements/base.lock installed (`make smoke`): what only the test tools bring
along would be missed by the tests themselves. Standard library alone.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).parents[1]
PATIENCE_S = 60
IDLE_LIMIT_MIB = 170


def family(root: int) -> list[int]:
    """The process and everything it has started."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    processes, look = [], [root]
    while look:
        processes.append(look.pop())
        look += children.get(processes[-1], [])
    return processes


def memory_mib(pid: int) -> float:
    """What a process takes; shared pages are divided among those who share them."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    matched = re.search(r"^Pss: +(\d+) kB", rollup, re.MULTILINE)
    return int(matched[1]) / 1024 if matched else 0.0


def main() -> int:
    """0 when all is well."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="sk-smoke-") as folder:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("STORYKEEP_")}
        environment |= {"STORYKEEP_DATA_DIR": folder, "STORYKEEP_PORT": str(port)}
        began = time.monotonic()
        up = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines: list[str] = []
        assert up.stdout
        reader = threading.Thread(target=lines.extend, args=[up.stdout], daemon=True)
        reader.start()
        try:
            return watch(up, began, f"http://127.0.0.1:{port}", environment, lines)
        finally:
            if up.poll() is None:
                up.send_signal(signal.SIGTERM)
                up.wait(PATIENCE_S)
            reader.join(PATIENCE_S)
            sys.stdout.write("".join(lines))


def answers(address: str) -> bool:
    """Does a page come?"""
    try:
        with urlopen(address, timeout=5) as page:
            return bool(page.status == 200)
    except OSError:
        return False


def watch(
    up: subprocess.Popen[str],
    began: float,
    address: str,
    environment: dict[str, str],
    lines: list[str],
) -> int:
    """Wait for the first page and the worker, then measure."""
    check = [sys.executable, "-m", "webapp.worker", "--check"]

    def worker() -> bool:
        return not subprocess.run(check, cwd=ROOT, env=environment, check=False).returncode

    steps = {
        "first page": lambda: answers(f"{address}/login/"),
        "everything ready": lambda: answers(f"{address}/health/ready"),
        "worker alive": worker,
    }
    for name, done in steps.items():
        while not done():
            if up.poll() is not None or time.monotonic() - began > PATIENCE_S:
                print(f"FAILED: {name} never came")  # noqa: T201
                return 1
            time.sleep(0.05)
        print(f"{name} after {time.monotonic() - began:.1f} s")  # noqa: T201
    time.sleep(3)
    parts = family(up.pid)
    total = sum(memory_mib(pid) for pid in parts)
    print(f"{len(parts)} processes, {total:.0f} MiB (PSS)")  # noqa: T201
    died = [line for line in lines if " died " in line]
    return 1 if died or total > IDLE_LIMIT_MIB else 0


if __name__ == "__main__":
    sys.exit(main())
