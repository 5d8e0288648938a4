"""The scheduler process: the clock of the workers, alone."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jobs.ephemeral import processes
from jobs.ephemeral.connection import RedisUnavailable
from webapp import scheduler
from webapp.clock import LOOK_EVERY_S
from webapp.processes import pulse

ROOT = Path(__file__).parents[3]


def test_it_looks_and_gives_a_sign_of_life_often_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def sleep(seconds: float) -> None:
        calls.append(seconds)
        if len(calls) == 6:
            raise SystemExit

    told: list[str] = []
    monkeypatch.setattr(processes, "announce", lambda name, **_: told.append(name))
    monkeypatch.setattr(pulse, "beat", lambda: calls.append("beat"))
    monkeypatch.setattr(time, "sleep", sleep)
    with pytest.raises(SystemExit):
        scheduler.run(SimpleNamespace(tick=lambda: calls.append("tick")))  # type: ignore[arg-type]
    assert calls == ["tick", "beat", LOOK_EVERY_S] * 2
    assert LOOK_EVERY_S <= pulse.BEAT_EVERY_S
    (name,) = told  # not with every look
    assert name.startswith("scheduler-")


def test_it_loads_neither_models_nor_tasks() -> None:
    loads = "import sys; import webapp.scheduler; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", loads],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert "webapp.clock" in loaded
    assert not loaded & {"jobs.models", "jobs.tasks", "jobs.fetching", "httpx", "curl_cffi", "av"}


@pytest.mark.parametrize(
    ("names", "code"),
    [
        ([f"scheduler-1@{socket.gethostname()}"], 0),
        ([f"worker-1@{socket.gethostname()}", "scheduler-1@elsewhere"], 1),
        ([], 1),
    ],
)
def test_a_container_is_healthy_while_a_scheduler_of_its_own_tells_of_itself(
    monkeypatch: pytest.MonkeyPatch, names: list[str], code: int
) -> None:
    told = [
        processes.RunningProcess(name=name, version="1", started_at=datetime.now(UTC))
        for name in names
    ]
    monkeypatch.setattr(processes, "running", lambda: tuple(told))
    assert scheduler.check() == code


def test_a_scheduler_is_not_healthy_while_redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> list[Any]:
        raise RedisUnavailable

    monkeypatch.setattr(processes, "running", away)
    assert scheduler.check() == 1
