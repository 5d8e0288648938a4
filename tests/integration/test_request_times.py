"""Times of requests that several web processes add up in a real Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jobs.ephemeral import request_times
from jobs.ephemeral.request_times import KEPT, Series
from tests.integration.conftest import RedisServer
from tests.memory import forget_redis
from webapp.request_times import Pending

HOME = Series("home", "2xx")


@pytest.fixture
def processes() -> Iterator[tuple[Pending, Pending]]:
    """Two of them."""
    both = Pending(), Pending()
    yield both
    for pending in both:
        if pending._timer is not None:
            pending._timer.cancel()


def test_two_processes_tell_the_same(
    redis_server: RedisServer, processes: tuple[Pending, Pending]
) -> None:
    for pending in processes:
        pending.add(HOME, 0.2)
        pending.add(Series("api:job", "4xx"), 0.02)
        pending.hand_on()
        pending.hand_on()  # nothing is handed on twice
    found = request_times.read()
    assert sum(found[HOME].counts) == 2
    assert found[HOME].total_s == pytest.approx(0.4)
    with redis_server.client() as client:
        assert 0 < client.ttl("storykeep:request-times") <= KEPT.total_seconds()


def test_counts_wait_for_a_redis_that_is_away(
    redis_server: RedisServer, processes: tuple[Pending, Pending]
) -> None:
    pending = processes[0]
    redis_server.stop()
    forget_redis()
    pending.add(HOME, 0.2)
    pending.hand_on()
    redis_server.start()
    pending.add(HOME, 0.2)
    pending.hand_on()
    assert sum(request_times.read()[HOME].counts) == 2


def test_a_key_of_another_type_does_not_stand_in_the_way(
    redis_server: RedisServer, processes: tuple[Pending, Pending]
) -> None:
    with redis_server.client() as client:
        client.set("storykeep:request-times", "none of ours")
    processes[0].add(HOME, 0.2)
    processes[0].hand_on()
    assert sum(request_times.read()[HOME].counts) == 1
