"""A shell that types `manage.py fetch`, and what its output folder holds."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.fake_tiktok.proxy import FakeProxy
from tests.integration.conftest import ROOT


class Shell:
    """Types `manage.py fetch …` with the settings a user would have."""

    def __init__(self, folder: Path, proxy: FakeProxy) -> None:
        self.data, self.out = folder / "data", folder / "out"
        self._env = {
            name: value
            for name, value in os.environ.items()
            if "PYTEST" not in name and not name.startswith(("STORYKEEP_", "DJANGO_"))
        } | {
            "STORYKEEP_DATA_DIR": str(self.data),
            "STORYKEEP_REDIS_URL": f"unix://{folder}/nobody-listens.sock",
            "STORYKEEP_PROXY": proxy.url,
            "STORYKEEP_CA_BUNDLE": proxy.ca_path,
            "STORYKEEP_LIST_RATE": "0",
        }

    def start(self, *typed: str, **options: Any) -> subprocess.Popen[str]:
        """Begin, and do not wait."""
        return subprocess.Popen(
            [sys.executable, "manage.py", "fetch", *typed, "--out", str(self.out)],
            cwd=ROOT,
            env=self._env | options.pop("env", {}),
            text=True,
            encoding="utf-8",
            **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            | options,
        )

    def fetch(
        self, *typed: str, pasted: str = "", **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Wait until it is over."""
        process = self.start(*typed, **options)
        out, err = process.communicate(pasted, timeout=60)
        assert "Traceback" not in err
        return subprocess.CompletedProcess(typed, process.returncode, out, err)

    def files(self) -> list[str]:
        """Everything in the folder, hidden or not."""
        return sorted(
            path.relative_to(self.out).as_posix()
            for path in self.out.rglob("*")
            if not path.is_dir()
        )


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


STAMP = re.compile(r"\d{4}-\d\d-\d\d_\d{4}")


def shapes(names: list[str]) -> list[str]:
    return [STAMP.sub("…", name) for name in names]
