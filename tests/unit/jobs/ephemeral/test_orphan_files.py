"""Files without a row that wait, with a Redis that is a dictionary."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs.ephemeral import orphan_files
from jobs.ephemeral.connection import RedisUnavailable
from jobs.ephemeral.orphan_files import WaitingOrphans

NOW = datetime(2026, 11, 20, tzinfo=UTC)
SOON = NOW + timedelta(minutes=9)


class Hash(dict[str, str]):
    """The commands in use, on a dictionary."""

    def pipeline(self, *, transaction: bool) -> Hash:
        assert not transaction
        return self

    def __enter__(self) -> Hash:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was begun."""

    def execute(self) -> None:
        """Each command is carried out at once."""

    def hset(self, _key: str, field: str, text: str) -> None:
        self[field] = text

    def hdel(self, _key: str, field: str) -> None:
        self.pop(field, None)

    def hgetall(self, _key: str) -> dict[str, str]:
        return self

    def expire(self, _key: str, _after: timedelta) -> None:
        """Nothing expires in a test."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Hash:
    server = Hash()
    monkeypatch.setattr(orphan_files, "execute", lambda question: question(server))
    monkeypatch.setattr(orphan_files, "write", lambda question: question(server))
    return server


def test_what_waits_is_added_up_and_forgotten_when_it_is_gone(server: Hash) -> None:
    assert orphan_files.total(orphan_files.by_place().values()) is None
    orphan_files.record(0, WaitingOrphans(15, 12_000_000, NOW))
    orphan_files.record(8, WaitingOrphans(1, 500, SOON))
    assert set(orphan_files.by_place()) == {0, 8}
    both = orphan_files.total(orphan_files.by_place().values())
    assert both == WaitingOrphans(16, 12_000_500, SOON)
    orphan_files.record(0, None)
    assert orphan_files.by_place() == {8: WaitingOrphans(1, 500, SOON)}


@pytest.mark.parametrize("text", ["", "[]", "7", '["a", 1, 2]', "[1, 2, 1e300]", "[1, 2, null]"])
def test_what_is_no_count_is_left_out(server: Hash, text: str) -> None:
    server["0"] = text
    assert orphan_files.by_place() == {}


def test_without_redis_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_question: Any) -> None:
        raise RedisUnavailable

    monkeypatch.setattr(orphan_files, "execute", away)
    monkeypatch.setattr(orphan_files, "write", away)
    orphan_files.record(0, WaitingOrphans(1, 1, NOW))
    assert orphan_files.by_place() == {}
