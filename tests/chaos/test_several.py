"""Several workers, clocks and schedulers of one instance."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from typing import Any

from jobs.queue import routing
from tests.chaos import machine
from tests.chaos.conftest import Report, Start
from tests.chaos.ledger import Ledger
from tests.chaos.machine import eventually
from tests.chaos.phases import populate
from tests.fake_tiktok import FakeTikTok
from webapp import clock

WATCHED_S = 34.0


def test_four_clocks_act_as_one(start: Start, tiktok: FakeTikTok, report: Report) -> None:
    """Two workers' clocks and two schedulers beside them send as much as one would."""
    instance = start(workers="2")
    ledger = Ledger(instance, tiktok)
    schedulers = [instance.begin("up", "--only", "scheduler") for _ in range(2)]
    sent: Counter[str] = Counter()
    with instance.redis() as server, instance.redis() as other, server.monitor() as monitor:
        over = threading.Timer(WATCHED_S, lambda: other.set("storykeep:probe", "over", ex=5))
        over.start()
        for command in monitor.listen():
            text = str(command["command"])
            if text.startswith("SET storykeep:probe over"):
                over.join()
                break
            for task in routing.HOUSEKEEPING:
                if text.startswith(f"LPUSH {routing.SIDE_QUEUE}"):
                    sent[task] += task in text
    for scheduler in schedulers:
        scheduler.terminate()
        assert scheduler.wait(30) == 0
    report(f"messages of four clocks in {WATCHED_S:.0f} s", f"{dict(sent)}")
    for task, every_s in clock.EVERY_S.items():
        assert sent[task] <= 1 + WATCHED_S / (clock.LEASE_SHARE * every_s), task
    assert sent[routing.REPAIR] >= 1
    ledger.submit("alice", populate(ledger, "corner.bakery"))
    ledger.check()


def test_of_three_workers_two_are_killed(start: Start, tiktok: FakeTikTok) -> None:
    instance = start(workers="3", item_concurrency="3")
    ledger = Ledger(instance, tiktok)
    accounts = [populate(ledger, f"night.trains{number}") for number in range(9)]
    tiktok.fault("video", "slow", bytes_per_s=60_000)
    for number, name in enumerate(instance.people):
        ledger.submit(name, *accounts[number::3])

    def who_works() -> set[str]:
        with instance.redis() as server:
            lines: list[Any] = [
                text
                for key in server.scan_iter("storykeep:progress:*")
                for text in server.hvals(key)
            ]
        return {text.partition('"worker": "')[2].partition("@")[0] for text in lines} - {""}

    eventually(lambda: len(who_works()) >= 2, what="several have lines")
    machine.send(instance.parts("worker")[:2], signal.SIGKILL)
    tiktok.faults.clear()
    ledger.settled(within=150)  # by the lease's own time: one worker lives, and keeps its lines
    ledger.check(refetched=len(accounts))
