"""A worker under a supervisor, as `manage.py up` runs it, with less patience."""

from __future__ import annotations

import dataclasses
import json
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings

from tests.fake_tiktok.proxy import FakeProxy
from tests.integration.conftest import ROOT, worker_environment
from webapp.processes import specs
from webapp.processes.specs import ProcessSpec

SILENT_AFTER_S = 12.0


class SupervisedWorkers:
    """Workers under a supervisor, and no other part. more: of its plan."""

    def __init__(
        self, folder: Path, proxy: FakeProxy, workers: Sequence[ProcessSpec], **more: Any
    ) -> None:
        plan = {
            "processes": [dataclasses.asdict(worker) for worker in workers],
            "host": "127.0.0.1",
            "port": 1,  # nobody listens: there is no web part
            "live_path": "/health/live",
            "greeting": [],
            **more,
        }
        path = folder / "plan.json"
        path.write_text(json.dumps(plan))
        self._log = folder / "up.log"
        script = ROOT / "webapp" / "processes" / "supervisor.py"
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-S", "-P", str(script), str(path)],
                cwd=ROOT,
                env=worker_environment(proxy) | {"PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        """What all of it has printed so far."""
        return self._log.read_text(errors="replace")

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


class Supervised(SupervisedWorkers):
    """A worker under a supervisor, with less patience than `manage.py up` has."""

    def __init__(self, folder: Path, proxy: FakeProxy) -> None:
        worker = dataclasses.replace(
            specs.worker(settings.STORYKEEP), silent_after_s=SILENT_AFTER_S, grace_s=2
        )
        super().__init__(folder, proxy, [worker], watch_every_s=2)

    def workers(self) -> list[int]:
        """Process ids of the workers that became ready, in their order."""
        return [int(pid) for pid in re.findall(r"worker-(\d+)@\S* ready", self.output)]
