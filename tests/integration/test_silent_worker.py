"""A worker that gives no sign of life is replaced; one that only waits is left alone."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable

import pytest
from django.utils import timezone

from jobs.housekeeping import reaper
from jobs.models import Job
from jobs.queue import submission
from tests.factories import make_user
from tests.fake_tiktok import FakeTikTok
from tests.integration.conftest import RedisServer, eventually
from tests.integration.supervised import SILENT_AFTER_S, Supervised


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
