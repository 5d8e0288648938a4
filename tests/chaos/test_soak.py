"""A soak: people submit, look, take and forget without end, and nothing grows.

CHAOS_SOAK_S says for how many seconds. The report stays in build/chaos/soak.md.
"""

from __future__ import annotations

import os
import random
import time
from collections import deque
from typing import Final

import pytest

from jobs.queue import routing
from tests.chaos import gauges
from tests.chaos.conftest import Report, Start
from tests.chaos.gauges import Series
from tests.chaos.instance import ROOT, Instance
from tests.chaos.ledger import Asked, Ledger
from tests.chaos.machine import eventually
from tests.fake_tiktok import FakeTikTok

SOAK_S: Final = float(os.environ.get("CHAOS_SOAK_S", "300"))
SAMPLES: Final = 120
ACCOUNTS: Final = 40
KEPT: Final = 12
"""Jobs that are there at a time; older ones are forgotten."""
WARM_UP_S: Final = 40.0

GROWTH: Final = {
    "web MiB": 12.0,
    "worker MiB": 24.0,
    "redis MiB": 4.0,
    "up MiB": 2.0,
    "web descriptors": 20.0,
    "worker descriptors": 20.0,
    "redis descriptors": 20.0,
    "web threads": 4.0,
    "worker threads": 8.0,
    "redis threads": 1.0,
    "redis keys": 12.0,
    "rows": 60.0,
    "database MiB": 3.0,
    "saved files MiB": 8.0,
}
"""The most that each may grow in the second half; in five minutes as in an hour. Noise alone makes
half of it: of memory where the allocator stands, of all else how much was going on."""


class Load:
    """Three people in turns, each with a few jobs at a time."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.turns = ledger, 0
        self._random = random.Random(1)
        self._kept: deque[Asked] = deque()
        self._names = list(ledger.instance.people)

    def turn(self) -> None:
        """One job from the paste to its files, and an older one forgotten."""
        accounts = list(self.ledger.tiktok.accounts.values())
        owner = self._names[self.turns % len(self._names)]
        asked = self.ledger.submit(owner, *self._random.sample(accounts, 3))
        self._kept.append(asked)
        self.ledger.settled(asked)
        person = self.ledger.instance.people[owner]
        shown = self.ledger.show(asked)
        assert shown["state"] == "done", shown
        for item in shown["items"]:
            file = item["stories"][0]["files"][0]
            assert person.digest_of(file) == (file["size_bytes"], file["sha256"])
        if self.turns % 3 == 0:
            person.insist("POST", f"/jobs/{asked.job_id}/bundle")
        if len(self._kept) > KEPT:
            self.ledger.forget(self._kept.popleft())
            self.ledger.forgotten.pop()
        if self.turns % 20 == 0:
            self.ledger.tiktok.forget_requests()
        self.turns += 1

    def end(self) -> None:
        """Forget all that is left."""
        while self._kept:
            self.ledger.forget(self._kept.popleft())
        instance = self.ledger.instance
        instance.send_periodic(routing.REPAIR)
        eventually(lambda: not instance.database.count("jobs_job"), what="all is forgotten")
        instance.manage("sweep")


def _rest(instance: Instance) -> dict[str, float]:
    """What it takes with nothing to do, once memory was given back."""
    time.sleep(12)
    return gauges.measure(instance)


@pytest.mark.timeout(int(SOAK_S) + 400)
def test_a_soak(start: Start, tiktok: FakeTikTok, report: Report) -> None:
    for number in range(ACCOUNTS):
        account = tiktok.account(f"author{number}")
        account.photo(size=(90, 160))
        if number % 4 == 0:
            account.video(seconds=1)
    instance = start()
    load = Load(Ledger(instance, tiktok))
    warm_at = time.monotonic() + WARM_UP_S
    while time.monotonic() < warm_at:
        load.turn()
    load.end()
    before = _rest(instance)

    series = Series()
    over_at = time.monotonic() + SOAK_S
    next_at = time.monotonic()
    while time.monotonic() < over_at:
        load.turn()
        if time.monotonic() >= next_at:
            series.add(gauges.measure(instance))
            next_at += SOAK_S / SAMPLES
        time.sleep(0.2)
    load.end()
    after = _rest(instance)

    text = gauges.table(series, before, after)
    path = ROOT / "build" / "chaos" / "soak.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{SOAK_S:.0f} s, {load.turns} jobs of three lines\n\n{text}\n")
    report("soak", f"{SOAK_S:.0f} s, {load.turns} jobs\n{text}")
    assert "Traceback" not in instance.output, instance.output
    assert after["rows"] == 0
    grown = {name: series.growth(name) for name in GROWTH}
    assert not {name: by for name, by in grown.items() if by > GROWTH[name]}, text
    kept = {name: after[name] - before[name] for name in GROWTH}
    assert not {name: by for name, by in kept.items() if by > GROWTH[name]}, text
