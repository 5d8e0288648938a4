"""Progress a worker reports and a page reads, with a stand-in for Redis, and without one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis

from jobs.ephemeral import connection, progress
from jobs.ephemeral.connection import RedisUnavailable
from jobs.ephemeral.progress import ItemProgress, PackingReporter, Reporter

JOB, ITEM = uuid4(), uuid4()
FILE, OTHER = ("7512345678901234567", 1), ("7512345678901234567", 2)


class Pipeline:
    """Commands that are sent together, and all carried out once they are."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._sent: list[Callable[[], object]] = []

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def hset(self, *words: str) -> None:
        self._sent.append(lambda: self._server.put(*words))

    def expire(self, key: str, seconds: int) -> None:
        self._sent.append(lambda: self._server.renew(key, seconds))

    def execute(self) -> None:
        for command in self._sent:
            command()
        self._server.answer()


class Server:
    """The commands progress uses, on a dict; counts what a write costs.

    hangs: it carries out what it is sent, and its answer comes too late.
    """

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, str]] = {}
        self.ttl: dict[str, int] = {}
        self.writes = self.renewals = 0
        self.away = self.hangs = False

    def answer(self) -> None:
        if self.hangs:
            raise RedisUnavailable

    def pipeline(self, *, transaction: bool) -> Pipeline:
        assert not transaction
        return Pipeline(self)

    def hgetall(self, key: str) -> dict[str, str]:
        return dict(self.kept.get(key, {}))

    def delete(self, key: str) -> None:
        self.kept.pop(key, None)

    def hset(self, key: str, field: str, text: str) -> int:
        is_new = self.put(key, field, text)
        self.answer()
        return is_new

    def expire(self, key: str, seconds: int) -> None:
        self.renew(key, seconds)
        self.answer()

    def put(self, key: str, field: str, text: str) -> int:
        self.writes += 1
        is_new = field not in self.kept.get(key, {})
        self.kept.setdefault(key, {})[field] = text
        return int(is_new)

    def renew(self, key: str, seconds: int) -> None:
        self.renewals += 1
        self.ttl[key] = seconds


class Clock:
    """A clock that stands still until told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    fake = Server()

    def ask(question: Callable[[Any], Any]) -> Any:
        if fake.away:
            raise RedisUnavailable
        return question(fake)

    monkeypatch.setattr(progress, "execute", ask)
    monkeypatch.setattr(progress, "write", ask)
    return fake


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def reported() -> ItemProgress:
    return progress.read(JOB)[str(ITEM)]


def test_the_phases_of_an_item(server: Server, clock: Clock) -> None:
    reporter = Reporter(JOB, ITEM)
    assert (reported().phase, reported().found) == ("looking_up", None)
    assert reported().started_at is not None

    clock.now += 1
    reporter.found(2, expected={FILE: 1000, OTHER: 0}, already={("7", 1): 500})
    now = reported()
    assert (now.phase, now.found, now.files_done, now.files_total) == ("found", 2, 1, 3)

    clock.now += 1
    reporter.arriving(FILE, 100, None)
    now = reported()
    assert (now.phase, now.bytes_done, now.bytes_total) == ("saving", 600, 1500)

    clock.now += 2
    reporter.arriving(FILE, 400, None)
    assert reported().eta_s == pytest.approx(2 / 400 * 600)

    clock.now += 1
    reporter.file_done(FILE, 990)
    reporter.tick()
    assert (reported().files_done, reported().bytes_done) == (2, 1490)

    clock.now += 1
    reporter.checking()
    assert reported().phase == "checking"
    clock.now += 1
    reporter.file_done(OTHER, 10)
    assert (reported().files_done, reported().bytes_done, reported().bytes_total) == (3, 1500, 1500)
    clock.now += 1
    reporter.packing()
    assert reported().phase == "packing"


def test_a_line_that_is_saved_within_a_moment_is_told_of_once(server: Server, clock: Clock) -> None:
    reporter = Reporter(JOB, ITEM)
    clock.now += progress.WRITE_EVERY_S / 2
    reporter.found(1, expected={FILE: 1000}, already={})
    reporter.arriving(FILE, 1000, 1000)
    reporter.checking()
    reporter.file_done(FILE, 1000)
    assert server.writes == 1
    clock.now += progress.WRITE_EVERY_S / 2
    reporter.tick()
    assert (server.writes, reported().phase, reported().files_done) == (2, "saving", 1)


def test_a_second_mirror_does_not_count_twice(server: Server, clock: Clock) -> None:
    reporter = Reporter(JOB, ITEM)
    reporter.found(1, expected={FILE: 1000}, already={})
    reporter.arriving(FILE, 900, 1000)
    clock.now += 1
    reporter.arriving(FILE, 50, 1000)
    assert reported().bytes_done == 50


def test_a_file_that_does_not_come_is_not_waited_for(server: Server, clock: Clock) -> None:
    reporter = Reporter(JOB, ITEM)
    reporter.found(1, expected={FILE: 1000, OTHER: 1000}, already={})
    reporter.arriving(FILE, 900, 1000)
    clock.now += 1
    reporter.file_failed(FILE)
    assert (reported().bytes_done, reported().bytes_total) == (0, 1000)


def test_writes_are_few(server: Server, clock: Clock) -> None:
    reporter = Reporter(JOB, ITEM)
    reporter.found(1, expected={FILE: 10_000}, already={})
    reporter.arriving(FILE, 0, 10_000)
    before = server.writes
    for done in range(1000):
        clock.now += 0.01  # ten seconds in all
        reporter.arriving(FILE, done, 10_000)
    assert server.writes - before == pytest.approx(20, abs=1)
    reporter.arriving(FILE, 9999, 10_000)
    clock.now += 1
    reporter.tick()
    assert reported().bytes_done == 9999
    written = server.writes
    reporter.tick()
    assert server.writes == written


def test_files_that_come_and_are_checked_in_turns_are_few_writes(
    server: Server, clock: Clock
) -> None:
    files = [("7512345678901234567", position) for position in range(1, 101)]
    reporter = Reporter(JOB, ITEM)
    reporter.found(1, expected=dict.fromkeys(files[:2], 100), already={})
    before = server.writes
    for file in files:
        clock.now += 0.05  # five seconds in all
        reporter.arriving(file, 50, 100)
        reporter.checking()
        reporter.packing()
    assert server.writes - before == pytest.approx(10, abs=1)


def test_progress_is_kept_for_a_while_after_each_write(server: Server, clock: Clock) -> None:
    Reporter(JOB, ITEM)
    assert list(server.ttl.values()) == [progress.TTL_S]


def test_the_time_it_is_kept_for_is_renewed_now_and_then_and_when_redis_lost_it(
    server: Server, clock: Clock
) -> None:
    reporter = Reporter(JOB, ITEM)
    reporter.arriving(FILE, 1, 100)
    for _ in range(20):
        clock.now += progress.RENEW_S / 20
        reporter.arriving(FILE, 2, 100)
    assert (server.writes, server.renewals) == (21, 2)
    server.kept.clear()
    server.ttl.clear()
    clock.now += 1
    reporter.arriving(FILE, 3, 100)
    assert list(server.ttl.values()) == [progress.TTL_S]


@pytest.mark.parametrize(
    "begin", [Reporter, lambda job, item: PackingReporter(job, item, steps=9).step()]
)
def test_what_a_hanging_redis_carries_out_late_has_its_time(
    begin: Callable[..., object], server: Server, clock: Clock
) -> None:
    """Nobody is there any more to send a second command."""
    server.hangs = True
    begin(JOB, ITEM)
    assert server.kept
    assert list(server.ttl.values()) == [progress.TTL_S]


def test_after_a_write_that_failed_the_time_is_set_anew(server: Server, clock: Clock) -> None:
    reporter = Reporter(JOB, ITEM)
    server.away = True
    clock.now += 1
    reporter.arriving(FILE, 1, 100)
    server.away, server.hangs = False, True
    server.kept.clear()
    server.ttl.clear()
    clock.now += 1
    reporter.arriving(FILE, 2, 100)
    assert list(server.ttl.values()) == [progress.TTL_S]


# --- a ZIP ----------------------------------------------------------------------------------------


def test_a_zip_is_told_step_by_step_and_seldom(server: Server, clock: Clock) -> None:
    reporter = PackingReporter(JOB, ITEM, steps=200)
    assert progress.read(JOB) == {}, "it has not begun"
    percents = []
    for _ in range(400):  # more than was thought
        reporter.step()
        clock.now += 0.1
        percents.append(reported().percent)
    assert reported().phase == "packing"
    assert percents[0] == 0
    assert percents == sorted(percents)
    assert {25, 50, 75} <= {percent // 5 * 5 for percent in percents}
    assert percents[-1] == 99, "it is there when its row says so"
    assert server.writes <= 400 * 0.1 / progress.WRITE_EVERY_S + 1
    assert next(iter(server.ttl.values())) == progress.TTL_S


def test_a_zip_of_nothing_and_one_without_redis(server: Server) -> None:
    PackingReporter(JOB, ITEM, steps=0).step()
    assert reported().percent == 99
    server.away = True
    PackingReporter(JOB, ITEM, steps=3).step()


def test_forgetting(server: Server) -> None:
    Reporter(JOB, ITEM)
    progress.erase(JOB)
    assert progress.read(JOB) == {}


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{}", '{"phase": "saving", "started_at": "noon"}', "{"]
)
def test_what_another_version_wrote_is_left_out(server: Server, text: str) -> None:
    Reporter(JOB, ITEM)
    (key,) = server.kept
    server.kept[key]["other"] = text
    assert set(progress.read(JOB)) == {str(ITEM)}


def test_fields_of_a_newer_version_are_left_out(server: Server) -> None:
    Reporter(JOB, ITEM)
    (key,) = server.kept
    server.kept[key]["other"] = json.dumps({"phase": "saving", "mood": "good"})
    assert progress.read(JOB)["other"].phase == "saving"


def test_without_redis_nothing_is_told_and_nothing_breaks(server: Server) -> None:
    server.away = True
    reporter = Reporter(JOB, ITEM)
    reporter.found(1, expected={FILE: 1}, already={})
    reporter.arriving(FILE, 1, 1)
    reporter.file_done(FILE, 1)
    progress.erase(JOB)
    assert progress.read(JOB) == {}


def test_the_real_thing_without_a_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nobody = redis.Redis.from_url(f"unix://{tmp_path}/none.sock", decode_responses=True)
    monkeypatch.setattr(connection, "_client", lambda: nobody)
    assert progress.read(JOB) == {}
    assert not connection.accepts_writes()
