"""The cache of identities while Redis is away.

What it does with Redis is in tests/integration/test_upstream.py.
"""

from __future__ import annotations

import pytest

from jobs.upstream.identities import Identities
from stories.structures import Author
from tests.memory import redis_stays_away

pytestmark = pytest.mark.anyio


async def test_without_redis_nobody_is_remembered() -> None:
    redis_stays_away()
    cache = Identities()
    await cache.put(Author(id="1", name="one"))
    assert await cache.get("one") is None
    await cache.forget("one")
