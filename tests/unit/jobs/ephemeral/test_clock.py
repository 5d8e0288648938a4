"""The system clock when it is set: seen, told from time that passes, and taken back."""

from __future__ import annotations

import pytest

from jobs.ephemeral import clock
from jobs.ephemeral.clock import HOLD_S, MIN_JUMP_S, ClockWatch, Memory, Seen, WrongTimes

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
    wrong: WrongTimes | None = None

    def recall(self) -> Seen | None:
        return self.seen

    def keep(self, seen: Seen) -> None:
        self.seen = seen

    def keep_wrong(self, wrong: WrongTimes | None) -> None:
        self.wrong = wrong

    def take_wrong(self) -> WrongTimes | None:
        taken, self.wrong = self.wrong, None
        return taken


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


def test_what_was_saved_while_the_clock_was_behind_is_told_once_that_is_sure() -> None:
    """A board without a battery starts in the past, and learns the time later."""
    clocks, shared = Clocks(), Shared()
    began = clocks.system
    watch = ClockWatch(lambda: clocks.system, lambda: clocks.steady, shared)
    clocks.pass_s(600)
    watch.look()
    clocks.system += TWO_DAYS_S
    watch.look()
    assert watch.take_wrong_times() is None  # it may be taken back
    clocks.pass_s(HOLD_S + 1)
    watch.look()
    wrong = WrongTimes(by_s=TWO_DAYS_S, since_s=began, until_s=began + 600)
    assert watch.take_wrong_times() == wrong
    assert watch.take_wrong_times() is None


def test_what_was_saved_between_two_steps_alone_is_wrong() -> None:
    clocks, shared = Clocks(), Shared()
    watch = ClockWatch(lambda: clocks.system, lambda: clocks.steady, shared)
    clocks.pass_s(600)
    clocks.system -= TWO_DAYS_S
    watch.look()
    assert watch.take_wrong_times() is None  # what was saved before was right
    behind_since = clocks.system
    clocks.pass_s(60)
    clocks.system += TWO_DAYS_S
    later = ClockWatch(lambda: clocks.system, lambda: clocks.steady, shared)
    later.look()
    clocks.pass_s(HOLD_S + 1)
    wrong = WrongTimes(by_s=TWO_DAYS_S, since_s=behind_since, until_s=behind_since + 60)
    assert later.take_wrong_times() == wrong


def test_what_was_saved_while_the_clock_was_ahead_is_told_when_it_is_put_right() -> None:
    clocks, shared = Clocks(), Shared()
    watch = ClockWatch(lambda: clocks.system, lambda: clocks.steady, shared)
    clocks.system += TWO_DAYS_S
    watch.look()
    clocks.pass_s(60)
    clocks.system -= TWO_DAYS_S
    watch.look()
    wrong = WrongTimes(by_s=-TWO_DAYS_S, since_s=clocks.system + MIN_JUMP_S)
    assert watch.take_wrong_times() == wrong


def test_a_step_back_long_after_one_forward_that_was_right_is_not_believed() -> None:
    """A board that learnt the time at its start, and loses a day much later: what was saved before
    is right, and would else be a day older than it is when that is put right."""
    clocks, shared = Clocks(), Shared()
    watch = ClockWatch(lambda: clocks.system, lambda: clocks.steady, shared)
    clocks.system += 10_000 * TWO_DAYS_S
    watch.look()
    clocks.pass_s(HOLD_S + 1)
    watch.take_wrong_times()
    clocks.pass_s(10 * TWO_DAYS_S)
    clocks.system -= TWO_DAYS_S / 2
    watch.look()
    assert watch.take_wrong_times() is None


@pytest.mark.parametrize("adjusted_s", [MIN_JUMP_S + 5, -MIN_JUMP_S - 5])
def test_what_waits_to_be_believed_waits_on_when_the_clock_is_adjusted(adjusted_s: float) -> None:
    clocks, shared = Clocks(), Shared()
    began = clocks.system
    watch = ClockWatch(lambda: clocks.system, lambda: clocks.steady, shared)
    clocks.pass_s(600)
    clocks.system += TWO_DAYS_S
    watch.look()
    clocks.pass_s(60)
    clocks.system += adjusted_s
    later = ClockWatch(lambda: clocks.system, lambda: clocks.steady, shared)
    later.look()
    assert later.was_set_forward(HOLD_S)
    clocks.pass_s(HOLD_S + 1)
    wrong = WrongTimes(by_s=TWO_DAYS_S, since_s=began, until_s=began + 600)
    assert later.take_wrong_times() == wrong


def test_a_step_forward_that_is_taken_back_in_part_is_waited_for_on() -> None:
    clocks = Clocks()
    watch = clocks.watch()
    clocks.system += TWO_DAYS_S
    watch.look()
    clocks.system -= TWO_DAYS_S / 2
    watch.look()
    assert watch.was_set_forward(HOLD_S)


@pytest.mark.parametrize("step_s", [TWO_DAYS_S, -TWO_DAYS_S])
def test_a_step_either_way_is_remembered_for_a_while(step_s: float) -> None:
    clocks, shared = Clocks(), Shared()
    watch = ClockWatch(lambda: clocks.system, lambda: clocks.steady, shared)
    assert not watch.was_set(60)
    clocks.system += step_s
    watch.look()
    later = ClockWatch(lambda: clocks.system, lambda: clocks.steady, shared)
    assert watch.was_set(60)
    assert later.was_set(60)
    clocks.pass_s(61)
    assert not later.was_set(60)


class Server(dict[str, str]):
    """The commands in use, on a dictionary."""

    def set(self, key: str, text: str, *, ex: int) -> None:
        assert ex
        self[key] = text

    def getdel(self, key: str) -> str | None:
        return self.pop(key, None)

    def delete(self, key: str) -> None:
        self.pop(key, None)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    monkeypatch.setattr(clock, "execute", lambda command: command(server))
    return server


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "[1, 2]", '["x", 1, null]', "[1e300, 1, null]", "[1, null, null]"]
)
def test_what_redis_has_that_is_none_of_ours_puts_nothing_right(text: str, server: Server) -> None:
    server[clock._WRONG] = text
    assert Memory().take_wrong() is None


def test_what_was_seen_is_recalled_by_who_starts_later(server: Server) -> None:
    seen = Seen(offset_s=-5.0, set_forward_at=1.0, before_s=-9e8, set_at=2.0, since_s=3.0)
    Memory().keep(seen)
    assert Memory().recall() == seen
    server[clock._SEEN] = '{"offset": -5.0}'
    assert Memory().recall() == Seen(offset_s=-5.0)


def test_wrong_times_are_kept_for_all_processes_and_taken_once(server: Server) -> None:
    wrong = WrongTimes(by_s=-3600.0, since_s=1e9)
    Memory().keep_wrong(wrong)
    assert Memory().take_wrong() == wrong
    assert Memory().take_wrong() is None
    Memory().keep_wrong(wrong)
    Memory().keep_wrong(None)
    assert Memory().take_wrong() is None
