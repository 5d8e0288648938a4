"""A Redis that others write to as well: what is none of ours is dropped, and the work goes on."""

from __future__ import annotations

import redis

from jobs.ephemeral import log_lines
from jobs.models import Job
from jobs.queue import broker, routing, submission
from tests.factories import make_user
from tests.fake_tiktok import FakeTikTok
from tests.foreign_messages import CONTENT, FOREIGN, ODD
from tests.integration.conftest import RedisServer, Start, eventually


def is_settled(job: Job) -> bool:
    job.refresh_from_db()
    return job.settled_at is not None


def test_a_worker_takes_its_own_out_of_a_heap_of_foreign_messages(
    start_worker: Start, tiktok: FakeTikTok, redis_server: RedisServer
) -> None:
    tiktok.account("corner.bakery").video(seconds=1)
    worker = start_worker().ready()
    with redis.Redis(unix_socket_path=str(redis_server.socket)) as other:
        for queue in routing.QUEUES:
            other.lpush(queue, *FOREIGN.values(), *ODD.values(), b"x" * 50_000_000)
        job = submission.submit(make_user("alice"), ["@corner.bakery"])
        assert broker.send_periodic(routing.SWEEP)
        eventually(lambda: is_settled(job))
        eventually(lambda: not any(other.llen(queue) for queue in routing.QUEUES))
    # The System page shows what workers warn of, too.
    eventually(lambda: any("none of ours" in line.text for line in log_lines.recent()))
    assert "none of ours were dropped from 'celery'" in worker.output
    assert CONTENT not in worker.output
    assert "Traceback" not in worker.output
    assert worker.running
    assert worker.stop() == 0


def test_keys_of_another_type_in_the_place_of_the_queues_are_removed(
    start_worker: Start, tiktok: FakeTikTok, redis_server: RedisServer
) -> None:
    """And what older versions kept beside them is not looked at, whatever it is by now."""
    tiktok.account("corner.bakery").video(seconds=1)
    worker = start_worker().ready()
    with redis_server.client() as other:
        others = {"unacked": "x", "unacked_index": "x", "_kombu.binding.celery": "x"}
        other.mset(others | dict.fromkeys(routing.QUEUES, "x"))
        eventually(lambda: not any(other.exists(queue) for queue in routing.QUEUES))
        eventually(lambda: "were removed" in worker.output)
        job = submission.submit(make_user("alice"), ["@corner.bakery"])
        eventually(lambda: is_settled(job))
        assert set(other.mget(others)) == {"x"}
        other.delete(*others)
    assert worker.stop() == 0


def test_nothing_of_the_transport_is_kept_in_redis(
    start_worker: Start, tiktok: FakeTikTok, redis_server: RedisServer
) -> None:
    tiktok.account("corner.bakery").video(seconds=1)
    start_worker().ready()
    job = submission.submit(make_user("alice"), ["@corner.bakery"])
    eventually(lambda: is_settled(job))
    with redis_server.client() as client:
        assert all(name.startswith("storykeep:") for name in client.scan_iter())
