"""SIGKILL of each part in each phase of a job: everything ends as if nothing had been."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import pytest

from tests.chaos.conftest import Report
from tests.chaos.instance import Instance
from tests.chaos.ledger import Ledger
from tests.chaos.phases import PHASES, Scene, populate

Kill = Callable[[Instance], object]

KILLS: Final[dict[str, tuple[Kill, int]]] = {
    "worker": (lambda instance: instance.kill("worker"), 1),
    "web": (lambda instance: instance.kill("web"), 0),
    "redis": (lambda instance: instance.kill("redis"), 0),
    "up": (Instance.kill_up, 1),
    "everything": (Instance.cut_power, 1),
}
"""Who is killed → how, and how many files that were not whole yet may be asked for again."""


@pytest.mark.parametrize("part", KILLS)
def test_killed_in_each_phase(part: str, ledger: Ledger, report: Report) -> None:
    kill, refetched = KILLS[part]
    instance = ledger.instance
    took = {}
    for number, (name, phase) in enumerate(PHASES.items()):
        account = populate(ledger, f"corner.bakery{number}")
        with phase(Scene(ledger, account)):
            began = time.monotonic()
            kill(instance)
        ledger.tiktok.faults.clear()
        if not instance.is_running:
            instance.start()
        if refetched:
            instance.end_leases()
        instance.send_periodic()
        ledger.settled()
        took[name] = time.monotonic() - began
        if name == "verify":  # one that dies again and again at once is started later each time
            assert instance.stop() == 0
            instance.start()
    report(f"{part} killed: over after", ", ".join(f"{n} {s:.1f} s" for n, s in took.items()))
    ledger.check(refetched=refetched * len(PHASES))
