"""Workers that die with lines in hand: nothing is lost, and only the cause is given up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.ephemeral import processes
from jobs.housekeeping import reaper
from jobs.models import Artifact, Item, Job, Role
from jobs.queue import claims, holders, submission
from jobs.states import ItemState
from tests.factories import make_user
from tests.fake_tiktok import FakeTikTok
from tests.integration.conftest import RedisServer, Start, Worker, eventually
from webapp.processes.run import run_name

S = ItemState
TEN = [f"corner.bakery{number}" for number in range(10)]


@pytest.fixture(autouse=True)
def _same_run() -> Iterator[None]:
    """The reaper of the test sees deaths as that of another worker here does."""
    holders.belong_to(run_name(supervised=False))
    yield
    holders.belong_to("")


def submit(*names: str) -> Job:
    return submission.submit(make_user("alice"), [f"@{name}" for name in names])


def reap() -> None:
    """The leases of all that is running are over, and every wait; messages were lost."""
    for process in processes.running():  # which by then are known to be gone, if they are
        processes.withdraw(process.name)
    running = Item.objects.filter(state=S.RUNNING)
    running.update(heartbeat_at=timezone.now() - claims.LEASE - timedelta(seconds=1))
    reaper.requeue_stalled(timezone.now())
    Item.objects.filter(state=S.QUEUED).update(not_before=None, sent_at=None)
    reaper.requeue_stalled(timezone.now())


def is_settled(job: Job) -> bool:
    reaper.requeue_stalled(timezone.now())  # nobody sends its message here
    job.refresh_from_db()
    return job.settled_at is not None


def all_running(count: int) -> bool:
    return Item.objects.filter(state=S.RUNNING, listed_at__isnull=False).count() == count


def saved() -> int:
    return Artifact.objects.present().filter(role=Role.MEDIA).count()


def test_of_ten_lines_in_hand_only_what_workers_die_of_is_given_up(
    start_worker: Start,
    tiktok: FakeTikTok,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(holders, "MAX_DEATHS_ALONE", 3)  # not five, each of which is a new worker
    for name in TEN:
        tiktok.account(name).photo()
    huge = tiktok.account("huge.owl").video(min_bytes=300_000)
    tiktok.fault("media", "slow", bytes_per_s=1000)
    worker = start_worker(threads=12).ready()
    job = submit("huge.owl", *TEN)
    line = job.items.order_by("position")[0]
    eventually(lambda: all_running(1 + len(TEN)), within=60)
    worker.kill()
    tiktok.faults.clear()
    tiktok.fault(huge, "slow", bytes_per_s=1000)

    deaths_alone = 0
    while not job.items.filter(pk=line.pk, state=S.FAILED).exists():
        reap()
        assert set(job.items.filter(state=S.QUEUED, deaths=0)) == set()
        tiktok.forget_requests()
        worker = start_worker(threads=12).ready()
        eventually(lambda: tiktok.count(item=huge, endpoint="media"), within=60)
        others = job.items.exclude(pk=line.pk)
        assert not others.filter(state=S.RUNNING).exists()
        worker.kill()
        deaths_alone += 1
        reap()
    start_worker(threads=12).ready()
    eventually(lambda: is_settled(job), within=60)

    line.refresh_from_db()
    assert (line.state, line.error_code) == (S.FAILED, "worker_lost")
    assert deaths_alone >= 3
    others = job.items.exclude(pk=line.pk)
    assert set(others.values_list("state", "deaths")) == {(S.DONE, 0)}
    assert saved() == len(TEN)


def test_a_worker_killed_at_a_lines_third_try_leaves_it_one(
    start_worker: Start, tiktok: FakeTikTok
) -> None:
    account = tiktok.account("corner.bakery")
    clip = account.video(min_bytes=300_000)
    tiktok.fault({"account": "corner.bakery", "endpoint": "list"}, 503, times=2)
    slow = tiktok.fault(clip, "slow", bytes_per_s=1000)
    worker = start_worker().ready()
    job = submit("corner.bakery")
    for tries in (1, 2):
        waits = job.items.filter(state=S.QUEUED, error_code="upstream_down", tries=tries)
        eventually(lambda waits=waits: waits.exists())  # type: ignore[misc]
        reap()
    eventually(lambda: slow.hits)
    worker.kill()
    tiktok.faults.clear()
    reap()
    item = job.items.get()
    assert (item.state, item.tries, item.deaths) == (S.QUEUED, 2, 1)
    start_worker().ready()
    eventually(lambda: is_settled(job))
    item.refresh_from_db()
    assert (item.state, item.tries, item.deaths) == (S.DONE, 3, 0)
    assert saved() == 1


def test_three_power_cuts_in_one_job_leave_it_whole(
    start_worker: Start, tiktok: FakeTikTok, redis_server: RedisServer
) -> None:
    """Also where nothing tells them from three deaths of a worker."""
    for name in TEN[:6]:
        tiktok.account(name).carousel(2)
    job = submit(*TEN[:6])
    tiktok.fault("media", "slow", bytes_per_s=1000)
    for _ in range(3):
        worker: Worker = start_worker(threads=6).ready()
        eventually(lambda: Item.objects.filter(listed_at__isnull=False, state=S.RUNNING).exists())
        worker.kill()
        redis_server.stop()
        redis_server.start()
        reap()
    tiktok.faults.clear()
    start_worker(threads=6).ready()
    eventually(lambda: is_settled(job), within=60)
    assert set(job.items.values_list("state", "error_code")) == {(S.DONE, "")}
    assert saved() == 2 * 6
