"""What the worker sets up before it takes work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from kombu.asynchronous.timer import Timer

from jobs.ephemeral import heartbeats, log_lines, processes, progress
from jobs.fetching import bridge
from webapp import worker
from webapp.celery import app
from webapp.clock import Clock
from webapp.processes import memory, pulse


def test_a_worker_that_has_fetched_nothing_does_not_hold_the_client() -> None:
    script = """
import sys, django
django.setup()
import webapp.celery, webapp.clock, webapp.consumer, jobs.tasks, jobs.fetching.bridge
print(*sorted({"httpx", "curl_cffi", "av", "PIL", "stories.client"} & set(sys.modules)))
"""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "webapp.settings_worker"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[3],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []


def test_the_worker_takes_lines_from_its_own_queue_and_says_how_it_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[dict[str, Any]] = []

    class Worker:
        exitcode = 3

        def __init__(self, **options: Any) -> None:
            made.append(options)

        def start(self) -> None:
            made.append({"started": True})

    # The test process is neither to be frozen nor to be ended when it gives no sign of life.
    monkeypatch.setattr(memory, "freeze", lambda: None)
    monkeypatch.setattr(memory, "keep_meanwhile", lambda: made.append({"keeps": True}))
    monkeypatch.setattr(pulse, "begin", lambda _fd: None)
    monkeypatch.setattr(app, "Worker", Worker)
    monkeypatch.setattr(app, "steps", defaultdict(set))
    with warnings.catch_warnings():
        assert worker.work(7, "INFO") == 3
    keeps, options, started = made
    assert keeps == {"keeps": True}
    assert (options["concurrency"], options["loglevel"]) == (7, "INFO")
    assert options["queues"] == [app.conf.task_default_queue]
    assert started == {"started": True}
    with warnings.catch_warnings():
        worker.work(None, "INFO")
    assert made[-2]["concurrency"] == settings.STORYKEEP.item_concurrency


@pytest.fixture(autouse=True)
def _no_lines_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test process goes on logging as before."""
    monkeypatch.setattr(log_lines, "keep", lambda _process: None)


def steps() -> dict[str, Any]:
    """The steps the worker was given, by their names."""
    return {step.__name__: step for step in app.steps["worker"]}


def test_its_loop_is_a_scheduler_too_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "steps", defaultdict(set))
    monkeypatch.setattr(app, "Worker", lambda **_: SimpleNamespace(start=lambda: None, exitcode=0))
    monkeypatch.setattr(pulse, "begin", lambda _fd: None)
    monkeypatch.setattr(memory, "freeze", lambda: None)
    with warnings.catch_warnings():
        worker.work(1, "INFO")
    looks: list[str] = []
    monkeypatch.setattr(Clock, "tick", lambda _self: looks.append("look"))
    parent: Any = SimpleNamespace(timer=Timer())
    ticks = steps()["Ticks"](parent)
    ticks.start(parent)
    ((_eta, _priority, entry),) = parent.timer.queue
    entry()
    assert looks == ["look"]
    ticks.stop(parent)
    assert entry.canceled


def test_its_loop_gives_back_what_lines_have_freed_and_beats_no_more_once_it_is_stuck(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[str] = []
    responding = iter([True, False])
    monkeypatch.setattr(app, "steps", defaultdict(set))
    monkeypatch.setattr(app, "Worker", lambda **_: SimpleNamespace(start=lambda: None, exitcode=0))
    monkeypatch.setattr(pulse, "begin", lambda _fd: None)
    monkeypatch.setattr(pulse, "beat", lambda: calls.append("beat"))
    monkeypatch.setattr(heartbeats, "beat", lambda _name: calls.append("heartbeat"))
    monkeypatch.setattr(processes, "announce", lambda _name, **_: calls.append("announce"))
    monkeypatch.setattr(bridge, "responds", lambda: next(responding))
    monkeypatch.setattr(memory, "give_back", lambda: calls.append("give back"))
    monkeypatch.setattr(memory, "freeze", lambda: calls.append("freeze"))
    with warnings.catch_warnings():
        worker.work(1, "INFO")
    step = steps()["Heartbeat"]
    for _ in range(2):
        step.beat(step, SimpleNamespace(consumer=None))
    assert calls == ["freeze", "beat", "heartbeat", "announce", "give back", "give back"]


def test_signals_that_come_together_reach_its_own_handlers_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the machine's load: two that are sent may arrive as one, or as two."""
    monkeypatch.setattr(app, "steps", defaultdict(set))
    monkeypatch.setattr(app, "Worker", lambda **_: SimpleNamespace(start=lambda: None, exitcode=0))
    monkeypatch.setattr(pulse, "begin", lambda _fd: None)
    monkeypatch.setattr(memory, "freeze", lambda: None)
    monkeypatch.setattr(bridge, "responds", lambda: False)
    monkeypatch.setattr(progress, "set_worker_name", lambda _name: None)
    with warnings.catch_warnings():
        worker.work(1, "INFO")
    heard: list[int] = []
    numbers = signal.SIGTERM, signal.SIGINT, signal.SIGQUIT
    before = [signal.signal(number, lambda got, _frame: heard.append(got)) for number in numbers]
    try:
        parent: Any = SimpleNamespace(timer=Timer())
        steps()["Heartbeat"](parent).start(parent)
        for number in numbers:
            signal.raise_signal(number)
        assert heard == [signal.SIGTERM]
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
