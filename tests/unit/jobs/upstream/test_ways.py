"""The memory of ways while Redis is away, and what is read from it.

What it does with Redis is in tests/integration/test_ways.py.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from jobs.ephemeral.connection import RedisUnavailable
from jobs.upstream import rests, ways
from jobs.upstream.ways import TRIES, WayRecord, Ways
from stories.client import StoryClient
from stories.lookup import ways_of
from stories.ways import WayMemory
from tests.memory import redis_stays_away

NOW = datetime(2026, 11, 30, 12, 30, tzinfo=UTC)
HOUR = int(NOW.timestamp() // 3600)


def test_it_is_a_memory_of_ways() -> None:
    memory: WayMemory = Ways()
    for name, method in inspect.getmembers(WayMemory, inspect.isfunction):
        if not name.startswith("_"):
            signature = inspect.signature(getattr(Ways, name))
            assert signature == inspect.signature(method), (name, memory)


def test_every_way_of_the_client_is_known_in_its_order() -> None:
    class Anything:
        """In place of a browser, and of a program."""

    client = StoryClient(browser=cast("Any", Anything()))
    names = [way.name for way in ways_of(client)]
    assert names == [name for name in ways.NAMES if name in names]
    assert names[0] == ways.ALWAYS


@pytest.mark.anyio
async def test_without_redis_a_way_rests_in_this_process() -> None:
    redis_stays_away()
    memory = Ways()
    assert await memory.resting() == frozenset()
    await memory.refused("direct", "challenged", rests=True)
    await memory.failed("browser", "took more than 25 s")
    assert await memory.resting() == {"direct", "browser"}
    await memory.served("direct")
    assert await memory.resting() == {"browser"}
    with pytest.raises(RedisUnavailable):
        ways.records()


@pytest.mark.anyio
async def test_where_every_way_is_refused_none_of_them_rests() -> None:
    redis_stays_away()
    memory = Ways()
    await memory.refused("direct", "refused", rests=False)
    assert await memory.resting() == frozenset()


@pytest.mark.anyio
async def test_what_is_switched_off_stays_so_while_redis_is_away() -> None:
    redis_stays_away()
    assert await Ways().switched_off() == frozenset()
    ways.write_off(frozenset({"browser"}))
    assert await Ways().switched_off() == {"browser"}


@pytest.mark.anyio
async def test_of_a_redis_that_lost_it_nothing_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    redis_stays_away()
    ways.write_off(frozenset({"browser"}))

    class Server:
        """Redis with these members."""

        members = frozenset[str]()

        def smembers(self, _key: str) -> frozenset[str]:
            return self.members

    async def ask(command: Any) -> Any:
        return command(server)

    server = Server()
    monkeypatch.setattr(ways, "execute_in_thread", ask)
    assert await Ways().switched_off() == {"browser"}
    server.members = frozenset({"-", "gallery-dl", "carrier pigeon"})
    assert await Ways().switched_off() == {"gallery-dl"}
    server.members = frozenset({"-"})
    assert await Ways().switched_off() == frozenset()


@pytest.mark.anyio
async def test_a_name_that_is_not_known_is_not_remembered(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    redis_stays_away()
    monkeypatch.setattr(ways, "execute_in_thread", None)  # it would be called
    with caplog.at_level(logging.WARNING):
        await Ways().served("pigeon" * 100)
    assert len(caplog.messages[-1]) < 100


@pytest.mark.anyio
async def test_a_reason_tells_no_names_and_no_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[Any, ...]] = []

    class Server:
        """Writes down what it is asked."""

        def eval(self, *arguments: Any) -> int:
            sent.append(arguments)
            return 0

    async def ask(command: Any) -> Any:
        return command(Server())

    monkeypatch.setattr(ways, "execute_in_thread", ask)
    monkeypatch.setattr(rests, "execute_in_thread", ask)
    reason = "no @nora.films\x00\n at http://bob:pw@10.0.0.1/x?sig=abc " + "y" * 2_000
    await Ways().failed("browser", reason)
    noted = next(arguments for arguments in sent if arguments[2] == "storykeep:way:browser")
    word = noted[5]
    assert word.startswith("no @…   at http://…@…/x?… ")
    assert len(word) <= ways.MAX_REASON


# --- reading --------------------------------------------------------------------------------------


def read(facts: Mapping[str, str], ends: float | None = None) -> WayRecord:
    return ways._record("direct", facts, ends, NOW.timestamp())


def test_a_way_that_was_never_asked() -> None:
    assert read({}) == WayRecord(name="direct")


def test_what_was_counted_within_a_day() -> None:
    record = read(
        {
            f"n:{HOUR}:served": "2",
            f"n:{HOUR - 23}:served": "3",
            f"n:{HOUR - 24}:served": "100",
            f"n:{HOUR - 1}:refused": "4",
            f"n:{HOUR}:failed": "1",
            f"n:{HOUR}:danced": "7",
            f"n:{HOUR}": "8",
            "n:x:served": "9",
        }
    )
    assert (record.served, record.refused, record.failed) == (5, 4, 1)


def test_when_it_last_worked_and_why_not() -> None:
    at = NOW.timestamp()
    record = read(
        {
            "served_at": str(at - 60),
            "refused_at": str(at + 3_600),  # told by a clock that was ahead
            "refused_word": "challenged",
            "failed_word": "crashed",
            "tries": "sssrf",
            "bad_since": str(at - 30),
        },
        ends=at + 100,
    )
    assert record.served_at == NOW - timedelta(minutes=1)
    assert record.refused_at == NOW
    assert (record.refused_code, record.failed_reason) == ("challenged", "crashed")
    assert record.tries == "sssrf"
    assert len(record.tries) == TRIES
    assert record.bad_since == NOW - timedelta(seconds=30)
    assert record.resting_until == NOW + timedelta(seconds=100)
    assert read({"tries": "rs", "bad_since": str(at)}).bad_since is None


def test_whether_it_was_there_when_it_was_last_needed() -> None:
    at = NOW.timestamp()
    away = {"unready_at": str(at - 60), "unready_word": "no Chromium on the PATH"}
    record = read(away)
    assert (record.is_unready, record.unready_reason) == (True, "no Chromium on the PATH")
    assert record.unready_at == NOW - timedelta(minutes=1)
    assert record.asked_at is None
    assert read(away | {"failed_at": str(at - 61)}).is_unready
    assert not read(away | {"failed_at": str(at - 59)}).is_unready
    assert not read({}).is_unready


@pytest.mark.parametrize("value", ["", "soon", "NaN", "inf", "-1", "9" * 400, "x" * 100_000])
def test_what_is_none_of_ours_counts_as_absent(value: str) -> None:
    names = (
        f"n:{HOUR}:served",
        "n::",
        "served_at",
        "refused_at",
        "failed_at",
        "bad_since",
        "unready_at",
    )
    facts = dict.fromkeys((*names, "tries"), value) | {"refused_word": "x" * 100_000}
    assert read(facts) == WayRecord(name="direct")
