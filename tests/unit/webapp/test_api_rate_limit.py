"""How often a token may ask."""

from __future__ import annotations

from webapp import api_rate_limit


def test_so_many_a_minute_for_each_token() -> None:
    now = 100.0
    kept = api_rate_limit.Turns(lambda: now)
    assert [kept.take(1, 3).left for _ in range(3)] == [2, 1, 0]
    now += 20
    refused = kept.take(1, 3)
    assert (refused.granted, refused.left, refused.ends_in_s) == (False, 0, 40)
    assert refused.headers == {
        "RateLimit-Limit": "3",
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": "40",
    }
    assert kept.take(2, 3).granted
    now += 40
    assert kept.take(1, 3) == api_rate_limit.Turn(True, 3, 2, 60)


def test_what_is_over_is_dropped() -> None:
    now = 0.0
    kept = api_rate_limit.Turns(lambda: now)
    for token in range(api_rate_limit._MANY + 1):
        kept.take(token, 1)
    now += api_rate_limit.WINDOW_S
    kept.take(0, 1)
    assert len(kept._windows) == 1
    kept.forget()
    assert not kept._windows
