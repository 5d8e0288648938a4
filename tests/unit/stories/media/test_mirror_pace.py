"""How fast mirrors are, and when one is left."""

from __future__ import annotations

import asyncio

import pytest

from stories.media.arrived import Arrived
from stories.media.mirror_pace import (
    FAST_ENOUGH_BYTES_PER_S,
    LATELY_S,
    NOW_S,
    SLOW_BYTES_PER_S,
    SOON_S,
    WINDOW_S,
    MirrorChoice,
    MirrorLeft,
    MirrorPace,
    MirrorPaces,
)

FIRST, SECOND, THIRD = (f"https://{name}.tiktokcdn.com/x" for name in ("a", "b", "c"))
A, B = "a.tiktokcdn.com", "b.tiktokcdn.com"
LONG = 10 * SOON_S


def test_the_usual_rate_of_a_host_is_the_median_of_the_last_minute() -> None:
    paces = MirrorPaces()
    assert paces.lately(A, 0) is None
    for rate in (10, 1000, 20):
        paces.note(A, rate, 0)
    assert paces.lately(A, LATELY_S) == 20
    assert paces.lately(A, LATELY_S + 1) is None


def test_no_more_is_kept_than_a_few_hosts() -> None:
    paces = MirrorPaces()
    for number in range(1000):
        for _ in range(50):
            paces.note(f"v{number}.tiktokcdn.com", 1.0, 0)
    assert paces.lately("v999.tiktokcdn.com", 0) == 1
    assert paces.lately("v0.tiktokcdn.com", 0) is None


@pytest.mark.parametrize(
    ("rate", "known", "left"),
    [
        (SLOW_BYTES_PER_S - 1, None, True),
        (SLOW_BYTES_PER_S + 1, None, False),
        (SLOW_BYTES_PER_S + 1, (SLOW_BYTES_PER_S * 4 + 4, NOW_S), True),
        (SLOW_BYTES_PER_S + 1, (SLOW_BYTES_PER_S * 3, NOW_S), False),
        (SLOW_BYTES_PER_S - 1, (SLOW_BYTES_PER_S, NOW_S), False),
        # Measured a while ago: far slower is left, for a trial.
        (SLOW_BYTES_PER_S + 1, (SLOW_BYTES_PER_S * 9, NOW_S + 1), True),
        (SLOW_BYTES_PER_S + 1, (SLOW_BYTES_PER_S * 7, NOW_S + 1), False),
        (FAST_ENOUGH_BYTES_PER_S, (FAST_ENOUGH_BYTES_PER_S * 1000, 0), False),
    ],
)
def test_when_a_mirror_is_left(rate: float, known: tuple[float, float] | None, left: bool) -> None:
    paces, now = MirrorPaces(), 1000.0
    if known is not None:
        paces.note(B, known[0], now - known[1])
    choice = MirrorChoice([FIRST, SECOND], paces)
    assert choice.next() == FIRST
    assert choice.leave(FIRST, A, rate, LONG, now) is left
    assert choice.left == ({FIRST: rate} if left else {})
    assert not choice.leave(FIRST, A, rate, SOON_S - 1, now), "it will be here soon"


def test_a_mirror_on_the_same_host_is_no_other() -> None:
    choice = MirrorChoice([FIRST, FIRST + "?again"], MirrorPaces())
    choice.next()
    assert not choice.leave(FIRST, A, 1, LONG, 0)


def test_one_transfer_at_a_time_tries_what_nobody_knows() -> None:
    paces = MirrorPaces()
    choices = [MirrorChoice([FIRST, SECOND], paces) for _ in range(3)]
    for choice in choices:
        choice.next()
    assert [choice.leave(FIRST, A, 1, LONG, 0) for choice in choices] == [True, False, False]
    choices[0].next()
    # It is faster by far: now the others need not try.
    paces.note(B, 1e6, WINDOW_S)
    choices[0].leave(SECOND, B, 1e6, LONG, WINDOW_S)
    assert [choice.leave(FIRST, A, 1, LONG, WINDOW_S) for choice in choices[1:]] == [True, True]


def test_a_change_in_vain_keeps_everybody_where_they_are_for_a_minute() -> None:
    paces = MirrorPaces()
    first, second = (MirrorChoice([FIRST, SECOND, THIRD], paces) for _ in range(2))
    first.next()
    second.next()
    assert first.leave(FIRST, A, 1000, LONG, 0)
    first.next()
    assert not first.leave(SECOND, B, 1500, LONG, 10), "no gain, and so no further change"
    assert not second.leave(FIRST, A, 1000, LONG, 10)
    assert not second.leave(FIRST, A, 1000, LONG, 10 + LATELY_S - 1)
    assert second.leave(FIRST, A, 1000, LONG, 10 + LATELY_S)


def test_the_best_of_those_left_is_gone_back_to_once() -> None:
    choice = MirrorChoice([FIRST, SECOND, THIRD], MirrorPaces())
    choice.next()
    assert choice.leave(FIRST, A, 1000, LONG, 0)
    choice.next()
    assert choice.leave(SECOND, B, 5000, LONG, 10)
    choice.next()
    assert choice.leave(THIRD, "c.tiktokcdn.com", 100, LONG, 20)
    assert choice.next() == SECOND
    assert not choice.leave(SECOND, B, 1, LONG, 200), "kept, however slow it becomes"
    assert [choice.next(), choice.next(), choice.next()] == [FIRST, THIRD, None]


# --- one address --------------------------------------------------------------------------------


def measured(urls: list[str]) -> tuple[MirrorPace, MirrorPaces]:
    paces = MirrorPaces()
    choice = MirrorChoice(urls, paces)
    return MirrorPace(choice.next() or "", choice), paces


@pytest.mark.anyio
async def test_the_rate_is_that_of_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now[0], raising=False)
    pace, paces = measured([FIRST, SECOND])
    pace.opened(A)
    now[0] += WINDOW_S / 2
    pace.opened(A)
    here = Arrived(bytes_done=1000, total_bytes=10**6)
    pace.note(3000, here)
    assert paces.lately(A, now[0]) is None, "too early to say"
    now[0] += WINDOW_S / 2
    with pytest.raises(MirrorLeft, match="500 bytes"):
        pace.note(0, here)  # 3,000 bytes in four and two seconds of two connections
    assert paces.lately(A, now[0]) == 500


@pytest.mark.anyio
async def test_a_short_transfer_counts_when_it_brought_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now[0], raising=False)
    pace, paces = measured([FIRST])
    for size, rate in ((1000, None), (100_000, 100_000.0)):
        pace.opened(A)
        now[0] += 1
        pace.note(size, Arrived(bytes_done=size, total_bytes=size))
        pace.closed()
        assert paces.lately(A, now[0]) == rate
