"""Rests while Redis is away. What they do with Redis is in tests/integration/test_upstream.py."""

from __future__ import annotations

import pytest

from jobs.ephemeral.connection import RedisUnavailable
from jobs.upstream.rests import SharedRests
from stories.rests import RestState
from tests.memory import redis_stays_away

pytestmark = pytest.mark.anyio


async def test_without_redis_this_process_keeps_to_its_own() -> None:
    redis_stays_away()
    rests = SharedRests("storykeep:identity_rests")
    await rests.rest("chrome150")
    assert await rests.look(["chrome150", "plain"]) == RestState(resting=frozenset({"chrome150"}))
    await rests.wake("chrome150")
    assert await rests.look(["chrome150", "plain"]) == RestState()
    with pytest.raises(RedisUnavailable):
        rests.until()
