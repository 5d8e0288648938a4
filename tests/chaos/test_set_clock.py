"""The system clock of a whole instance set by a day, either way, while a line is being fetched.

All of it is real: the clock that sends for the reaper, the worker that dies, Redis with its
expiries. Only the machine's clock is make-believe.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.conftest import Start
from tests.chaos.instance import Instance
from tests.chaos.ledger import Ledger
from tests.chaos.machine import eventually
from tests.fake_tiktok import FakeTikTok
from tests.machine_clock import MachineClock

DAY_S = 24 * 3600.0
LEASE_AND_MORE_S = 150.0


@pytest.fixture
def clock(tmp_path: Path) -> MachineClock:
    return MachineClock(tmp_path)


@pytest.fixture
def instance(make: Start, clock: MachineClock) -> Instance:
    made: Instance = make()
    made.env.update(clock.env)
    return made.start()


def last_sweep(instance: Instance) -> str | None:
    with instance.redis() as server:
        found = server.get("storykeep:swept")
    return None if found is None else str(found)


@pytest.mark.parametrize("ahead_s", [-DAY_S, DAY_S], ids=["back", "forward"])
def test_a_worker_killed_after_the_clock_was_set_by_a_day(
    instance: Instance, clock: MachineClock, tiktok: FakeTikTok, ahead_s: float
) -> None:
    ledger = Ledger(instance, tiktok)
    saved, slow = tiktok.account("corner.bakery"), tiktok.account("night.trains")
    saved.photo()
    ledger.settled(ledger.submit("alice", saved))
    slow.photo(min_bytes=400_000)
    tiktok.fault("picture", "slow", bytes_per_s=10_000)
    asked = ledger.submit("bob", slow)
    running = "state = 'running' AND claimed_at IS NOT NULL"
    eventually(lambda: instance.database.count("jobs_item", running), what="it runs")
    swept = last_sweep(instance)
    clock.set(ahead_s)
    # The reaper and the sweep go on by a clock that nobody sets.
    eventually(lambda: "the clock was set by" in instance.output, 60, what="the reaper looks")
    instance.kill("worker")
    tiktok.faults.clear()
    ledger.settled(asked, within=LEASE_AND_MORE_S)
    if ahead_s < 0:
        check(ledger)
        eventually(lambda: last_sweep(instance) != swept, 90, what="a sweep")
    else:  # nothing is cleaned up for now
        eventually(lambda: "nothing is cleaned up" in instance.output, 90, what="a sweep")
    clock.set(0)
    eventually(lambda: instance.output.count("the clock was set by") == 2, 60, what="set right")
    if ahead_s > 0:
        check(ledger)


def check(ledger: Ledger) -> None:
    """All of it but Redis, whose own expiries go by the clock that was set."""
    for asked in ledger.jobs:
        ledger.check_job(asked)
    ledger.check_rows()
    ledger.check_disk()
    ledger.check_usage()
    ledger.check_requests(2)
