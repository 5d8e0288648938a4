"""Actions on lines in the queue: cancel, retry, queue again."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from jobs.errors import retry_may_help
from jobs.housekeeping import reaper
from jobs.models import Item, Job
from jobs.queue import actions, claims, settling
from jobs.queue.claims import Claim
from jobs.queue.settling import Outcome
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story
from tests.unit.jobs.claims import claimed, row
from tests.unit.jobs.conftest import Broker

pytestmark = pytest.mark.django_db
S = ItemState


def test_cancelling_stops_what_is_open_and_keeps_what_is_saved() -> None:
    job = make_job(links=1)
    running = make_item(job, state=S.RUNNING)
    done = make_item(job, state=S.DONE)
    claim = Claim(running.pk, 1)
    half = make_story(running, state=S.QUEUED)
    file = make_artifact(half, expires_at=timezone.now() + timedelta(minutes=1))
    assert actions.cancel(job) == 2
    assert {item.state for item in job.items.exclude(pk=done.pk)} == {S.CANCELLED}
    done.refresh_from_db()
    half.refresh_from_db()
    file.refresh_from_db()
    job.refresh_from_db()
    assert (done.state, half.state) == (S.DONE, S.CANCELLED)
    assert file.expires_at > timezone.now() + timedelta(hours=1)
    assert job.settled_at is not None
    assert not claims.is_held(claim)


def test_cancelled_stays_cancelled() -> None:
    item = make_item(state=S.RUNNING)
    claim = Claim(item.pk, 1)
    assert actions.cancel_item(item)
    assert not actions.cancel_item(item)
    assert not settling.finish(claim, Outcome(S.DONE))
    assert not claims.release(claim)
    reaper.requeue_stalled(timezone.now() + timedelta(hours=1))
    assert actions.retry(item.job) == 0
    item.refresh_from_db()
    assert item.state == S.CANCELLED


@pytest.mark.parametrize(
    ("state", "code", "again"),
    [
        (S.FAILED, "upstream_down", True),
        (S.FAILED, "refused", True),
        (S.FAILED, "internal", True),
        (S.FAILED, "disk_full", True),
        (S.FAILED, "no_such_account", False),
        (S.FAILED, "not_understood", False),
        (S.PARTIAL, "media_unavailable", True),
        (S.PARTIAL, "too_large", False),
        (S.PARTIAL, "", True),
        (S.DONE, "", False),
        (S.EMPTY, "", False),
        (S.RUNNING, "", False),
    ],
)
def test_retrying(state: ItemState, code: str, again: bool) -> None:
    job = make_job(audio="mp3", settled_at=timezone.now())
    item = make_item(job, state=state, error_code=code, tries=3)
    assert retry_may_help(item.state, item.error_code) is again
    assert actions.retry_item(item) is again
    item.refresh_from_db()
    job.refresh_from_db()
    assert (item.state == S.QUEUED) is again
    if again:
        assert (item.tries, item.settled_at, item.error_code) == (0, None, "")
        assert job.settled_at is None
    assert job.audio == "mp3"


def test_retrying_a_job_takes_only_what_may_work_now() -> None:
    job = make_job()
    make_item(job, state=S.FAILED, error_code="timed_out")
    make_item(job, state=S.FAILED, error_code="gone")
    make_item(job, state=S.DONE)
    assert actions.retry(job) == 1


def test_queueing_again_takes_a_line_from_its_worker(broker: Broker) -> None:
    claim = claimed()
    Item.objects.update(fetch_key="what others wait for")
    assert actions.requeue(Item.objects.filter(pk=claim.item_id)) == 1
    assert not claims.is_held(claim)
    assert not settling.finish(claim, Outcome(S.DONE))
    item = row(claim)
    assert (item.state, item.not_before, item.fetch_key) == (S.QUEUED, None, None)
    again = claimed(item)
    assert again.attempt == claim.attempt + 1


@pytest.mark.parametrize(
    ("state", "code", "key", "again"),
    [
        (S.QUEUED, "refused", "user:a", True),
        (S.FAILED, "upstream_changed", "user:a", True),
        (S.PARTIAL, "media_corrupt", "user:a", True),
        (S.FAILED, "not_understood", "", False),
        (S.DONE, "", "user:a", False),
        (S.EMPTY, "", "user:a", False),
        (S.CANCELLED, "cancelled", "user:a", False),
    ],
)
def test_queueing_again(state: ItemState, code: str, key: str, again: bool) -> None:
    later = timezone.now() + timedelta(hours=1)
    long_ago = timezone.now() - timedelta(hours=1)
    item = make_item(
        state=state, error_code=code, key=key, tries=2, not_before=later, asked_at=long_ago
    )
    Job.objects.update(settled_at=timezone.now())
    assert actions.requeue(Item.objects.all()) == again
    item.refresh_from_db()
    assert item.state == (S.QUEUED if again else state)
    if again:
        assert (item.tries, item.error_code, item.not_before) == (0, "", None)
        # What was open keeps its place in the line.
        assert (item.asked_at == long_ago) is (state == S.QUEUED)
        assert (Job.objects.get().settled_at is None) is (state != S.QUEUED)


def wait_until_someone_waits() -> None:
    """Until a statement waits for a lock."""
    over = threading.Event()
    for _ in range(400):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone() != (0,):
                return
        over.wait(0.05)
    raise AssertionError("nothing waits for a lock")


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_a_line_claimed_while_it_is_requeued_is_requeued_too(broker: Broker) -> None:
    item = make_item()
    claimed_now, over = threading.Event(), threading.Event()
    requeued: list[int] = []

    def claim() -> None:
        with transaction.atomic():
            assert claims.claim(item.pk)
            claimed_now.set()
            over.wait(20)
        connections.close_all()

    def requeue() -> None:
        requeued.append(actions.requeue(Item.objects.filter(pk=item.pk)))
        connections.close_all()

    threads = [threading.Thread(target=claim), threading.Thread(target=requeue)]
    threads[0].start()
    try:
        assert claimed_now.wait(20)
        threads[1].start()
        wait_until_someone_waits()
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert requeued == [1]
    item.refresh_from_db()
    assert item.state == S.QUEUED
