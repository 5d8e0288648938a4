"""How far this server's clock is off TikTok's, as a worker last learnt it, for those who run it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final, cast

from jobs.ephemeral import values
from jobs.ephemeral.connection import RedisUnavailable, discard, execute
from stories.site_clock import SiteClock

_KEY: Final = "storykeep:clock_ahead"
KEPT_S: Final = 24 * 60 * 60
"""Seconds that a difference is told after it was learnt."""
_MOST_S: Final = 100 * 366 * 24 * 60 * 60.0


def reporting_clock() -> SiteClock:
    """A clock for a client on an event loop, which lets all processes know what it learns."""
    return SiteClock(on_learnt=_record_aside)


def _record_aside(ahead_s: float) -> None:
    # In a thread: nothing on the loop waits for Redis, and nobody for the outcome.
    asyncio.get_running_loop().run_in_executor(None, record, ahead_s)


def record(ahead_s: float) -> None:
    """Note the seconds that our clock is ahead of TikTok's; dropped while Redis is away."""
    with suppress(RedisUnavailable):
        execute(lambda server: server.set(_KEY, repr(ahead_s), ex=KEPT_S))


def ahead_s() -> float | None:
    """Seconds our clock is ahead of TikTok's, negative when behind; None when nobody knows.

    Raises RedisUnavailable.
    """
    text = execute(lambda server: cast("str | None", server.get(_KEY)))
    if text is None:
        return None
    ahead = values.number(text, -_MOST_S, _MOST_S)
    if ahead is None:
        discard(_KEY)
    return ahead
