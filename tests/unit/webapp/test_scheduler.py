"""The scheduler: when it sends what, and what a Redis that is away does to it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jobs.ephemeral import connection, heartbeats
from jobs.ephemeral.connection import RedisUnavailable
from jobs.queue import messages
from webapp import scheduler
from webapp.celery import app
from webapp.processes import pulse, redis_push, side_queue

ROOT = Path(__file__).parents[3]
EVERY_S = {messages.REPAIR: 15.0, messages.SWEEP: 60.0}


class Queue:
    """A broker, and the clock by which it is sent to."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.error: Exception | None = None
        self.sent: list[str] = []
        self.clock = scheduler.Clock(EVERY_S, self.push, lambda: self.now)

    def push(self, queue: str, message: str) -> None:
        if self.error:
            raise self.error
        assert queue == messages.SIDE_QUEUE
        self.sent.append(json.loads(message)["headers"]["task"].rpartition(".")[2])

    def run(self, seconds: float) -> list[str]:
        """What is sent while so many seconds go by."""
        self.sent.clear()
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + max(0.01, self.clock.tick()))
        self.clock.tick()
        return list(self.sent)


@pytest.fixture
def beats(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    beats: list[str] = []
    monkeypatch.setattr(pulse, "beat", lambda: beats.append("beat"))
    return beats


@pytest.fixture
def queue(beats: list[str]) -> Queue:
    return Queue()


def test_each_task_is_sent_once_an_interval_and_not_at_the_start(queue: Queue) -> None:
    assert queue.run(14) == []
    assert queue.run(46) == ["repair"] * 4 + ["sweep"]
    assert sorted(queue.run(600)) == ["repair"] * 40 + ["sweep"] * 10


def test_it_gives_a_sign_of_life_whenever_it_looks_and_looks_often_enough(
    queue: Queue, beats: list[str]
) -> None:
    queue.run(60)
    assert len(beats) >= 60 / pulse.BEAT_EVERY_S
    assert queue.clock.tick() <= pulse.BEAT_EVERY_S


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError(), TimeoutError(), redis_push.Refused("READONLY")], ids=repr
)
def test_a_redis_that_is_away_is_asked_again_and_told_once(
    queue: Queue, beats: list[str], error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.error = error
    assert queue.run(3_600) == []
    assert len(beats) >= 3_600 / pulse.BEAT_EVERY_S
    queue.error = None
    assert queue.run(0) == ["repair", "sweep"]
    lines = [line.partition(": ")[2] for line in capsys.readouterr().err.splitlines()]
    assert [line.partition(" (")[0] for line in lines] == ["Redis takes nothing", "Redis is back"]


@pytest.mark.parametrize(
    ("level", "count"), [("DEBUG", 2), ("INFO", 2), ("WARNING", 1), ("ERROR", 0)]
)
def test_it_says_no_more_than_is_asked_for(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], level: str,
    count: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(scheduler._Log, "levels", scheduler.LEVELS)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(pulse, "begin", lambda _fd: None)
    monkeypatch.setattr(scheduler, "Clock", lambda *_: SimpleNamespace(tick=lambda: sys.exit(0)))
    address = redis_push.Address()._asdict()
    with pytest.raises(SystemExit):
        scheduler.run({"every_s": {}, "address": address, "pulse_fd": None, "log_level": level})
    queue.error = TimeoutError()
    queue.run(60)
    queue.error = None
    queue.run(60)
    assert len(capsys.readouterr().err.splitlines()) == count


def test_a_message_expires_before_the_next_of_its_kind_but_one(queue: Queue) -> None:
    assert scheduler.EXPIRES_AFTER.total_seconds() <= heartbeats.SWEEP_EVERY_S


def test_what_it_sends_is_registered_and_runs_beside_the_pool() -> None:
    app.loader.import_default_modules()
    assert set(EVERY_S) == set(side_queue.HOUSEKEEPING_TASKS)
    assert set(EVERY_S) <= set(app.tasks)


def test_over_tls_it_sends_through_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    pushed: list[tuple[str, str]] = []

    class Server:
        def lpush(self, *value: str) -> None:
            pushed.append(value)  # type: ignore[arg-type]  # two words

    monkeypatch.setattr(connection, "write", lambda command: command(Server()))
    scheduler._through_the_library("aside", "x")
    assert pushed == [("aside", "x")]


@pytest.mark.parametrize(("reason", "error"), [("", ConnectionError), ("OOM", redis_push.Refused)])
def test_the_librarys_errors_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, reason: str, error: type[Exception]
) -> None:
    def refuse(_command: Any) -> None:
        raise RedisUnavailable(reason)

    monkeypatch.setattr(connection, "write", refuse)
    with pytest.raises(error):
        scheduler._through_the_library("aside", "x")


def test_it_needs_the_standard_library_alone() -> None:
    """Every module it loads by the time it runs: with -S no other could be found."""
    loads = (
        "import sys; from webapp import scheduler;"
        "from webapp.processes import pulse;"
        "scheduler.Clock({'x': 1.0}, print).tick();"
        "print(*sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", loads],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    ours = {name for name in loaded if name.partition(".")[0] in {"jobs", "webapp", "stories"}}
    assert ours == {
        "jobs",
        "jobs.queue",
        "jobs.queue.messages",
        "webapp",
        "webapp.processes",
        "webapp.processes.pulse",
        "webapp.processes.redis_push",
        "webapp.scheduler",
    }
    # Each of them would be a tenth of the process or more.
    assert not loaded & {"dataclasses", "inspect", "logging", "asyncio", "ssl", "threading"}
