"""Quotas when several processes ask at once: none passes what the others have taken."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from jobs.errors import OurLimit, QuotaExceeded
from jobs.files import capacity
from jobs.models import Artifact, Item, Quota
from jobs.queue import actions, quotas
from jobs.queue.submission import submit
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

S = ItemState
AT_ONCE = 8


def together(act: Callable[[int], object]) -> int:
    """Let threads, each with a connection of its own, act at once; how many were refused."""
    start, refused = threading.Barrier(AT_ONCE), []

    def run(number: int) -> None:
        start.wait(20)
        try:
            act(number)
        except OurLimit as error:
            refused.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[number]) for number in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(refused)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("limit", ["active_items", "items_per_day"])
def test_lines_sent_at_once_stay_within_the_quota(limit: str) -> None:
    alice = make_user("alice")
    Quota.objects.create(owner=alice, **{limit: 3})
    assert together(lambda number: submit(alice, [f"@author{number}"])) == AT_ONCE - 3
    assert Item.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_lines_retried_at_once_stay_within_the_quota() -> None:
    alice = make_user("alice")
    Quota.objects.create(owner=alice, active_items=3)
    items = [make_item(make_job(alice), state=S.FAILED) for _ in range(AT_ONCE)]
    assert together(lambda number: actions.retry_item(items[number])) == AT_ONCE - 3
    assert Item.objects.filter(state=S.QUEUED).count() == 3


def store(owner: User, size_bytes: int, story: Any, *, written: Any = None) -> None:
    """Write a file's row as a worker does that knows nothing of the others.

    written: a barrier at which all wait who have written theirs.
    """
    with transaction.atomic():
        make_artifact(story, size_bytes=size_bytes)
        if written:
            written.wait(20)
        quotas.require_stored_bytes_fit(owner.pk, quotas.max_stored_bytes(owner.pk))


@pytest.mark.django_db(transaction=True)
def test_files_stored_at_once_stay_within_the_quota() -> None:
    alice, bob = make_user("alice"), make_user("bob")
    Quota.objects.create(owner=alice, stored_bytes=350)
    stories = [make_story(make_item(make_job(alice), state=S.DONE)) for _ in range(AT_ONCE)]
    make_artifact(make_story(make_item(make_job(bob), state=S.DONE)), size_bytes=10**9)
    # SQLite has one writer at a time: there nobody could wait for the others.
    written = None if connection.vendor == "sqlite" else threading.Barrier(AT_ONCE)
    refused = together(lambda number: store(alice, 100, stories[number], written=written))
    assert refused == AT_ONCE - 3
    assert Artifact.objects.filter(owner=alice).count() == 3


@pytest.mark.django_db(transaction=True)
def test_files_of_several_people_stored_at_once_stay_within_the_instances_limit(
    set_env: Callable[..., None],
) -> None:
    set_env(disk_max=350)
    owners = [make_user(f"author{number}") for number in range(AT_ONCE)]
    stories = [make_story(make_item(make_job(owner), state=S.DONE)) for owner in owners]
    written = None if connection.vendor == "sqlite" else threading.Barrier(AT_ONCE)

    def save(number: int) -> None:
        with transaction.atomic():
            artifact = make_artifact(stories[number], size_bytes=100)
            if written:
                written.wait(20)
            capacity.require_limit_holds([artifact])

    assert together(save) == AT_ONCE - 3
    assert Artifact.objects.count() == 3


@pytest.mark.django_db
def test_the_refusal_of_a_stored_file_says_until_when() -> None:
    alice = make_user("alice")
    story = make_story(make_item(make_job(alice), state=S.DONE))
    Quota.objects.create(owner=alice, stored_bytes=100)
    store(alice, 100, story)
    with pytest.raises(QuotaExceeded) as refused:
        store(alice, 1, story)
    assert refused.value.retry_after_s
    assert Artifact.objects.count() == 1


@pytest.mark.django_db
def test_without_a_limit_nobody_is_locked() -> None:
    alice = make_user("alice")
    with CaptureQueriesContext(connection) as queries:
        quotas.require_stored_bytes_fit(alice.pk, quotas.max_stored_bytes(alice.pk))
    assert len(queries) == 1


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_erasing_a_job_and_sending_lines_wait_for_each_other() -> None:
    """Else a submission would count neither the items that go nor the number they become."""
    job = make_job(make_user("alice"), links=2)
    with CaptureQueriesContext(connection) as queries:
        quotas.carry_over(job.pk)
    locks = [query["sql"] for query in queries if "FOR NO KEY UPDATE" in query["sql"]]
    assert any("auth_user" in sql for sql in locks)
