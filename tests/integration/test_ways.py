"""The memory of ways and the browser's budget in a real Redis, shared by several processes."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from jobs.models import WaySwitch
from jobs.upstream import browser_budget, way_switches, ways
from jobs.upstream.browser_budget import BrowserBudget
from jobs.upstream.ways import HOURS, KEPT_S, Ways
from tests.integration.conftest import RedisServer
from tests.memory import forget_tiktok


def run(*steps: Any) -> list[Any]:
    """The results of coroutines, one after the other."""

    async def all_of_them() -> list[Any]:
        return [await step for step in steps]

    return asyncio.run(all_of_them())


@pytest.mark.usefixtures("redis_server")
def test_what_one_worker_learns_the_others_know() -> None:
    here, there = Ways(), Ways()
    run(here.served("direct"), there.served("direct"))
    run(here.refused("direct", "challenged", rests=True), there.served("browser"))
    run(there.failed("gallery-dl", "exit code 3"))
    known = ways.records()
    direct = known["direct"]
    assert (direct.served, direct.refused, direct.failed) == (2, 1, 0)
    assert (direct.tries, direct.refused_code) == ("ssr", "challenged")
    assert direct.served_at
    assert direct.bad_since
    assert direct.refused_at
    assert direct.served_at <= direct.bad_since == direct.refused_at
    assert direct.resting_until
    assert 55 < direct.resting_until.timestamp() - time.time() <= 61
    assert (known["browser"].tries, known["browser"].resting_until) == ("s", None)
    assert known["gallery-dl"].failed_reason == "exit code 3"
    assert run(there.resting()) == [{"direct", "gallery-dl"}]
    run(there.served("direct"))
    assert ways.records()["direct"].resting_until is None
    assert ways.records()["direct"].bad_since is None
    assert run(here.resting()) == [{"gallery-dl"}]


@pytest.mark.usefixtures("redis_server")
def test_a_way_that_was_not_there_is_known_until_it_is() -> None:
    memory = Ways()
    run(memory.failed("browser", "crashed"), memory.not_ready("browser", "no Chromium, @nora"))
    record = ways.records()["browser"]
    assert (record.is_unready, record.unready_reason) == (True, "no Chromium, @…")
    assert (record.failed, record.tries) == (1, "f")
    run(memory.not_ready("pigeon", "flown away"), memory.served("browser"))
    assert not ways.records()["browser"].is_unready


def test_of_many_refusals_in_a_row_the_first_is_kept_and_five_are(
    redis_server: RedisServer,
) -> None:
    memory = Ways()
    run(memory.served("direct"))
    run(*(memory.refused("direct", f"code_{n}", rests=True) for n in range(9)))
    record = ways.records()["direct"]
    assert (record.tries, record.refused, record.refused_code) == ("rrrrr", 9, "code_8")
    assert record.bad_since
    assert record.refused_at
    assert record.bad_since < record.refused_at
    with redis_server.client() as client:
        assert KEPT_S - 60 < int(client.ttl("storykeep:way:direct")) <= KEPT_S


def test_counts_are_bounded(redis_server: RedisServer) -> None:
    """Hours that are over go, and those of a clock that was ahead."""
    hour = int(time.time() // 3600)
    with redis_server.client() as client:
        for n in range(100):
            client.hset("storykeep:way:direct", f"n:{hour - n}:served", "2")
        client.hset("storykeep:way:direct", f"n:{hour + 5}:served", "1000")
        client.hdel("storykeep:way:direct", f"n:{hour}:refused")
        run(Ways().refused("direct", "refused", rests=False))
        fields = client.hkeys("storykeep:way:direct")
    counted = [field for field in fields if str(field).startswith("n:")]
    assert len(counted) == HOURS + 1
    assert ways.records()["direct"].served == 2 * HOURS


def test_switches_reach_every_worker(redis_server: RedisServer, monkeypatch: Any) -> None:
    monkeypatch.setattr(way_switches, "set_up", lambda: frozenset(ways.NAMES))
    worker = Ways()
    assert run(worker.switched_off()) == [frozenset()]
    way_switches.switch("browser", off=True, by=None)
    forget_tiktok()  # another process
    assert run(worker.switched_off()) == [{"browser"}]
    redis_server.stop()
    assert run(worker.switched_off()) == [{"browser"}]
    redis_server.start()  # and it has lost everything
    forget_tiktok()
    WaySwitch.objects.filter(name="browser").update(off=False)
    WaySwitch.objects.create(name="pigeon", off=True)
    way_switches.mirror()
    assert run(worker.switched_off()) == [frozenset()]
    with redis_server.client() as client:
        assert client.smembers("storykeep:ways_off") == {"-"}
        assert 86_000 < int(client.ttl("storykeep:ways_off")) <= 86_400


def test_the_budget_is_everyones(redis_server: RedisServer) -> None:
    limit = browser_budget.per_hour()
    assert browser_budget.left() == limit
    here, there = BrowserBudget(), BrowserBudget()

    async def at_once() -> list[bool]:
        return await asyncio.gather(*(who.take() for who in (here, there) for _ in range(limit)))

    assert sum(asyncio.run(at_once())) == limit
    assert browser_budget.left() == 0
    with redis_server.client() as client:
        assert client.zcard("storykeep:browser_visits") == limit
        assert int(client.ttl("storykeep:browser_visits")) <= 3600
        first: Any = client.zrange("storykeep:browser_visits", 0, 0)
        client.zadd("storykeep:browser_visits", {first[0]: time.time() - 3_601})
    assert browser_budget.left() == 1
    assert run(BrowserBudget().take()) == [True]
    with redis_server.client() as client:
        client.delete("storykeep:browser_visits")
        client.zadd("storykeep:browser_visits", {"ahead": time.time() + 86_400})
    assert browser_budget.left() == limit
