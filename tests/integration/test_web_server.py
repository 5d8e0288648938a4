"""A web process under a supervisor: it hangs, dies and ends without turning anybody away."""

from __future__ import annotations

import dataclasses
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tests.fake_tiktok.proxy import FakeProxy
from tests.integration.conftest import ROOT, eventually, worker_environment
from webapp.processes import listening, specs

SILENT_AFTER_S = 5.0


class Site:
    """A web process under a supervisor with less patience than `manage.py up` has."""

    def __init__(self, folder: Path, proxy: FakeProxy) -> None:
        self.socket = listening.bind("127.0.0.1", 0)
        self.address: tuple[str, int] = self.socket.getsockname()
        spec = dataclasses.replace(
            specs.web(settings.STORYKEEP), silent_after_s=SILENT_AFTER_S, grace_s=10
        )
        plan = {
            "processes": [dataclasses.asdict(spec)],
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
        script = ROOT / "webapp" / "processes" / "supervisor.py"
        environment = worker_environment(proxy) | {
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "webapp.settings",
        }
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-S", "-P", str(script), str(path)],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[self.socket.fileno()],
            )

    @property
    def output(self) -> str:
        """What all of it has printed so far."""
        return self._log.read_text(errors="replace")

    def pid(self) -> int:
        """The web process; there is one."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        (pid,) = children.split()
        return int(pid)

    def get(self, timeout_s: float = 30) -> int:
        """The status of `/health/live`. Raises OSError, at once where nobody listens."""
        connection = http.client.HTTPConnection(*self.address, timeout=timeout_s)
        try:
            connection.request("GET", "/health/live")
            return connection.getresponse().status
        finally:
            connection.close()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.socket.close()
        return self.process.wait(30)


@pytest.fixture
def site(transactional_db: None, tmp_path: Path, proxy: FakeProxy) -> Iterator[Site]:
    """A web process that answers."""
    site = Site(tmp_path, proxy)
    eventually(lambda: "| ready" in site.output, within=40)
    yield site
    site.stop()
    sys.stdout.write(site.output)  # shown when the test failed


def test_who_asks_while_a_dead_web_process_is_replaced_waits_for_the_answer(site: Site) -> None:
    os.kill(site.pid(), signal.SIGKILL)
    assert site.get() == 200
    assert "web died (killed by SIGKILL); starting it again" in site.output
    assert site.stop() == 0


def test_a_web_process_whose_loop_stands_still_is_named_and_replaced(site: Site) -> None:
    os.kill(site.pid(), signal.SIGSTOP)
    eventually(lambda: re.search(r"web gives no sign of life for 5 s: replacing it", site.output))
    assert site.get(60) == 200
    assert site.stop() == 0


def test_a_request_in_hand_is_answered_before_the_process_ends(site: Site) -> None:
    with socket.create_connection(site.address, timeout=20) as caller:
        caller.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n")
        eventually(lambda: site.get() == 200)  # by now the half of it has been read
        site.process.send_signal(signal.SIGTERM)
        eventually(lambda: "stopping" in site.output)
        caller.sendall(b"\r\n")
        assert caller.recv(1024).startswith(b"HTTP/1.1 200")
    assert site.stop() == 0
    assert "did not stop" not in site.output


def test_one_that_hangs_on_to_a_request_is_ended_in_time(site: Site) -> None:
    with socket.create_connection(site.address, timeout=20) as caller:
        caller.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n")
        eventually(lambda: site.get() == 200)
        assert site.stop() == 0
    assert "did not stop" not in site.output
    assert "Traceback" not in site.output
