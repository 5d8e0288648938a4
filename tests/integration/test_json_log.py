"""A whole instance that writes its log as JSON: not one line of it is anything else."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_up import Instance, wait_for

pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("up"),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc"),
]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    started = Instance(tmp_path, {"STORYKEEP_LOG_FORMAT": "json", "STORYKEEP_LOG_LEVEL": "DEBUG"})
    yield started
    if started.process.poll() is None:
        started.process.kill()
        started.process.wait()


def test_every_line_of_every_process_is_json(instance: Instance) -> None:
    instance.wait_for_line("ready at http")
    instance.wait_for_line(r"worker-\d+@\S+ ready")
    worker = instance.part("webapp.worker")
    os.kill(worker, signal.SIGUSR2)  # has it write where it is, as one that hangs does
    instance.wait_for_line("most recent call first")
    os.kill(worker, signal.SIGKILL)
    instance.wait_for_line(r"worker died \(killed by SIGKILL\)")
    assert instance.get("/health/live")[0] == 200
    instance.process.send_signal(signal.SIGTERM)
    wait_for(lambda: instance.process.poll() is not None, "an end")
    instance.reader.join(10)
    lines = [json.loads(line) for line in instance.lines]
    assert all({"time", "level", "logger", "message", "process", "pid"} <= set(x) for x in lines)
    parts = {line["process"] for line in lines}
    assert {"storykeep", "worker"} <= parts <= {"storykeep", "worker", "web", "redis"}
    assert lines[-1]["message"] == "stopped"
