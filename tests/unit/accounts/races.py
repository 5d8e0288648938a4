"""Two requests at the same moment, each in a thread with a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from django.db import connections

T = TypeVar("T")
PATIENCE_S = 30


def at_once(act: Callable[[int], T], times: int = 2) -> list[T]:
    """What `act(0)`, `act(1)`, … return, which begin together."""
    start = threading.Barrier(times)
    answers: dict[int, T] = {}

    def run(number: int) -> None:
        try:
            start.wait(PATIENCE_S)
            answers[number] = act(number)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[number]) for number in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(answers) == times
    return [answers[number] for number in range(times)]
