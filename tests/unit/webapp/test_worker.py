"""What the worker sets up before it takes work."""

from __future__ import annotations

import warnings
from asyncio.sslproto import SSLProtocol
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest

from jobs.ephemeral import heartbeats
from jobs.fetching import bridge
from stories.http.network_backend import TLS_BUFFER_BYTES
from webapp import worker
from webapp.celery import app
from webapp.processes import memory, pulse


def test_tls_buffers_are_limited_before_the_worker_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[int] = []

    class Worker:
        exitcode = 0

        def __init__(self, **_: Any) -> None:
            limits.append(SSLProtocol.max_size)

        def start(self) -> None:
            limits.append(SSLProtocol.max_size)

    monkeypatch.setattr(SSLProtocol, "max_size", 256 * 1024)
    # The test process is neither to be frozen nor to be ended when it gives no sign of life.
    monkeypatch.setattr(memory, "freeze", lambda: None)
    monkeypatch.setattr(pulse, "begin", lambda _fd: None)
    monkeypatch.setattr(app, "Worker", Worker)
    monkeypatch.setattr(app, "steps", defaultdict(set))
    with warnings.catch_warnings():
        assert worker.work(1, "INFO") == 0
    assert limits == [TLS_BUFFER_BYTES] * 2


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
    monkeypatch.setattr(bridge, "responds", lambda: next(responding))
    monkeypatch.setattr(memory, "give_back", lambda: calls.append("give back"))
    monkeypatch.setattr(memory, "freeze", lambda: calls.append("freeze"))
    monkeypatch.setattr("stories.http.network_backend.limit_tls_buffers", lambda: None)
    with warnings.catch_warnings():
        worker.work(1, "INFO")
    (step,) = app.steps["worker"]
    for _ in range(2):
        step.beat(step, SimpleNamespace(consumer=None))
    assert calls == ["freeze", "beat", "heartbeat", "give back", "give back"]
