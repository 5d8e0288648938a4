"""What is told of backups is known to all hosts; a failure stands until the next success."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jobs.ephemeral import backups
from jobs.ephemeral.backups import Told
from jobs.ephemeral.connection import RedisUnavailable

NOW = datetime(2026, 11, 28, 12, 5, tzinfo=UTC)


def test_without_redis_nothing_is_told_and_nothing_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_command: object) -> None:
        raise RedisUnavailable

    monkeypatch.setattr(backups, "write", away)
    monkeypatch.setattr(backups, "execute", away)
    backups.record_made(NOW, "daily", "nas")
    backups.record_failed(NOW, "no_room", "nas")
    with pytest.raises(RedisUnavailable):
        backups.last_made()


@pytest.mark.parametrize("text", [None, "", "x", "[]", "{}", '{"at": "x", "kind": 1}'])
def test_what_is_none_of_ours_is_nothing(text: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backups, "execute", lambda _read: text)
    assert backups.last_made() is None
    assert backups.last_failed() is None


def test_it_is_read_as_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    text = backups._text(NOW, "daily", "nas")
    monkeypatch.setattr(backups, "execute", lambda _read: text)
    assert backups.last_made() == Told(at=NOW, kind="daily", host="nas")
