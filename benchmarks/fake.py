"""The fake TikTok as a process of its own: proxy, authority, and the files it serves."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.request import ProxyHandler, build_opener

from benchmarks.processes import ROOT, end

LATENCY_MS: Final = 80.0
BYTES_PER_S: Final = 4 * 1024 * 1024
"""Of each connection."""

_DIRECT = build_opener(ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Fake:
    """A fake TikTok in its own process. proxy: also where it is steered. ca: path, PEM."""

    pid: int
    proxy: str
    ca: str
    accounts: list[str]

    def media(self) -> dict[str, Any]:
        """Every file a saver would fetch, with addresses and headers that work in curl."""
        with _DIRECT.open(f"{self.proxy}/media?agent=curl", timeout=120) as answer:
            decoded: dict[str, Any] = json.load(answer)
        return decoded

    def strays(self) -> list[str]:
        """Hosts somebody asked for that are not TikTok's."""
        with _DIRECT.open(f"{self.proxy}/strays", timeout=10) as answer:
            decoded: list[str] = json.load(answer)
        return decoded


@contextmanager
def fake(
    scenario: str,
    folder: Path,
    *,
    latency_ms: float = LATENCY_MS,
    bytes_per_s: float | None = BYTES_PER_S,
) -> Iterator[Fake]:
    """Start it, and stop it at the end of the block. Encoding its media may take a minute once.

    bytes_per_s: of each connection; None = as fast as they come.
    """
    argv = [
        *(sys.executable, "-m", "tests.fake_tiktok", "--scenario", scenario, "--dir", str(folder)),
        *("--latency-ms", str(latency_ms), "--with-parent"),
    ]
    if bytes_per_s is not None:
        argv += ["--bytes-per-s", str(bytes_per_s)]
    process = subprocess.Popen(
        argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the fake TikTok did not start")
        ready = json.loads(line)
        yield Fake(process.pid, ready["proxy"], ready["ca"], ready["accounts"])
    finally:
        end(process, 10)
        process.stdout.close()
