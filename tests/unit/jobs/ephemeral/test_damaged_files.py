"""How many files were found damaged lately, with a Redis that is a dictionary."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from jobs.ephemeral import damaged_files
from jobs.ephemeral.connection import RedisUnavailable

NOW = datetime(2026, 11, 20, tzinfo=UTC)
DAY = timedelta(days=1)


class Scores(dict[str, float]):
    """The commands in use, on a dictionary."""

    def pipeline(self, *, transaction: bool) -> Scores:
        assert not transaction
        return self

    def __enter__(self) -> Scores:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was begun."""

    def execute(self) -> None:
        """Each command is carried out at once."""

    def zadd(self, _key: str, members: dict[str, float]) -> None:
        self.update(members)

    def expire(self, _key: str, _after: timedelta) -> None:
        """Nothing expires in a test."""

    def zremrangebyscore(self, _key: str, first: float | str, last: float | str) -> None:
        for member, score in list(self.items()):
            if float(first) <= score <= float(last):
                del self[member]

    def zcount(self, _key: str, first: float, last: float) -> int:
        return sum(first <= score <= last for score in self.values())


def test_a_week_is_counted_and_a_file_once(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Scores()
    monkeypatch.setattr(damaged_files, "execute", lambda question: question(server))
    monkeypatch.setattr(damaged_files, "write", lambda question: question(server))
    one, other = uuid4(), uuid4()
    server["none of ours"] = float("inf")
    damaged_files.record([one], NOW - 8 * DAY)
    damaged_files.record([one], NOW - DAY)
    damaged_files.record([one, other], NOW)
    nobody: list[UUID] = []
    damaged_files.record(nobody, NOW)
    assert damaged_files.count(NOW) == len(server) == 2
    assert damaged_files.count(NOW + 8 * DAY) == 0


def test_without_redis_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_question: Any) -> None:
        raise RedisUnavailable

    monkeypatch.setattr(damaged_files, "execute", away)
    monkeypatch.setattr(damaged_files, "write", away)
    damaged_files.record([uuid4()], NOW)
    assert damaged_files.count(NOW) == 0
