"""Lines that look for their list at once: as many as there are tokens for, and a few who wait."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from jobs.queue import look_ups as counting
from jobs.queue.look_ups import FEW, LookUp, LookUps
from jobs.queue.shutdown import ShutdownRequested, shutdown_requested
from jobs.upstream import rate_limit


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`left(tokens, rate)`: so many are left, and come a second."""

    def leave(tokens: float, rate: float = 0.5) -> None:
        monkeypatch.setattr(rate_limit, "tokens_left", lambda: tokens)
        monkeypatch.setattr(rate_limit, "rate", lambda: rate)

    return leave


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`patience(look_again_s)`: threads wait, and look again so often. Until then they do not."""

    def wait(look_again_s: float) -> None:
        monkeypatch.setattr(counting, "PATIENCE_S", 60.0)
        monkeypatch.setattr(counting, "_LOOK_AGAIN_S", look_again_s)

    monkeypatch.setattr(counting, "PATIENCE_S", 0.0)
    return wait


def begin(look_ups: LookUps, count: int) -> list[LookUp]:
    """As many as may begin, of so many that would."""
    return [begun for _ in range(count) if (begun := look_ups.begin()) is not None]


def until_waiting(look_ups: LookUps, beginning: Future[LookUp | None]) -> None:
    """Returns once a thread waits, or has begun."""
    # There is no public way to see it.
    while not (look_ups._changed._waiters or beginning.done()):  # type: ignore[attr-defined]
        time.sleep(0.001)


@pytest.mark.parametrize(
    ("tokens", "lines"),
    [(float("inf"), 64), (20.0, 10), (10.0, 5), (7.0, 4), (6.0, FEW), (0.0, FEW), (-40.0, FEW)],
)
def test_no_more_begin_than_there_are_tokens_for(left: Any, tokens: float, lines: int) -> None:
    left(tokens)
    assert len(begin(LookUps(), 64)) == lines


@pytest.mark.parametrize(("rate", "lines"), [(1.0, FEW), (2.0, 4), (10.0, 20), (0.01, FEW)])
def test_no_token_is_left_unused_while_lines_look(left: Any, rate: float, lines: int) -> None:
    left(-1.0, rate)
    assert len(begin(LookUps(), 64)) == lines


def test_who_has_its_list_makes_room_for_one(left: Any) -> None:
    left(-1.0)
    look_ups = LookUps()
    first, *_ = begin(look_ups, 64)
    with first:
        first.end()
        first.end()
    assert len(begin(look_ups, 64)) == 1


def test_who_fails_before_it_has_one_makes_room_too(left: Any) -> None:
    left(-1.0)
    look_ups = LookUps()
    first, *_ = begin(look_ups, 64)
    with pytest.raises(ZeroDivisionError), first:
        raise ZeroDivisionError
    assert len(begin(look_ups, 64)) == 1


def test_a_thread_waits_until_another_has_its_list(left: Any, patience: Any) -> None:
    patience(look_again_s=60.0)
    left(-1.0)
    look_ups = LookUps()
    first, *_ = begin(look_ups, FEW)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(look_ups.begin)
        until_waiting(look_ups, waiting)
        assert not waiting.done()
        first.end()
        assert waiting.result(30) is not None


def test_a_thread_that_waits_sees_tokens_come_back(left: Any, patience: Any) -> None:
    patience(look_again_s=0.01)
    left(-1.0)
    look_ups = LookUps()
    begin(look_ups, FEW)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(look_ups.begin)
        until_waiting(look_ups, waiting)
        left(10.0)
        assert waiting.result(30) is not None


def test_a_process_that_ends_begins_nothing() -> None:
    shutdown_requested.set()
    with pytest.raises(ShutdownRequested):
        LookUps().begin()
