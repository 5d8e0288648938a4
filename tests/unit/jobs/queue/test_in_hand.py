"""What a process has in hand: something alone, the others' share of the time, and memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jobs.queue import in_hand as holding
from jobs.queue.in_hand import BURST_S, LONGEST_ALONE_S, PATIENCE_S, InHand, Place
from jobs.queue.shutdown import shutdown_requested


class Clock:
    """Seconds that go forward when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def look_again(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """`look_again(seconds)`: threads that wait look again so often; until then, hardly ever."""

    def set_to(seconds: float) -> None:
        monkeypatch.setattr(holding, "_LOOK_AGAIN_S", seconds)

    set_to(60.0)
    return set_to


def begun(in_hand: InHand) -> Place:
    """A place of one who has one."""
    place = in_hand.begin()
    assert place
    return place


def until(true: Callable[[], Any]) -> None:
    while not true():
        time.sleep(0.001)


def until_alone(place: Place) -> None:
    """Returns once nothing is taken on beside it."""
    until(lambda: place.is_alone)


def test_as_many_as_there_are_threads_begin() -> None:
    in_hand = InHand()
    assert all(in_hand.begin() for _ in range(64))


def test_who_is_alone_waits_for_the_others_and_nobody_joins() -> None:
    in_hand = InHand()
    other, lonely = begun(in_hand), begun(in_hand)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(lonely.be_alone)
        until_alone(lonely)
        assert not in_hand.takes_more()
        assert in_hand.begin() is None
        assert other.must_yield
        assert not waiting.done()
        with other:
            pass
        assert waiting.result(30)
    assert not lonely.must_yield
    with lonely:
        assert in_hand.begin() is None
    assert in_hand.begin()


def test_who_turns_out_not_to_need_it_lets_others_in() -> None:
    in_hand = InHand()
    with begun(in_hand) as place:
        assert place.be_alone()
        place.share()
        assert not place.is_alone
        assert in_hand.begin()


def test_a_place_counts_once() -> None:
    in_hand = InHand()
    with begun(in_hand) as place, place:
        pass
    assert begun(in_hand).be_alone()


def test_of_two_who_would_be_alone_one_is() -> None:
    in_hand = InHand()
    first, second = begun(in_hand), begun(in_hand)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(first.be_alone)
        until_alone(first)
        assert not second.be_alone()
        second.__exit__()
        assert waiting.result(30)


def test_patience_ends_and_grows(clock: Clock, look_again: Any) -> None:
    look_again(0.001)
    in_hand = InHand(now=clock)
    begun(in_hand)
    for patience_s in (PATIENCE_S, 2 * PATIENCE_S, 4 * PATIENCE_S):
        with begun(in_hand) as place, ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(place.be_alone)
            until_alone(place)
            clock.now += patience_s - 1
            time.sleep(0.01)
            assert not waiting.done()
            clock.now += 1
            assert not waiting.result(30)
            assert not in_hand.may_empty(others_wait=True)  # they have as long as they waited
            clock.now += patience_s
            assert in_hand.may_empty(others_wait=True)


def test_others_have_as_long_as_they_were_kept_waiting(clock: Clock) -> None:
    in_hand = InHand(now=clock)
    for _ in range(3):  # one after the other, without a pause
        assert in_hand.may_empty(others_wait=True)
        with begun(in_hand) as place:
            assert place.be_alone()
            clock.now += BURST_S / 3
    assert not in_hand.may_empty(others_wait=True)
    assert in_hand.may_empty(others_wait=False)
    clock.now += BURST_S - 1
    assert not in_hand.may_empty(others_wait=True)
    clock.now += 1
    assert in_hand.may_empty(others_wait=True)


def test_nobody_is_to_be_alone_while_another_is() -> None:
    in_hand = InHand()
    with begun(in_hand) as place:
        assert place.be_alone()
        assert not in_hand.may_empty(others_wait=False)


def test_what_is_survived_for_long_keeps_nobody_out(clock: Clock) -> None:
    in_hand = InHand(now=clock)
    alone = begun(in_hand)
    assert alone.be_alone()
    clock.now += LONGEST_ALONE_S - 1
    assert not in_hand.takes_more()
    clock.now += 1
    other = begun(in_hand)
    assert not other.must_yield
    assert not other.be_alone()  # nor is another one tried alone beside it
    with alone, other:
        pass
    third = begun(in_hand)
    assert third.be_alone()
    assert not in_hand.takes_more()


def test_a_process_that_ends_takes_on_nothing_and_waits_for_nobody() -> None:
    in_hand = InHand()
    begun(in_hand)
    lonely = begun(in_hand)
    shutdown_requested.set()
    assert in_hand.begin(patience_s=60.0) is None
    assert not lonely.be_alone()


def test_one_with_patience_waits_for_its_place() -> None:
    in_hand = InHand()
    with ThreadPoolExecutor(1) as threads:
        with begun(in_hand) as place:
            assert place.be_alone()
            waiting = threads.submit(in_hand.begin, 60.0)
            until(lambda: in_hand._changed._waiters)  # type: ignore[attr-defined]
            assert not waiting.done()
        assert waiting.result(30)


def test_while_memory_is_short_nothing_joins_what_is_there() -> None:
    short, looks = True, 0

    def is_short() -> bool:
        nonlocal looks
        looks += 1
        return short

    in_hand = InHand()
    in_hand.watch_memory(is_short)
    with begun(in_hand):  # nothing in hand: one is taken whatever memory there is
        assert looks == 0
        assert not in_hand.takes_more()
        assert in_hand.begin() is None
        short = False
        assert in_hand.begin()
        assert in_hand.takes_more()
