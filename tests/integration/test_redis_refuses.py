"""A Redis that answers and refuses to be written: what is asked waits, and goes on by itself."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts import tokens
from jobs.ephemeral import connection
from jobs.housekeeping import reaper
from jobs.models import Job
from jobs.queue import submission
from tests.factories import make_user
from tests.fake_tiktok import FakeTikTok
from tests.integration.conftest import RedisServer, Start, eventually
from webapp.env import Env
from webapp.processes import specs
from webapp.processes.child import Child

Refusing = Callable[[redis.Redis, Path], None]


def read_only(client: redis.Redis, _folder: Path) -> None:
    """A replica, as after a failover this instance does not know of."""
    client.replicaof("127.0.0.1", "1")


def full(client: redis.Redis, _folder: Path) -> None:
    client.config_set("maxmemory", "1")


def save(client: redis.Redis) -> None:
    """Start a save, once none is running."""
    eventually(lambda: not client.info()["rdb_bgsave_in_progress"])
    client.bgsave()


def without_snapshot(client: redis.Redis, folder: Path) -> None:
    """The folder of its dump is gone, and one save failed."""
    lost = folder / "lost"
    lost.mkdir()
    client.config_set("dir", str(lost))
    lost.rmdir()
    client.config_set("save", "60 1")
    save(client)
    eventually(lambda: client.info()["rdb_last_bgsave_status"] == "err")


def take_back(client: redis.Redis, folder: Path) -> None:
    client.replicaof("NO", "ONE")
    client.config_set("maxmemory", "0")
    client.config_set("save", "")
    client.config_set("dir", str(folder))
    save(client)  # the last save counts, whether or not another one is to come
    eventually(lambda: client.info()["rdb_last_bgsave_status"] == "ok")


@pytest.fixture
def admin(redis_server: RedisServer, tmp_path: Path) -> Iterator[redis.Redis]:
    """Whoever runs the Redis."""
    with redis_server.client() as client:
        yield client
        take_back(client, tmp_path)


REFUSALS = [
    pytest.param(read_only, "READONLY", id="a read-only replica"),
    pytest.param(full, "OOM", id="no memory left"),
    pytest.param(without_snapshot, "MISCONF", id="no snapshot can be written"),
]


def is_settled(job: Job) -> bool:
    job.refresh_from_db()
    return job.settled_at is not None


@pytest.mark.parametrize(("refuse", "reason"), REFUSALS)
def test_a_worker_waits_for_a_redis_that_refuses_and_goes_on_by_itself(
    start_worker: Start,
    tiktok: FakeTikTok,
    admin: redis.Redis,
    tmp_path: Path,
    refuse: Refusing,
    reason: str,
) -> None:
    tiktok.account("corner.bakery").video(seconds=1)
    worker = start_worker().ready()
    refuse(admin, tmp_path)
    job = submission.submit(make_user("alice"), ["@corner.bakery"])
    assert not connection.accepts_writes()
    assert connection.availability.reason == reason
    eventually(lambda: "refuses commands" in worker.output)
    take_back(admin, tmp_path)
    # The scheduler's part: what could not be sent is sent now.
    eventually(lambda: reaper.requeue_stalled(timezone.now()) and is_settled(job), within=45)
    assert worker.running, worker.output
    assert worker.stop() == 0


@pytest.mark.parametrize(("refuse", "reason"), REFUSALS)
def test_pages_and_api_work_while_redis_refuses(
    admin: redis.Redis, tmp_path: Path, refuse: Refusing, reason: str
) -> None:
    alice = make_user("alice")
    cache.clear()  # wrong passwords are counted, those of other tests as well
    refuse(admin, tmp_path)
    browser, script = Client(), Client()
    for _ in range(3):
        assert browser.post("/login/", {"login": "alice", "password": "wrong"}).status_code == 200
    assert browser.post("/login/", {"login": "alice", "password": "alicealice"}).status_code == 302
    assert browser.get("/").status_code == 200
    assert browser.post("/", {"text": "@corner.bakery"}).status_code == 302
    job = Job.objects.get()
    assert browser.get(f"/jobs/{job.pk}/").status_code == 200
    assert browser.get(f"/jobs/{job.pk}/progress/").status_code == 200
    assert browser.post(f"/jobs/{job.pk}/cancel/").status_code == 302
    headers = {"Authorization": f"Bearer {tokens.create(alice, 'phone')}"}
    posted = script.post(
        "/api/v1/jobs",
        {"text": "@other.name"},
        content_type="application/json",
        headers=headers,
    )
    assert posted.status_code == 202
    assert script.get(posted.headers["Location"], headers=headers).status_code == 200
    health = browser.get("/health/ready")
    assert health.status_code == 503
    assert health.json()["parts"]["redis"]["ok"] is False


def test_the_embedded_redis_goes_on_when_it_cannot_write_its_snapshot() -> None:
    """What it holds may be lost, so a full disk is no reason to stop the queue."""
    with tempfile.TemporaryDirectory(prefix="sk-redis-") as short:
        env = Env().model_copy(update={"data_dir": Path(short), "redis_url": None})
        env.run_dir.mkdir()
        spec = specs.redis(env)
        with subprocess.Popen(spec.argv, stdout=subprocess.DEVNULL) as server:
            try:
                child = Child(dataclasses.asdict(spec))
                eventually(child.is_ready)
                with redis.Redis(unix_socket_path=spec.socket, decode_responses=True) as client:
                    assert client.set("storykeep:something", "1")
                    shutil.rmtree(env.run_dir)  # and its socket: the connection stays
                    client.bgsave()
                    eventually(lambda: client.info()["rdb_last_bgsave_status"] == "err")
                    assert client.set("storykeep:something", "2")
            finally:
                server.kill()
