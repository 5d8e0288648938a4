"""An instance on which every check passes."""

from __future__ import annotations

import pytest
from django.utils import timezone

from jobs.ephemeral import heartbeats, progress
from jobs.upstream import breaker


def make_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis answers, a worker lives, the clean-up came by, there is a folder."""
    now = timezone.now()
    monkeypatch.setattr(
        progress,
        "server_facts",
        lambda: progress.ServerFacts(version="7.2.4", used_bytes=1_500_000, clock=now),
    )
    monkeypatch.setattr(breaker, "standing", lambda: None)
    monkeypatch.setattr(heartbeats, "heard", lambda: {"worker-7@attic-nas": now})
    monkeypatch.setattr(heartbeats, "last_sweep", lambda: heartbeats.Sweep(now, {"failed": 0}))
