"""Instances as checks and dashboard see them: with Redis, workers and lines."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone

from jobs.ephemeral import (
    connection,
    damaged_files,
    heartbeats,
    media_hosts,
    orphan_files,
    progress,
)
from jobs.ephemeral.progress import ItemProgress
from jobs.models import Item
from jobs.upstream import breaker, pauses
from tests.factories import make_item, make_job, make_user


def make_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis answers, a worker lives, the clean-up came by, there is a folder."""
    now = timezone.now()
    monkeypatch.setattr(
        connection,
        "server_info",
        lambda: connection.ServerInfo(version="7.2.4", used_bytes=1_500_000, clock=now),
    )
    monkeypatch.setattr(connection, "probe_write", lambda: None)
    monkeypatch.setattr(breaker, "shared_state", lambda: None)
    monkeypatch.setattr(media_hosts, "recent", dict)
    monkeypatch.setattr(heartbeats, "last_seen", lambda: {"worker-7@attic-nas": now})
    monkeypatch.setattr(heartbeats, "last_sweep", lambda: heartbeats.Sweep(now, {"failed": 0}))


def clocks_of_servers() -> list[str]:
    """The clocks a check compares ours with, by part: PostgreSQL has one besides Redis'."""
    return ["clock", "dbclock"] if database.vendor == "postgresql" else ["clock"]


def stand_in_for_redis(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Redis says to the dashboard, two workers alive: change the dictionary."""
    monkeypatch.setattr(connection, "probe_write", lambda: None)
    now = timezone.now()
    answers: dict[str, Any] = {
        "heard": {"worker-1@nas": now, "worker-2@nas": now},
        "sweep": heartbeats.Sweep(now, {"expired": 3, "freed_bytes": 12_300_000, "failed": 0}),
        "progress": {},
        "breaker": None,
        "orphans": {},
        "damaged": 0,
    }
    monkeypatch.setattr(heartbeats, "last_seen", lambda: answers["heard"])
    monkeypatch.setattr(heartbeats, "last_sweep", lambda: answers["sweep"])
    monkeypatch.setattr(progress, "read_many", lambda _: answers["progress"])
    monkeypatch.setattr(breaker, "shared_state", lambda: answers["breaker"])
    monkeypatch.setattr(pauses, "recent", lambda since, now: ())
    monkeypatch.setattr(orphan_files, "by_place", lambda: answers["orphans"])
    monkeypatch.setattr(damaged_files, "count", lambda _now: answers["damaged"])
    return answers


def make_running(redis: dict[str, Any]) -> tuple[Item, Item, Item]:
    """Bob's lines in hand: of the second worker, of one that is gone, of nobody known."""
    job = make_job(make_user("bob"))
    mine, lost, late = (make_item(job, name="secret.name", state="running") for _ in range(3))
    redis["progress"] = {
        str(mine.pk): ItemProgress(
            phase="saving", files_done=2, files_total=5, bytes_done=12_000_000,
            bytes_total=30_000_000, worker="worker-2@nas",
        ),
        str(lost.pk): ItemProgress(phase="found", worker="worker-9@gone"),
    }  # fmt: skip
    return mine, lost, late


def make_settled(now: datetime) -> None:
    """Lines that settled within a day: five, of which three failed; and two that do not count."""
    for code, hours, state in (
        ("gone", 0, "failed"), ("gone", 3, "failed"), ("upstream_down", 3, "partial"),
        ("gone", 30, "failed"), ("cancelled", 0, "cancelled"), ("", 3, "done"), ("", 0, "empty"),
    ):  # fmt: skip
        at = now - timedelta(hours=hours)
        make_item(state=state, error_code=code, settled_at=at)
