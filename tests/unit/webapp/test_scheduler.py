"""The scheduler process: the clock of the workers, alone."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jobs.ephemeral import processes
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
