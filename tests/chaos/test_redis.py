"""A Redis of one's own choice that is away, hangs, is full or refuses: parts wait, and all goes on.

It runs apart from the instance, in a network of its own where packets are to be dropped.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest
import redis

from tests.chaos.conftest import Start
from tests.chaos.instance import Instance
from tests.chaos.ledger import Ledger
from tests.chaos.machine import eventually, free_port
from tests.fake_tiktok import FakeTikTok
from tests.foreign_messages import FOREIGN
from webapp.processes import redis_server

FAULT_S: Final = 25.0
"""Longer than five quick exits take, and than a connection is given up after."""
_DIRECT = build_opener(ProxyHandler({}))


class Server:
    """A Redis on a TCP port, which may be hurt."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.password = ""
        self.start()

    def start(self) -> None:
        """Start it, empty."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._process = subprocess.Popen(
            [redis_server.find().path, *options, "--dir", str(self.folder)],
            stdout=subprocess.DEVNULL,
        )
        eventually(self._answers, 20, what="Redis answers")

    def _answers(self) -> bool:
        with suppress(redis.RedisError):
            return bool(self.client().ping())
        return False

    @property
    def url(self) -> str:
        """The address for STORYKEEP_REDIS_URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        """A connection of whoever runs it."""
        return redis.Redis(port=self.port, password=self.password or None, socket_timeout=5)

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def stop(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    made.stop()


def read_only(server: Server) -> Callable[[], object]:
    server.client().replicaof("127.0.0.1", "1")
    return lambda: server.client().replicaof("NO", "ONE")


def full(server: Server) -> Callable[[], object]:
    server.client().config_set("maxmemory", "1")
    return lambda: server.client().config_set("maxmemory", "0")


def another_password(server: Server) -> Callable[[], object]:
    server.client().config_set("requirepass", "other")
    server.password = "other"
    server.client().client_kill_filter(skipme=True)

    def back() -> None:
        server.client().config_set("requirepass", "")
        server.password = ""

    return back


def hung(server: Server) -> Callable[[], object]:
    server.send(signal.SIGSTOP)
    return lambda: server.send(signal.SIGCONT)


def away(server: Server) -> Callable[[], object]:
    """And empty when it comes back."""
    server.stop()
    return server.start


def dropped(server: Server) -> Callable[[], object]:
    """No packet to or from it is answered, as behind a firewall that forgot it."""
    rules = [
        ["INPUT", "-i", "lo", "-p", "tcp", side, str(server.port), "-j", "DROP"]
        for side in ("--dport", "--sport")
    ]
    for rule in rules:
        done = subprocess.run(["iptables", "-w", "-I", *rule], capture_output=True, check=False)
        if done.returncode:
            pytest.skip("packets cannot be dropped here")

    def back() -> None:
        for rule in rules:
            subprocess.run(["iptables", "-w", "-D", *rule], check=True)

    return back


FAULTS = [
    pytest.param(read_only, "read_only", id="a read-only replica"),
    pytest.param(full, "full", id="no memory left"),
    pytest.param(another_password, "password", id="another password"),
    pytest.param(hung, "away", id="it hangs"),
    pytest.param(away, "away", id="it is away, and comes back empty"),
    pytest.param(
        dropped,
        "away",
        id="packets are dropped",
        marks=pytest.mark.skipif(
            os.geteuid() != 0 or not shutil.which("iptables"), reason="needs root and iptables"
        ),
    ),
]


def status(instance: Instance, path: str) -> tuple[int, str]:
    """Status and body of an answer."""
    try:
        with _DIRECT.open(f"{instance.url}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize(("hurt", "reason"), FAULTS)
def test_lines_wait_and_go_on_by_themselves(
    start: Start,
    server: Server,
    tiktok: FakeTikTok,
    hurt: Callable[[Server], Callable[[], object]],
    reason: str,
) -> None:
    instance = start(redis_url=server.url)
    up, worker = instance.pid, instance.part("worker")
    ledger = Ledger(instance, tiktok)
    before, during = tiktok.account("corner.bakery"), tiktok.account("night.trains")
    before.photo(min_bytes=200_000)
    during.photo()
    tiktok.fault("picture", "slow", bytes_per_s=50_000, times=1)
    ledger.submit("alice", before)
    eventually(lambda: instance.database.count("jobs_item", "state = 'running'"), what="it runs")
    mend = hurt(server)
    try:
        hurt_at = time.monotonic()
        ledger.submit("bob", during)  # accepted: it waits
        eventually(lambda: status(instance, "/health/ready")[0] == 503, 30, what="not ready")
        assert f'"reason": "{reason}"' in status(instance, "/health/ready")[1]
        assert status(instance, "/login/")[0] == 200
        while time.monotonic() - hurt_at < FAULT_S:
            assert instance.is_running, instance.output[-3000:]
            time.sleep(0.5)
    finally:
        mend()
    ledger.settled(within=120)
    eventually(instance.is_ready, 30, what="ready")
    for asked in ledger.jobs:
        ledger.check_job(asked)
    assert (instance.pid, instance.part("worker")) == (up, worker)
    assert " died (" not in instance.output


def test_foreign_messages_in_both_queues_of_a_whole_instance(
    start: Start, server: Server, tiktok: FakeTikTok
) -> None:
    instance = start(redis_url=server.url)
    worker = instance.part("worker")
    ledger = Ledger(instance, tiktok)
    tiktok.account("corner.bakery").photo()
    with server.client() as other:
        for queue in ("celery", "aside"):
            other.lpush(queue, *FOREIGN.values(), b"x" * 50_000_000)
    ledger.settled(ledger.submit("alice", tiktok.account("corner.bakery")))
    assert instance.part("worker") == worker
    assert "Traceback" not in instance.output


def test_an_embedded_redis_whose_snapshot_is_damaged(make: Start, tiktok: FakeTikTok) -> None:
    """It is set aside: what it holds may be lost, and everything else waits for it."""
    instance = make().start()
    assert instance.stop() == 0
    (dump,) = (instance.folder / "run").glob("*.rdb")
    dump.write_bytes(b"REDIS0011\xff half of it")
    instance.start()
    assert "redis does not start with what it kept" in instance.output
    ledger = Ledger(instance, tiktok)
    account = tiktok.account("corner.bakery")
    account.photo()
    ledger.settled(ledger.submit("alice", account))
