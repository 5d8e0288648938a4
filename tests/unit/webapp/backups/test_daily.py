"""The daily backup: once a day over all hosts, again an hour after it failed, which is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.ephemeral import backups as told
from jobs.ephemeral import leases
from jobs.ephemeral.backups import Told
from jobs.ephemeral.connection import RedisUnavailable
from webapp.backups import daily, kept, making
from webapp.backups.failures import BackupFailed

NOW = datetime(2026, 11, 28, 12, 5, tzinfo=UTC)


class Shared:
    """What all hosts know by Redis; the backups of one of them."""

    def __init__(self) -> None:
        self.made: Told | None = None
        self.failed: Told | None = None
        self.is_leased = self.is_away = False
        self.fails = ""

    def ask(self, fact: str) -> Told | None:
        if self.is_away:
            raise RedisUnavailable
        value: Told | None = getattr(self, fact)
        return value

    def lease(self, *_: object, **__: object) -> bool:
        if self.is_away:
            raise RedisUnavailable
        return not self.is_leased

    def fail(self, at: datetime, reason: str, host: str) -> None:
        self.failed = Told(at=at, kind=reason, host=host)

    def make(self, kind: str, _passphrase: str, now: datetime) -> Path:
        assert kind == "daily"
        if self.fails:
            raise BackupFailed(self.fails, "?")
        path = kept.folder() / kept.file_name(now, "daily")
        path.touch()
        self.made, self.failed = Told(at=now, kind="daily", host="here"), None
        return path


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, set_env: Callable[..., None]) -> Shared:
    """A host of which nothing is known."""
    set_env(data_dir=tmp_path, backup_daily=True)
    (tmp_path / "backups").mkdir()
    known = Shared()
    monkeypatch.setattr(told, "last_made", lambda: known.ask("made"))
    monkeypatch.setattr(told, "last_failed", lambda: known.ask("failed"))
    monkeypatch.setattr(told, "record_failed", known.fail)
    monkeypatch.setattr(leases, "acquire", known.lease)
    monkeypatch.setattr(leases, "release", lambda _name: None)
    monkeypatch.setattr(making, "make", known.make)
    return known


def test_once_a_day_at_about_the_same_hour(shared: Shared) -> None:
    assert daily.run(NOW)
    assert not daily.run(NOW + timedelta(hours=23, minutes=50))
    assert daily.run(NOW + timedelta(hours=23, minutes=58))


def test_not_where_it_is_off(shared: Shared, set_env: Callable[..., None]) -> None:
    set_env(backup_daily=False)
    assert not daily.run(NOW)


def test_another_host_has_made_it_or_is_at_it(shared: Shared) -> None:
    shared.made = Told(at=NOW - timedelta(hours=3), kind="daily", host="nas")
    assert not daily.run(NOW)
    shared.made = Told(at=NOW - timedelta(hours=3), kind="manual", host="nas")
    shared.is_leased = True
    assert not daily.run(NOW)
    shared.is_leased = False
    assert daily.run(NOW)


def test_what_redis_has_forgotten_the_folder_knows(shared: Shared) -> None:
    assert daily.run(NOW)
    shared.is_away = True
    assert not daily.run(NOW + timedelta(hours=1))
    assert daily.run(NOW + timedelta(days=1))


def test_a_failure_is_told_until_one_was_made_and_tried_again_in_an_hour(shared: Shared) -> None:
    shared.fails = "no_room"
    assert not daily.run(NOW)
    assert shared.failed
    assert (shared.failed.at, shared.failed.kind) == (NOW, "no_room")
    shared.fails = ""
    assert not daily.run(NOW + timedelta(minutes=50))
    assert daily.run(NOW + timedelta(minutes=61))
    assert shared.failed is None


def test_one_that_somebody_makes_by_hand_just_now_is_no_failure(shared: Shared) -> None:
    shared.fails = "busy"
    assert not daily.run(NOW)
    assert shared.failed is None


def test_a_clock_that_was_set_back_keeps_none_from_being_made(shared: Shared) -> None:
    assert daily.run(NOW + timedelta(days=400))
    assert daily.run(NOW)
