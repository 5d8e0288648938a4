"""The system clock when it is set: seen, told from time that passes, and taken back."""

from __future__ import annotations

import pytest

from jobs.housekeeping.clock import HOLD_S, MIN_JUMP_S, ClockWatch, Memory, Seen

TWO_DAYS_S = 2 * 24 * 60 * 60.0


class Clocks:
    """The clock that can be set, and the one that cannot."""

    def __init__(self) -> None:
        self.system, self.steady = 1_700_000_000.0, 500.0

    def pass_s(self, seconds: float) -> None:
        self.system += seconds
        self.steady += seconds

    def watch(self) -> ClockWatch:
        watch = ClockWatch(lambda: self.system, lambda: self.steady)
        assert watch.look() == 0
        return watch


def test_time_that_passes_is_no_jump() -> None:
    """Nor is a night the machine slept through: the steady clock goes on then."""
    clocks = Clocks()
    watch = clocks.watch()
    for seconds in (15, 60, 8 * 60 * 60):
        clocks.pass_s(seconds)
        assert watch.look() == 0
    assert not watch.was_set_forward(HOLD_S)


def test_a_clock_that_is_adjusted_is_no_jump() -> None:
    clocks = Clocks()
    watch = clocks.watch()
    for _ in range(100):
        clocks.system += MIN_JUMP_S / 2
        assert watch.look() == 0


def test_a_clock_set_forward_is_remembered_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    clocks = Clocks()
    watch = clocks.watch()
    clocks.system += TWO_DAYS_S
    assert watch.look() == TWO_DAYS_S
    assert "the clock was set by 2 days" in caplog.text
    assert watch.look() == 0
    clocks.pass_s(HOLD_S - 1)
    assert watch.was_set_forward(HOLD_S)
    assert not watch.was_set_forward(60)
    clocks.pass_s(2)
    assert not watch.was_set_forward(HOLD_S)


def test_a_clock_that_is_put_right_again_holds_nothing_up() -> None:
    clocks = Clocks()
    watch = clocks.watch()
    clocks.system += TWO_DAYS_S
    watch.look()
    clocks.system -= TWO_DAYS_S
    assert watch.look() == -TWO_DAYS_S
    assert not watch.was_set_forward(HOLD_S)


def test_the_clocks_of_this_machine_agree() -> None:
    watch = ClockWatch()
    assert watch.look() == watch.look() == 0


class Shared(Memory):
    """What processes of one machine have seen."""

    seen: Seen | None = None

    def recall(self) -> Seen | None:
        return self.seen

    def keep(self, seen: Seen) -> None:
        self.seen = seen


def test_a_process_that_starts_after_the_jump_knows_of_it_from_others() -> None:
    clocks, shared = Clocks(), Shared()
    ClockWatch(lambda: clocks.system, lambda: clocks.steady, shared).look()
    clocks.system += TWO_DAYS_S
    ClockWatch(lambda: clocks.system, lambda: clocks.steady, shared).look()
    later = ClockWatch(lambda: clocks.system, lambda: clocks.steady, shared)
    assert later.was_set_forward(HOLD_S)
    assert later.look() == 0


def test_a_jump_that_nobody_saw_is_seen_by_who_starts_next() -> None:
    clocks, shared = Clocks(), Shared()
    ClockWatch(lambda: clocks.system, lambda: clocks.steady, shared).look()
    clocks.system -= TWO_DAYS_S
    assert ClockWatch(lambda: clocks.system, lambda: clocks.steady, shared).look() == -TWO_DAYS_S
