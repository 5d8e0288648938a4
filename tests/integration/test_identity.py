"""A site that refuses an identity, and workers that keep to the one it serves."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from jobs import tasks
from jobs.models import Job
from jobs.queue import submission
from jobs.states import ItemState
from jobs.upstream import breaker, page_identity
from tests.factories import make_user
from tests.fake_tiktok import FakeTikTok
from tests.integration.conftest import RedisServer, Start, eventually

WITHOUT_REFERER = {"text": "https://www.tiktok.com/", "agent": "Chrome/150", "referer": False}
THIS_BROWSER = {"text": "https://www.tiktok.com/", "agent": "Chrome/150"}


def submit(*lines: str) -> Job:
    return submission.submit(make_user("alice"), lines, options=submission.Options())


def settled(job: Job) -> list[str]:
    eventually(lambda: Job.objects.get(pk=job.pk).settled_at)
    return list(job.items.order_by("position").values_list("state", flat=True))


@pytest.mark.parametrize("kind", [403, "unsolvable"])
def test_a_job_is_saved_though_the_site_refuses_us_without_a_referer(
    start_worker: Start, tiktok: FakeTikTok, kind: Any
) -> None:
    tiktok.account("corner.bakery").video(seconds=1)
    tiktok.fault(WITHOUT_REFERER, kind)
    start_worker().ready()
    job = submit("@corner.bakery")
    assert settled(job) == [ItemState.DONE]
    assert breaker.open_state() is None, "nobody had to pause"
    assert job.items.get().attempt == 1
    assert page_identity.in_use() == "chrome150+referer"


def test_a_second_worker_and_one_that_is_started_again_begin_with_what_worked(
    start_worker: Start, tiktok: FakeTikTok
) -> None:
    for name in ("corner.bakery", "night.trains"):
        tiktok.account(name).photo()
    tiktok.fault(WITHOUT_REFERER, 403)
    first = start_worker().ready()
    assert settled(submit("@corner.bakery")) == [ItemState.DONE]
    first.stop()
    tiktok.forget_requests()
    start_worker().ready()
    assert settled(submit("@night.trains")) == [ItemState.DONE]
    assert 403 not in [seen.status for seen in tiktok.requests]


def test_what_redis_forgot_costs_one_request_as_the_first_time(
    start_worker: Start, tiktok: FakeTikTok, redis_server: RedisServer
) -> None:
    for name in ("corner.bakery", "night.trains"):
        tiktok.account(name).photo()
    tiktok.fault(WITHOUT_REFERER, 403)
    start_worker().ready()
    assert settled(submit("@corner.bakery")) == [ItemState.DONE]
    with redis_server.client() as client:
        client.delete("storykeep:page_identity", "storykeep:identity_rests")
    assert settled(submit("@night.trains")) == [ItemState.DONE]
    assert [seen.status for seen in tiktok.seen("profile")] == [403, 200, 403, 200]


def test_when_every_identity_is_refused_the_instance_pauses_after_one_more_request(
    start_worker: Start, tiktok: FakeTikTok, redis_server: RedisServer
) -> None:
    tiktok.account("corner.bakery").photo()
    tiktok.fault({"text": "https://www.tiktok.com/"}, 403)
    start_worker().ready()
    job = submit("@corner.bakery")
    eventually(breaker.open_state)
    assert job.items.get().state in {ItemState.QUEUED, ItemState.RUNNING}
    eventually(lambda: job.items.get().state == ItemState.QUEUED)
    assert [seen.endpoint for seen in tiktok.requests] == ["profile", "profile", "embed"]
    assert page_identity.in_use() == "chrome146+referer", "after the pause it is its turn"
    with redis_server.client() as client:
        client.hset("storykeep:breaker", "until", "1")  # the pause is over
    tiktok.faults.clear()
    tiktok.fault(THIS_BROWSER, 403)
    job.items.update(not_before=timezone.now())
    tasks.repair()
    assert settled(job) == [ItemState.DONE]
    assert breaker.shared_state() is None


def test_many_lines_at_once_make_no_storm(start_worker: Start, tiktok: FakeTikTok) -> None:
    names = [f"corner.bakery{number}" for number in range(8)]
    for name in names:
        tiktok.account(name).photo()
    tiktok.fault(WITHOUT_REFERER, 403)
    start_worker().ready()
    assert settled(submit(*names)) == [ItemState.DONE] * 8
    refused = [seen for seen in tiktok.requests if seen.status == 403]
    assert len(refused) <= 4, "as many as run at once, and those that follow know better"
    assert breaker.open_state() is None
