"""The floor: curl fetching addresses it was given, which is the part nobody can leave out."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import meters


@dataclass(frozen=True, slots=True, kw_only=True)
class CurlRun:
    """One run of curl. cpu_s: user and system. peak_mib: of its one process."""

    wall_s: float
    cpu_s: float
    peak_mib: float


def fetch(media: dict[str, Any], folder: Path, *, proxy: str, ca: str) -> CurlRun:
    """Fetch every file of the fake's list at once. Raises RuntimeError unless all is there."""
    folder.mkdir()
    config = folder / "curl.conf"
    lines = [f'header = "{name}: {value}"' for name, value in media["headers"].items()]
    for number, file in enumerate(media["files"]):
        lines += [f'url = "{file["url"]}"', f'output = "{folder / f"{number}.media"}"']
    config.write_text("\n".join(lines))
    argv = [
        *("curl", "--parallel", "--parallel-max", "64", "--no-progress-meter", "--fail"),
        *("--http1.1", "--proxy", proxy, "--cacert", ca, "--config", str(config)),
    ]
    began = time.perf_counter()
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    # Not the kernel's ru_maxrss: that begins with what this process had when it forked.
    with meters.PeakWatch(process.pid) as memory:
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    sizes = [(folder / f"{number}.media").stat().st_size for number in range(len(media["files"]))]
    if process.returncode or sizes != [file["size"] for file in media["files"]]:
        raise RuntimeError(f"curl ended with {process.returncode}, or a file is not whole")
    shutil.rmtree(folder)
    return CurlRun(wall_s=wall_s, cpu_s=used.ru_utime + used.ru_stime, peak_mib=memory.rss_mib)
