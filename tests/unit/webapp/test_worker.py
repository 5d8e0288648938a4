"""What the worker sets up before it takes work."""

from __future__ import annotations

import warnings
from asyncio.sslproto import SSLProtocol
from collections import defaultdict
from typing import Any

import pytest

from stories.http.network_backend import TLS_BUFFER_BYTES
from webapp import worker
from webapp.celery import app


def test_tls_buffers_are_limited_before_the_worker_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[int] = []

    class Worker:
        exitcode = 0

        def __init__(self, **_: Any) -> None:
            limits.append(SSLProtocol.max_size)

        def start(self) -> None:
            limits.append(SSLProtocol.max_size)

    monkeypatch.setattr(SSLProtocol, "max_size", 256 * 1024)
    monkeypatch.setattr(app, "Worker", Worker)
    monkeypatch.setattr(app, "steps", defaultdict(set))
    with warnings.catch_warnings():
        assert worker.work(1, "INFO") == 0
    assert limits == [TLS_BUFFER_BYTES] * 2
