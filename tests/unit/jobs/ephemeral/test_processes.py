"""What processes tell of themselves, with a Redis that is a dictionary."""

from __future__ import annotations

from typing import Any

import pytest

from jobs import VERSION
from jobs.ephemeral import connection, processes, steady
from jobs.ephemeral.connection import RedisUnavailable
from jobs.ephemeral.heartbeats import EXPIRES_AFTER_S


class Hash:
    """The commands in use, on a dictionary."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}

    def hset(self, _key: str, name: str, text: str) -> None:
        self.fields[name] = text

    def hdel(self, _key: str, *names: str) -> None:
        for name in names:
            self.fields.pop(name, None)

    def hgetall(self, _key: str) -> dict[str, str]:
        return dict(self.fields)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Hash:
    """Stands in for Redis."""
    made = Hash()
    monkeypatch.setattr(processes, "execute", lambda question: question(made))
    return made


def test_a_process_tells_its_version_and_since_when_it_runs(server: Hash) -> None:
    processes.announce("worker-7@nas", now=1000)
    processes.announce("scheduler-8@nas", now=1000)
    scheduler, worker = processes.running(now=1005)
    assert (worker.name, worker.kind, worker.version) == ("worker-7@nas", "worker", VERSION)
    assert scheduler.kind == "scheduler"
    assert worker.started_at == processes.STARTED_AT
    processes.withdraw("worker-7@nas")
    assert processes.running(now=1005) == (scheduler,)


def test_a_worker_tells_how_many_there_are_on_its_host(server: Hash) -> None:
    processes.announce("worker-7@nas", now=1000, workers=3)
    processes.announce("worker-8@attic", now=1000)
    one, other = processes.running(now=1005)
    assert (one.host, one.workers, other.host, other.workers) == ("nas", 3, "attic", 1)
    text = server.fields["worker-7@nas"]
    for nonsense in ('"many"', "-1", "1e99", "null"):
        server.fields["worker-7@nas"] = text.replace('"workers": 3', f'"workers": {nonsense}')
        assert server.fields["worker-7@nas"] != text
        assert {process.workers for process in processes.running(now=1005)} == {1}


@pytest.mark.parametrize(("set_by_s", "moves_by_s"), [(3600, 3600), (-3600, -3600), (5, 0)])
def test_since_when_it_runs_is_told_by_the_clock_as_it_stands(
    server: Hash, monkeypatch: pytest.MonkeyPatch, set_by_s: float, moves_by_s: float
) -> None:
    """A clock that was set for an hour since, or is adjusted."""
    steady_s = steady.now()
    monkeypatch.setattr(steady, "now", lambda: steady_s - set_by_s)
    processes.announce("worker-7@nas", now=1000)
    (worker,) = processes.running(now=1005)
    moved_s = (worker.started_at - processes.STARTED_AT).total_seconds()
    assert moved_s == pytest.approx(moves_by_s, abs=15)


@pytest.mark.parametrize("later", [EXPIRES_AFTER_S + 1, -3600])
def test_a_process_that_is_silent_is_forgotten(server: Hash, later: float) -> None:
    """Or one whose clock was ahead, before it was set right."""
    processes.announce("worker-7@nas", now=5000)
    assert processes.running(now=5000 + later) == ()
    assert server.fields == {}


def test_without_redis_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_question: Any) -> None:
        raise RedisUnavailable

    monkeypatch.setattr(processes, "execute", away)
    processes.announce("worker-7@nas")
    processes.withdraw("worker-7@nas")
    with pytest.raises(connection.RedisUnavailable):
        processes.running()
