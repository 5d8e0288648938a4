"""Messages that come twice, late, in another order, or never: the database knows what to do."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from jobs.queue import routing
from tests.chaos import machine
from tests.chaos.instance import Instance
from tests.chaos.ledger import Ledger
from tests.chaos.machine import eventually
from tests.fake_tiktok.accounts import Account

LINES = 9


@contextmanager
def held_worker(instance: Instance) -> Iterator[None]:
    """The worker stands still during the block, and takes nothing."""
    pid = instance.part("worker")
    machine.send([pid], signal.SIGSTOP)
    yield
    machine.send([pid], signal.SIGCONT)


def _accounts(ledger: Ledger) -> list[Account]:
    accounts = [ledger.tiktok.account(f"author{number}") for number in range(LINES)]
    for account in accounts:
        account.photo(size=(90, 160))
    return accounts


@pytest.mark.short
def test_messages_that_come_three_times_in_any_order_and_late(ledger: Ledger) -> None:
    accounts = _accounts(ledger)
    instance = ledger.instance
    with instance.redis() as server, held_worker(instance):
        for owner, name in enumerate(instance.people):
            ledger.submit(name, *accounts[owner::3])
        kept = eventually(lambda: server.lrange(routing.POOL_QUEUE, 0, -1))
        copies = [message for message in kept for _ in range(3)]
        random.Random(1).shuffle(copies)
        server.delete(routing.POOL_QUEUE)
        server.rpush(routing.POOL_QUEUE, *copies)
    ledger.settled()
    assert instance.database.count("jobs_item", "attempt = 1") == LINES
    with instance.redis() as server:
        server.rpush(routing.POOL_QUEUE, *kept)  # when all is over
    ledger.check()
    ledger.forget(ledger.jobs[0])
    with instance.redis() as server:
        server.rpush(routing.POOL_QUEUE, *kept)  # of lines that nobody knows any more
    ledger.check()
    assert ledger.tiktok.count("list") == LINES, "each line was looked up once"


def test_messages_that_never_come(ledger: Ledger) -> None:
    """The reaper sends them again, once the first ones are worth nothing any more."""
    accounts = _accounts(ledger)
    instance = ledger.instance
    with instance.redis() as server, held_worker(instance):
        ledger.submit("alice", *accounts)
        eventually(lambda: server.llen(routing.POOL_QUEUE))
        server.delete(routing.POOL_QUEUE)
    instance.database.write("UPDATE jobs_item SET sent_at = '2020-01-01 00:00:00+00:00'")
    instance.send_periodic()
    ledger.check()


def test_messages_of_housekeeping_that_pile_up(ledger: Ledger) -> None:
    """Forty reapers and sweeps at once, and three sweeps by hand, beside lines on their way."""
    accounts = _accounts(ledger)
    instance = ledger.instance
    ledger.tiktok.fault("picture", "slow", bytes_per_s=4_000)
    ledger.submit("alice", *accounts)
    eventually(lambda: ledger.tiktok.count("picture"))
    for _ in range(20):
        instance.send_periodic(routing.REPAIR)
        instance.send_periodic(routing.SWEEP)
    sweeps = [instance.begin("sweep") for _ in range(3)]
    assert [sweep.wait(60) for sweep in sweeps] == [0, 0, 0]
    ledger.tiktok.faults.clear()
    ledger.check()
