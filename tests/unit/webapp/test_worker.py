"""What the worker sets up before it takes work."""

from __future__ import annotations

import warnings
from collections import defaultdict
from typing import Any

import pytest

from webapp import worker
from webapp.celery import app


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

    monkeypatch.setattr(app, "Worker", Worker)
    monkeypatch.setattr(app, "steps", defaultdict(set))
    with warnings.catch_warnings():
        assert worker.work(7, "INFO") == 3
    options, started = made
    assert (options["concurrency"], options["loglevel"]) == (7, "INFO")
    assert options["queues"] == [app.conf.task_default_queue]
    assert started == {"started": True}
