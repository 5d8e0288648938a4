"""Several web processes under one supervisor: they share a socket and the work, and losing one
turns nobody away."""

from __future__ import annotations

import dataclasses
import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from django.conf import settings

from tests.fake_tiktok.proxy import FakeProxy
from tests.integration.conftest import ROOT, eventually, worker_environment
from webapp.processes import listening, specs

pytestmark = pytest.mark.timeout(400)

SILENT_AFTER_S = 6.0


class Sites:
    """Two web processes on one socket, as `up` runs them with STORYKEEP_WEB_PROCESSES=2."""

    def __init__(self, folder: Path, proxy: FakeProxy) -> None:
        self.socket = listening.bind("127.0.0.1", 0)
        self.address: tuple[str, int] = self.socket.getsockname()
        env = settings.STORYKEEP.model_copy(update={"web_processes": 2})
        webs = [
            dataclasses.replace(spec, silent_after_s=SILENT_AFTER_S, grace_s=10)
            for spec in specs.webs(env)
        ]
        plan = {
            "processes": [dataclasses.asdict(spec) for spec in webs],
            "host": self.address[0],
            "port": self.address[1],
            "live_path": "/health/live",
            "greeting": ["ready"],
            "watch_every_s": 1,
            "listen_fd": self.socket.fileno(),
        }
        path = folder / "plan.json"
        path.write_text(json.dumps(plan))
        self._log = folder / "up.log"
        environment = worker_environment(proxy) | {
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "tests.integration.web_settings",
        }
        script = ROOT / "webapp" / "processes" / "supervisor.py"
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-S", "-P", str(script), str(path)],
                cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT,
                pass_fds=[self.socket.fileno()],
            )  # fmt: skip

    @property
    def output(self) -> str:
        """What all of it has printed so far."""
        return self._log.read_text(errors="replace")

    def pids(self) -> list[int]:
        """The web processes there are, oldest first."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def connect(self) -> http.client.HTTPConnection:
        """A connection that somebody has accepted."""
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        connection.request("GET", "/health/live")
        assert connection.getresponse().read() == b"ok\n"
        return connection

    def both_accept(self) -> bool:
        """Whether both get some of many who come at once."""
        with ThreadPoolExecutor(32) as pool:
            connections = list(pool.map(lambda _: self.connect(), range(64)))
        held = self.holders(connections)
        for connection in connections:
            connection.close()
        return sum(held.values()) == 64 and len(held) == 2 and min(held.values()) >= 4

    def holders(self, connections: list[http.client.HTTPConnection]) -> Counter[int]:
        """Process id -> how many of these connections it holds."""
        inodes = _inodes({connection.sock.getsockname()[1] for connection in connections})
        return Counter({pid: len(inodes & _open_files(pid)) for pid in self.pids()})

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.socket.close()
        return self.process.wait(60)


def _open_files(pid: int) -> set[str]:
    """The names of what a process has open; of one that is gone none."""
    found = set()
    with suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                found.add(str(link.readlink()))
    return found


def _inodes(ports: set[int]) -> set[str]:
    """The server's ends of connections that come from these ports, as links to them are named."""
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if int(words[2].rpartition(":")[2], 16) in ports:
            found.add(f"socket:[{words[9]}]")
    return found


@pytest.fixture
def sites(transactional_db: None, tmp_path: Path, proxy: FakeProxy) -> Iterator[Sites]:
    """Two web processes that answer."""
    sites = Sites(tmp_path, proxy)
    eventually(lambda: "| ready" in sites.output, within=120)
    yield sites
    sites.stop()
    sys.stdout.write(sites.output)  # shown when the test failed


def test_both_get_work_and_one_that_dies_or_hangs_is_replaced_alone(sites: Sites) -> None:
    """And nobody is turned away meanwhile."""
    eventually(sites.both_accept, within=120)
    first, second = sites.pids()
    os.kill(first, signal.SIGKILL)
    for _ in range(20):
        sites.connect().close()
    eventually(lambda: re.search(r"web-1 died \(killed by SIGKILL\)", sites.output))
    eventually(sites.both_accept, within=120)
    assert second in sites.pids()
    os.kill(second, signal.SIGSTOP)
    eventually(lambda: re.search(r"web-2 gives no sign of life", sites.output), within=60)
    eventually(lambda: second not in sites.pids() and sites.both_accept(), within=120)
    assert "web-1 gives" not in sites.output
    assert sites.stop() == 0
