"""Each part by itself, as in containers (`up --only …`): the scheduler is killed, or stands still.

Nothing watches such a part but who started it, which here is the test.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from jobs.queue import routing
from tests.chaos.conftest import Report, Start
from tests.chaos.instance import Instance
from tests.chaos.ledger import Ledger
from tests.chaos.machine import eventually
from tests.chaos.phases import populate
from tests.fake_tiktok import FakeTikTok
from webapp.clock import EVERY_S
from webapp.processes import redis_server

pytestmark = pytest.mark.timeout(900)
LINES: Final = 4
SENT_WITHIN_S: Final = max(EVERY_S.values()) + 60
HOUR_S: Final = 3600
ORPHAN: Final = "0a0a0a0a-0a0a-4a0a-8a0a-0a0a0a0a0a0a"


class Apart:
    """An instance whose parts run by themselves, on a Redis of their own."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._parts: dict[str, subprocess.Popen[bytes]] = {}
        instance.manage("up", "--only", "migrate")
        for name in ("web", "worker", "scheduler"):
            self.start(name)
        eventually(instance.is_ready, what=instance.output)
        eventually(lambda: b" ready." in instance.log.read_bytes(), what="the worker takes lines")

    def start(self, name: str) -> None:
        """Start a part, as a container that ended is started again."""
        self._parts[name] = self.instance.begin("up", "--only", name)

    def kill(self, *names: str) -> None:
        """SIGKILL to these parts; returns when they are gone."""
        for name in names:
            self._parts[name].kill()
            self._parts[name].wait()

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a part."""
        self._parts[name].send_signal(number)

    def sent(self) -> set[str]:
        """Names of the tasks of the clock that wait in the queue."""
        with self.instance.redis() as server:
            messages = [str(text) for text in server.lrange(routing.SIDE_QUEUE, 0, -1)]
        return {task for task in routing.HOUSEKEEPING if any(task in text for text in messages)}

    def forget_sent(self) -> None:
        """Take what was sent out of the queue, as if a worker had taken it."""
        with self.instance.redis() as server:
            server.delete(routing.SIDE_QUEUE)


@pytest.fixture
def apart(make: Start, folder: Path) -> Iterator[Apart]:
    """Redis, web server, worker and scheduler, each by itself."""
    socket = folder / "redis.sock"
    command = [redis_server.find().path, "--port", "0", "--unixsocket", str(socket), "--save", ""]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield Apart(make(redis_url=f"unix://{socket}"))
    finally:
        server.kill()
        server.wait()


def begin(ledger: Ledger) -> None:
    """Lines whose videos are arriving, and an old file that nobody knows of."""
    ledger.tiktok.fault("video", "slow", bytes_per_s=20_000)
    ledger.submit("alice", *(populate(ledger, f"night.trains{line}") for line in range(LINES)))
    saved = "role = 'media'"
    eventually(lambda: ledger.instance.database.count("jobs_artifact", saved) == LINES)
    eventually(lambda: ledger.tiktok.count("video") == LINES, what="all videos are arriving")
    orphan = orphan_of(ledger)
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"left behind")
    long_ago = time.time() - HOUR_S
    os.utime(orphan, (long_ago, long_ago))


def orphan_of(ledger: Ledger) -> Path:
    return ledger.instance.artifacts / ORPHAN[:2] / ORPHAN


def goes_on(apart: Apart, ledger: Ledger) -> float:
    """Seconds until the lines are done and the old file is swept, once a worker is back."""
    began = time.monotonic()
    ledger.tiktok.faults.clear()
    ledger.instance.end_leases()
    apart.start("worker")
    ledger.settled()
    took = time.monotonic() - began
    eventually(lambda: not orphan_of(ledger).exists(), SENT_WITHIN_S, "the sweep came by")
    ledger.check(refetched=LINES)
    return took


def test_the_scheduler_is_killed_and_started_again(
    apart: Apart, tiktok: FakeTikTok, report: Report
) -> None:
    """With the worker, so that no other clock is left: what was due is sent for once it is back."""
    ledger = Ledger(apart.instance, tiktok)
    begin(ledger)
    apart.kill("scheduler", "worker")
    apart.forget_sent()
    apart.start("scheduler")
    eventually(lambda: apart.sent() == {*routing.HOUSEKEEPING}, SENT_WITHIN_S, "all is sent for")
    report("scheduler and worker killed: lines over after", f"{goes_on(apart, ledger):.1f} s")


def test_the_scheduler_stands_still(apart: Apart, tiktok: FakeTikTok, report: Report) -> None:
    """The clocks of workers act for it; when it goes on, it goes on where the others are."""
    ledger = Ledger(apart.instance, tiktok)
    begin(ledger)
    apart.send("scheduler", signal.SIGSTOP)
    apart.kill("worker")
    apart.forget_sent()
    took = goes_on(apart, ledger)
    report("scheduler hung, worker killed: lines over after", f"{took:.1f} s")
    apart.kill("worker")
    apart.forget_sent()
    apart.send("scheduler", signal.SIGCONT)
    eventually(lambda: apart.sent() == {*routing.HOUSEKEEPING}, SENT_WITHIN_S, "all is sent for")
