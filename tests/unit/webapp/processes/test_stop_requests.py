"""Requests to end: those that come together are one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from webapp.processes.stop_requests import SAME_WITHIN_S, StopRequests, count_once


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock, to be set."""
    clock = [1_000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    return clock


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_several_within_a_second_are_one(now: list[float]) -> None:
    requests = StopRequests()
    asked = []
    for later in (0, 0.03, 0.5, SAME_WITHIN_S, SAME_WITHIN_S + 0.5, 9):
        now[0] = 1_000.0 + later
        asked.append(requests.is_new())
    assert asked == [True, False, False, True, False, True]


def test_handlers_are_called_once_for_signals_that_come_together(now: list[float]) -> None:
    """And a handler that sets another one for the next time, as Celery's does, has its way."""
    calls: list[str] = []

    def first(number: int, _frame: object) -> None:
        calls.append("first")
        signal.signal(number, lambda *_: calls.append("second"))

    signal.signal(signal.SIGUSR1, first)
    signal.signal(signal.SIGUSR2, lambda *_: calls.append("other"))
    count_once(signal.SIGUSR1, signal.SIGUSR2)
    for number in (signal.SIGUSR1, signal.SIGUSR1, signal.SIGUSR2):
        os.kill(os.getpid(), number)
    assert calls == ["first"]
    now[0] += SAME_WITHIN_S
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGUSR1)
    assert calls == ["first", "second"]
