"""The all-clear: one look at Redis, kept for a moment, and ended by what this process changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jobs.ephemeral.connection import RedisUnavailable
from jobs.upstream import all_clear as module
from jobs.upstream import breaker
from jobs.upstream.all_clear import KEPT_S, KEYS, AllClear
from jobs.upstream.page_identity import PageIdentity
from jobs.upstream.rests import SharedRests
from jobs.upstream.ways import Ways
from stories.errors import Refused
from stories.rests import RestState
from tests.memory import redis_stays_away


class Redis:
    """The one command, counted. present: of KEYS, those that exist."""

    def __init__(self) -> None:
        self.present: set[str] = set()
        self.looks = 0
        self.away = False
        self.meanwhile: Callable[[], None] = lambda: None

    def exists(self, *keys: str) -> int:
        self.looks += 1
        found = len(self.present.intersection(keys))
        self.meanwhile()
        return found


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Redis:
    fake = Redis()

    def execute(command: Callable[[Any], Any]) -> Any:
        if fake.away:
            raise RedisUnavailable
        return command(fake)

    monkeypatch.setattr(module, "execute", execute)
    return fake


def test_one_look_serves_for_a_moment(server: Redis) -> None:
    now = [100.0]
    clear = AllClear(lambda: now[0])
    assert [clear.holds() for _ in range(5)] == [True] * 5
    assert server.looks == 1
    now[0] += KEPT_S
    assert clear.holds()
    assert server.looks == 2


@pytest.mark.parametrize("key", KEYS)
def test_any_of_the_keys_stands_against_it(server: Redis, key: str) -> None:
    server.present = {key}
    clear = AllClear(lambda: 100.0)
    assert [clear.holds() for _ in range(5)] == [False] * 5
    assert server.looks == 1


def test_without_redis_nothing_is_clear_and_nothing_is_kept(server: Redis) -> None:
    server.away = True
    clear = AllClear(lambda: 100.0)
    assert not clear.holds()
    server.away = False
    assert clear.holds()


def test_what_this_process_changes_ends_it_at_once(server: Redis) -> None:
    clear = AllClear(lambda: 100.0)
    assert clear.holds()
    server.present = {KEYS[0]}
    clear.end()
    assert not clear.holds()


def test_a_look_that_was_under_way_when_something_changed_is_not_kept(server: Redis) -> None:
    clear = AllClear(lambda: 100.0)

    def change() -> None:
        server.meanwhile = lambda: None
        server.present = {KEYS[0]}
        clear.end()

    server.meanwhile = change
    assert not clear.holds()
    assert not clear.holds()
    assert server.looks == 2


@pytest.mark.anyio
async def test_while_it_holds_nobody_asks_redis_anything_else(server: Redis) -> None:
    module.all_clear.end()
    redis_stays_away()  # for every command but its own
    assert breaker.probe() is None
    assert not breaker.record_answer()
    breaker.raise_if_open()
    memory = PageIdentity()
    assert await memory.get() is None
    assert await memory.rests.look(["plain"]) == RestState()
    await memory.rests.wake("plain")
    assert await Ways().resting() == frozenset()
    assert server.looks == 1


def test_a_refusal_met_here_counts_here_at_once(server: Redis) -> None:
    module.all_clear.end()
    assert breaker.probe() is None
    redis_stays_away()
    server.away = True
    breaker.open_for(Refused())
    assert breaker.probe() is not None


@pytest.mark.anyio
async def test_a_rest_and_an_identity_begun_here_count_here_at_once(server: Redis) -> None:
    redis_stays_away()
    rests, memory = SharedRests(KEYS[3]), PageIdentity()
    assert await module.all_clear.holds_meanwhile()
    server.away = True
    await rests.rest("direct")
    assert not await module.all_clear.holds_meanwhile()
    server.away = False
    assert await module.all_clear.holds_meanwhile()
    server.away = True
    await memory.put("plain")
    assert (await rests.look(["direct"])).resting == {"direct"}
    assert await memory.get() == "plain"
