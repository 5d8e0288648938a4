"""The record of pauses: what is read from it, and that it may be lost.

How it is written in Redis is in tests/integration/test_upstream.py.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.ephemeral.connection import RedisUnavailable
from jobs.upstream import pauses
from tests.memory import redis_stays_away


def test_without_redis_nothing_is_noted_and_nobody_knows() -> None:
    redis_stays_away()
    pauses.record(timezone.now(), "refused", 3)
    with pytest.raises(RedisUnavailable):
        pauses.recent(timezone.now(), timezone.now())


def test_those_that_touch_the_time_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()

    def entry(since_h: float, until_h: float) -> str:
        return json.dumps(
            {
                "since": (now + timedelta(hours=since_h)).timestamp(),
                "until": (now + timedelta(hours=until_h)).timestamp(),
                "code": "refused",
                "waited": 2,
            }
        )

    kept = [entry(1, 2), entry(-1, 1), entry(-25, -23), entry(-30, -29)]  # the first: a clock set
    monkeypatch.setattr(pauses, "execute", lambda _command: kept)
    found: tuple[Any, ...] = pauses.recent(now - timedelta(hours=24), now)
    assert [round((one.since - now).total_seconds() / 3600) for one in found] == [-25, -1]
    assert {(one.code, one.waited) for one in found} == {("refused", 2)}
