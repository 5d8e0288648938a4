"""A worker that gives no sign of life is replaced; one that only waits is left alone."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from jobs.housekeeping import reaper
from jobs.models import Job
from jobs.queue import submission
from tests.factories import make_user
from tests.fake_tiktok import FakeTikTok
from tests.fake_tiktok.proxy import FakeProxy
from tests.integration.conftest import ROOT, RedisServer, eventually, worker_environment
from webapp.processes import specs

SILENT_AFTER_S = 12.0


class Supervised:
    """A worker under a supervisor, with less patience than `manage.py up` has."""

    def __init__(self, folder: Path, proxy: FakeProxy) -> None:
        worker = dataclasses.replace(
            specs.worker(settings.STORYKEEP), silent_after_s=SILENT_AFTER_S, grace_s=2
        )
        plan = {
            "processes": [dataclasses.asdict(worker)],
            "host": "127.0.0.1",
            "port": 1,  # nobody listens: there is no web part
            "live_path": "/health/live",
            "greeting": [],
            "watch_every_s": 2,
        }
        path = folder / "plan.json"
        path.write_text(json.dumps(plan))
        self._log = folder / "up.log"
        script = ROOT / "webapp" / "processes" / "supervisor.py"
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-S", "-P", str(script), str(path)],
                cwd=ROOT,
                env=worker_environment(proxy) | {"PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        """What all of it has printed so far."""
        return self._log.read_text(errors="replace")

    def workers(self) -> list[int]:
        """Process ids of the workers that became ready, in their order."""
        return [int(pid) for pid in re.findall(r"worker-(\d+)@\S* ready", self.output)]

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@pytest.fixture
def supervised(
    transactional_db: None, tmp_path: Path, proxy: FakeProxy
) -> Iterator[Callable[[], Supervised]]:
    """Starts supervised workers, and leaves none behind."""
    started: list[Supervised] = []

    def start() -> Supervised:
        started.append(Supervised(tmp_path, proxy))
        eventually(lambda: started[-1].workers())
        return started[-1]

    yield start
    for each in started:
        each.stop()
        sys.stdout.write(each.output)  # shown when the test failed


def is_settled(job: Job) -> bool:
    job.refresh_from_db()
    return job.settled_at is not None


def test_a_stopped_worker_is_named_and_replaced(
    supervised: Callable[[], Supervised], tiktok: FakeTikTok
) -> None:
    tiktok.account("corner.bakery").video(seconds=1)
    up = supervised()
    os.kill(up.workers()[0], signal.SIGSTOP)
    eventually(lambda: len(up.workers()) == 2, within=45)
    assert "worker gives no sign of life for 12 s: replacing it" in up.output
    assert "worker died (killed by SIGKILL)" in up.output
    job = submission.submit(make_user("alice"), ["@corner.bakery"])
    eventually(lambda: is_settled(job))
    assert up.stop() == 0


def test_a_worker_that_waits_for_a_frozen_redis_is_left_alone(
    supervised: Callable[[], Supervised], tiktok: FakeTikTok, redis_server: RedisServer
) -> None:
    tiktok.account("corner.bakery").video(seconds=1)
    up = supervised()
    redis_server.freeze()
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            up.process.wait(2 * SILENT_AFTER_S)
    finally:
        redis_server.thaw()
    job = submission.submit(make_user("alice"), ["@corner.bakery"])
    eventually(lambda: reaper.requeue_stalled(timezone.now()) and is_settled(job), within=45)
    assert "sign of life" not in up.output
    assert len(up.workers()) == 1
