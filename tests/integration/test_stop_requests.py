"""Signals that come together ask once: what a worker holds is handed back, and resumed at once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from jobs.models import Job
from jobs.queue import submission
from jobs.states import ItemState
from tests.factories import make_user
from tests.fake_tiktok import FakeTikTok
from tests.integration.conftest import Start, eventually
from tests.integration.supervised import Supervised

TOGETHER = [
    pytest.param((signal.SIGTERM, signal.SIGTERM), id="make forwards its own"),
    pytest.param((signal.SIGINT, signal.SIGINT, signal.SIGTERM), id="a terminal, twice"),
]


def a_slow_line(tiktok: FakeTikTok) -> Job:
    """A line whose picture takes a while."""
    tiktok.account("corner.bakery").photo(min_bytes=400_000)
    tiktok.fault("picture", "slow", bytes_per_s=40_000)
    return submission.submit(make_user("alice"), ["@corner.bakery"])


def is_running(job: Job) -> bool:
    return job.items.filter(state=ItemState.RUNNING, stories__isnull=False).exists()


def was_handed_back(job: Job) -> None:
    item = job.items.get()
    assert (item.state, item.tries, item.not_before) == (ItemState.QUEUED, 0, None)


def send(pid: int, numbers: tuple[signal.Signals, ...]) -> None:
    for number in numbers:
        os.kill(pid, number)
        time.sleep(0.03)


@pytest.mark.parametrize("numbers", TOGETHER)
def test_a_worker_hands_back_what_it_holds(
    start_worker: Start, tiktok: FakeTikTok, numbers: tuple[signal.Signals, ...]
) -> None:
    job = a_slow_line(tiktok)
    worker = start_worker().ready()
    eventually(lambda: is_running(job))
    send(worker.pid, numbers)
    assert worker.wait() in {0, 1}  # Celery's own for Ctrl-C is 1
    was_handed_back(job)
    tiktok.faults.clear()
    start_worker().ready()
    eventually(lambda: job.items.get().state == ItemState.DONE)


def test_under_the_supervisor_as_well(
    supervised: Callable[[], Supervised], tiktok: FakeTikTok
) -> None:
    job = a_slow_line(tiktok)
    up = supervised()
    eventually(lambda: is_running(job))
    send(up.process.pid, (signal.SIGTERM, signal.SIGTERM))
    assert up.process.wait(20) == 0
    was_handed_back(job)
