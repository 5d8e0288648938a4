"""How long requests took, with a Redis that is a dictionary."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from jobs.ephemeral import connection, request_times
from jobs.ephemeral.request_times import BOUNDS_S, Series, Times

HOME, API = Series("home", "2xx"), Series("api:job", "4xx")


class Hash(dict[str, str]):
    """The commands in use, on one hash."""

    lives: timedelta | None = None

    def pipeline(self, *, transaction: bool) -> Hash:
        assert transaction
        return self

    def __enter__(self) -> Hash:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was begun."""

    def execute(self) -> None:
        """Each command is carried out at once."""

    def hincrby(self, _key: str, field: str, by: int) -> None:
        self[field] = str(int(self.get(field, 0)) + by)

    def hincrbyfloat(self, _key: str, field: str, by: float) -> None:
        self[field] = str(float(self.get(field, 0)) + by)

    def expire(self, _key: str, after: timedelta) -> None:
        self.lives = after

    def hgetall(self, _key: str) -> dict[str, str]:
        return dict(self)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Hash:
    stored = Hash()
    monkeypatch.setattr(connection, "_client", lambda: stored)
    return stored


def times(*seconds: float) -> Times:
    taken = Times.none()
    for one in seconds:
        taken.add(one)
    return taken


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0.0, 0), (0.01, 0), (0.011, 1), (10.0, 6), (99.0, 7)]
)
def test_a_request_is_counted_in_the_first_bucket_that_holds_it(
    seconds: float, bucket: int
) -> None:
    taken = times(seconds)
    assert [number for number, count in enumerate(taken.counts) if count] == [bucket]
    assert len(taken.counts) == len(BOUNDS_S)


def test_what_several_processes_count_is_added_up(server: Hash) -> None:
    request_times.record({HOME: times(0.005, 2.0), API: times(0.5)})
    request_times.record({HOME: times(0.006)})
    found = request_times.read()
    assert found[HOME].counts == [2, 0, 0, 0, 0, 1, 0, 0]
    assert found[HOME].total_s == pytest.approx(2.011)
    assert found[API].counts == [0, 0, 0, 0, 1, 0, 0, 0]
    assert server.lives == request_times.KEPT


def test_without_requests_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_client", lambda: pytest.fail("asked Redis"))
    request_times.record({})


@pytest.mark.parametrize(
    "strange",
    [
        {"home|2xx|0": "many"},
        {"home|2xx|-1": "3"},
        {"home|2xx|99": "3"},
        {"home|2xx|sum": "nan"},
        {"home": "3"},
        {"||0": "3"},
        {"a" * 300 + "|2xx|0": "3"},
        {'x"}\n|2xx|0': "3"},
    ],
)
def test_what_is_none_of_ours_counts_as_absent(server: Hash, strange: dict[str, Any]) -> None:
    request_times.record({HOME: times(0.2)})
    server.update(strange)
    found = request_times.read()
    assert list(found) == [HOME]
    assert sum(found[HOME].counts) == 1
