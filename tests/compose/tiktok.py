"""The make-believe TikTok as a process of this machine, for instances in containers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from tests.compose.engine import NoEngine
from tests.compose.instance import ROOT


class TikTok:
    """A running one. proxy: the address containers reach it by; authority: its certificate, PEM.

    Raises NoEngine where it cannot listen for them.
    """

    def __init__(self, folder: Path, host: str) -> None:
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.fake_tiktok", "--with-parent"),
                *("--host", host, "--dir", str(folder)),
            ],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise NoEngine(f"this machine cannot listen on {host}, where containers would reach it")
        ready = json.loads(line)
        self.proxy: str = ready["proxy"]
        self.authority = Path(ready["ca"]).read_bytes()

    def people(self, prefix: str, count: int, min_bytes: int) -> list[str]:
        """Names of new accounts with one photo each."""
        names = [f"{prefix}{number}" for number in range(count)]
        for name in names:
            self._post("account", name=name)
            self._post("photo", account=name, min_bytes=min_bytes)
        return [f"@{name}" for name in names]

    def pace(self, bytes_per_s: float | None) -> None:
        """How fast each connection brings its bytes; None: as fast as it can."""
        self._post("pace", latency_s=0.0, bytes_per_s=bytes_per_s)

    def _post(self, what: str, **body: Any) -> None:
        answer = httpx.post(f"{self.proxy}/{what}", json=body, timeout=60)
        assert answer.status_code == 200, answer.text

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=30)
