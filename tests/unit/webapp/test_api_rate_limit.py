"""How often a token may ask."""

from __future__ import annotations

from webapp import api_rate_limit
from webapp.api_rate_limit import Decision, FixedWindowLimiter


def test_so_many_a_minute_for_each_token() -> None:
    now = 100.0
    limiter = FixedWindowLimiter(lambda: now)
    assert [limiter.acquire(1, 3).remaining for _ in range(3)] == [2, 1, 0]
    now += 20
    refused = limiter.acquire(1, 3)
    assert (refused.allowed, refused.remaining, refused.resets_in_s) == (False, 0, 40)
    assert refused.headers == {
        "RateLimit-Limit": "3",
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": "40",
    }
    assert limiter.acquire(2, 3).allowed
    now += 40
    assert limiter.acquire(1, 3) == Decision(True, 3, 2, 60)


def test_what_is_over_is_dropped() -> None:
    now = 0.0
    limiter = FixedWindowLimiter(lambda: now)
    for token in range(api_rate_limit._MANY_WINDOWS + 1):
        limiter.acquire(token, 1)
    now += api_rate_limit.WINDOW_S
    limiter.acquire(0, 1)
    assert len(limiter._windows) == 1
