"""The identity to begin with while Redis is away, and when it answers again.

What it does with Redis is in tests/integration/test_upstream.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from jobs.ephemeral.connection import RedisUnavailable
from jobs.upstream import page_identity
from jobs.upstream.page_identity import PageIdentity
from tests.memory import redis_stays_away

pytestmark = pytest.mark.anyio


async def test_without_redis_this_process_remembers_by_itself() -> None:
    redis_stays_away()
    memory = PageIdentity()
    assert await memory.get() is None
    await memory.put("chrome146+referer")
    assert await memory.get() == "chrome146+referer"
    with pytest.raises(RedisUnavailable):
        page_identity.in_use()


def test_what_is_usual_depends_on_the_transport(set_env: Any) -> None:
    set_env(page_transport="curl")
    assert page_identity.is_usual("chrome150")
    assert not page_identity.is_usual("plain")
    set_env(page_transport="httpx")
    assert page_identity.is_usual("httpx")


@pytest.mark.parametrize(
    ("remembered", "name"), [(None, "chrome150"), ("plain", "plain"), ("netscape4", "chrome150")]
)
def test_a_name_of_another_version_is_the_usual_one(
    monkeypatch: pytest.MonkeyPatch, remembered: str | None, name: str, set_env: Any
) -> None:
    set_env(page_transport="curl")
    monkeypatch.setattr(page_identity, "execute", lambda _: remembered)
    assert page_identity.in_use() == name
