"""Whatever happens, in whatever order: a seed's faults while three people submit and forget.

CHAOS_SEED chooses the faults, a new one each time unless set; CHAOS_SECONDS says for how long.
"""

from __future__ import annotations

import os
import random
import secrets
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

import pytest

from jobs.queue import routing
from tests.chaos import machine
from tests.chaos.conftest import Report, Start
from tests.chaos.ledger import Ledger
from tests.fake_tiktok import FakeTikTok
from tests.fake_tiktok.accounts import Account

SECONDS: Final = float(os.environ.get("CHAOS_SECONDS", "120"))
SEED: Final = int(os.environ.get("CHAOS_SEED") or secrets.randbelow(1_000_000))
SHORT_S: Final = 20.0
SHORT_SEED: Final = 7
EVERY_S: Final = (1.0, 5.0)
"""Seconds between two faults."""
MOST_KILLS: Final = 4
"""Of one part: what dies again and again at once is started later each time."""
HELD_S: Final = 3.0


class Faults:
    """Faults by name, and what each may cost: files that are begun anew."""

    def __init__(self, ledger: Ledger, chooser: random.Random) -> None:
        self.ledger, self.instance, self._chooser = ledger, ledger.instance, chooser
        self.done: Counter[str] = Counter()
        self.refetched = 0
        self._all: dict[str, Callable[[], object]] = {
            "worker killed": lambda: self._kill("worker"),
            "web killed": lambda: self._kill("web"),
            "redis killed": lambda: self._kill("redis"),
            "up killed": lambda: self._end(self.instance.kill_up),
            "power cut": lambda: self._end(self.instance.cut_power),
            "stopped": lambda: self._end(self.instance.stop),
            "worker hangs": lambda: self._hang("worker"),
            "web hangs": lambda: self._hang("web"),
            "redis hangs": lambda: self._hang("redis"),
            "redis emptied": self._empty_redis,
            "database locked": self._lock,
            "messages doubled": self._double,
            "sweep and reaper": self._keep_house,
            "TikTok breaks off": lambda: self._break_off("drop"),
            "TikTok answers 503": lambda: self._break_off("503"),
        }

    def strike(self) -> None:
        """One fault; returns when it is over, not when everything has recovered."""
        name = self._chooser.choice(list(self._all))
        if name.endswith("killed") and self.done[name] >= MOST_KILLS:
            return
        self.done[name] += 1
        self._all[name]()

    def lapse(self) -> None:
        """Have all leases end, also of those who live: what they have in hand is begun anew."""
        self.refetched += self._in_hand()
        self.instance.end_leases()
        self.instance.send_periodic()

    def _in_hand(self) -> int:
        # Two files each; a few may be claimed before the fault takes effect.
        return 2 * self.instance.database.count("jobs_item", "state = 'running'") + 10

    def _kill(self, part: str) -> None:
        self.refetched += self._in_hand() if part == "worker" else 0
        self.instance.kill(part)

    def _end(self, end: Callable[[], object]) -> None:
        self.refetched += self._in_hand()
        end()
        self.instance.start()

    def _hang(self, part: str) -> None:
        pids = [self.instance.part(part)]
        machine.send(pids, signal.SIGSTOP)
        time.sleep(HELD_S)
        machine.send(pids, signal.SIGCONT)

    def _empty_redis(self) -> None:
        with self.instance.redis() as server:
            server.flushall()

    def _lock(self) -> None:
        with self.instance.database.locked():
            time.sleep(HELD_S)

    def _double(self) -> None:
        with self.instance.redis() as server:
            for message in server.lrange(routing.POOL_QUEUE, 0, -1):
                server.lpush(routing.POOL_QUEUE, message, message)

    def _keep_house(self) -> None:
        for task in routing.HOUSEKEEPING:
            self.instance.send_periodic(task)

    def _break_off(self, kind: str) -> None:
        times = 3
        self.refetched += 2 * times
        self.ledger.tiktok.fault("media", kind, times=times)


class People:
    """Three people who submit accounts nobody has asked for yet, and forget now and then."""

    def __init__(self, ledger: Ledger, seed: int) -> None:
        self.ledger, self._over = ledger, threading.Event()
        self._serial = 0
        self.failed: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._live, args=(name, random.Random(seed + place)))
            for place, name in enumerate(ledger.instance.people)
        ]

    def __enter__(self) -> People:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _account(self) -> Account:
        with self.ledger.tiktok.lock:  # it is asked meanwhile
            self._serial += 1
            account = self.ledger.tiktok.account(f"author{self._serial}")
            account.photo(size=(90, 160))
            if self._serial % 3 == 0:
                account.video(seconds=1)
        return account

    def _live(self, name: str, chooser: random.Random) -> None:
        try:
            while not self._over.wait(chooser.uniform(0.5, 3)):
                accounts = [self._account() for _ in range(chooser.randint(1, 4))]
                asked = self.ledger.submit(name, *accounts, key=secrets.token_hex(8))
                if chooser.random() < 0.2:
                    mine = [a for a in list(self.ledger.jobs) if a.owner == name]
                    self.ledger.forget(chooser.choice(mine))
                elif chooser.random() < 0.2:
                    self.ledger.show(asked)
        except BaseException as error:
            self.failed.append(error)
            raise


def _live_through(
    start: Start, tiktok: FakeTikTok, report: Report, seed: int, seconds: float
) -> None:
    print(f"CHAOS_SEED={seed} CHAOS_SECONDS={seconds:.0f}")  # noqa: T201  # shown on failure
    chooser = random.Random(seed)
    workers = chooser.randint(1, 3)
    ledger = Ledger(start(workers=str(workers)), tiktok)
    faults = Faults(ledger, chooser)
    over_at = time.monotonic() + seconds
    with People(ledger, seed) as people:
        while time.monotonic() < over_at and not people.failed:
            time.sleep(chooser.uniform(*EVERY_S))
            faults.strike()
    assert not people.failed
    ledger.tiktok.faults.clear()
    if seconds == SHORT_S:  # nobody waits for the leases of the dead to end
        faults.lapse()
    began = time.monotonic()
    ledger.settled(within=200)
    report(
        f"seed {seed}, {seconds:.0f} s, {workers} workers",
        f"{sum(faults.done.values())} faults {dict(faults.done)}, "
        f"{len(ledger.jobs) + len(ledger.forgotten)} jobs, all over {_since(began):.1f} s later",
    )
    ledger.check(refetched=faults.refetched)


def _since(began: float) -> float:
    return time.monotonic() - began


@pytest.fixture
def tiktok() -> FakeTikTok:
    """Small pages: what is tried here is not their size."""
    return FakeTikTok(page_bytes=60_000)


@pytest.mark.timeout(int(SECONDS) + 400)
def test_random_faults(start: Start, tiktok: FakeTikTok, report: Report) -> None:
    _live_through(start, tiktok, report, SEED, SECONDS)


@pytest.mark.short
def test_some_faults(start: Start, tiktok: FakeTikTok, report: Report) -> None:
    _live_through(start, tiktok, report, SHORT_SEED, SHORT_S)
