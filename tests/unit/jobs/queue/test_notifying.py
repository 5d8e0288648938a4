"""What its owner is told of a job that settled."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from jobs.errors import BY_CODE
from jobs.models import Artifact, Item, Job
from jobs.queue import actions, erasure, settling
from jobs.queue.claims import Claim
from jobs.queue.settling import Outcome
from jobs.states import ItemState
from notices.kinds import Kind
from notices.models import Message, Preference
from stories.errors import PrivateAccount, TimedOut
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from tests.unit.notices.receiving import Browser

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _told(tmp_path: Any, set_env: Any) -> None:
    set_env(data_dir=tmp_path)
    Browser().subscribe(make_user())


def running(job: Job | None = None, name: str = "cats", files: int = 0) -> Item:
    """A line in hand that has saved so many files of one story."""
    item = make_item(job, name=name, author_name=name, state=ItemState.RUNNING)
    if files:
        story = make_story(item)
        for _ in range(files):
            make_artifact(story)
    return item


def finish(item: Item, state: ItemState = ItemState.DONE, error: Any = None) -> None:
    assert settling.finish(Claim(item.pk, item.attempt), Outcome(state, error))


def give_up(item: Item, error: Any) -> None:
    """Let it fail for the last time."""
    for _ in range(9):
        item.refresh_from_db()
        if item.state not in {ItemState.QUEUED, ItemState.RUNNING}:
            return
        Item.objects.filter(pk=item.pk).update(state=ItemState.RUNNING)
        settling.fail(Claim(item.pk, item.attempt), error)


def test_how_many_of_whom_until_when_and_where() -> None:
    item = running(files=3)
    expires_at = timezone.now() + timedelta(hours=5)
    Artifact.objects.update(expires_at=expires_at)
    finish(item)
    message = Message.objects.get()
    assert message.owner == item.owner
    assert message.kind == Kind.SAVED
    assert message.facts == {"authors": ["cats"], "count": 3, "failed": 0}
    assert message.kept_until == expires_at
    assert message.topic == item.job_id.hex
    assert reverse("job", args=[item.job_id]).endswith(f"/{message.path}")


def test_the_last_line_tells_of_all() -> None:
    job = make_job()
    first, second = running(job, "cats", files=1), running(job, "dogs", files=1)
    finish(first)
    assert not Message.objects.exists()
    finish(second)
    assert Message.objects.get().facts["authors"] == ["cats", "dogs"]


def test_what_a_watch_found_is_counted_by_stories() -> None:
    job = make_job(from_watch=True)
    item = running(job, files=3)
    make_artifact(make_story(item))
    finish(item)
    message = Message.objects.get()
    assert (message.kind, message.facts["count"]) == (Kind.FOUND, 2)


def test_a_job_that_settles_again_is_not_told_again() -> None:
    item = running(files=1)
    finish(item)
    Job.objects.update(settled_at=None)
    settling.settle_overlooked_jobs(timezone.now())
    assert Job.objects.get().settled_at
    assert Message.objects.count() == 1


def test_a_failure_is_told_where_somebody_can_act() -> None:
    item = running()
    give_up(item, TimedOut())
    item.refresh_from_db()
    message = Message.objects.get()
    assert message.kind == Kind.FAILED
    assert message.facts["why"] == BY_CODE[item.error_code].message
    assert message.kept_until is None


def test_a_failure_that_nobody_can_do_anything_about_is_not_told() -> None:
    give_up(running(), PrivateAccount())
    assert Job.objects.get().settled_at
    assert not Message.objects.exists()


def test_no_story_is_no_news() -> None:
    finish(running(), ItemState.EMPTY)
    assert not Message.objects.exists()


def test_what_its_owner_cancelled_is_no_news() -> None:
    item = running()
    actions.cancel(item.job)
    assert not Message.objects.exists()


def test_a_forgotten_job_is_forgotten_here_too() -> None:
    item = running(files=1)
    finish(item)
    erasure.erase(item.job)
    assert not Message.objects.exists()


def test_where_nobody_wants_to_be_told_it_costs_one_look() -> None:
    Preference.objects.all().delete()
    item = running(files=1)
    with CaptureQueriesContext(connection) as queries:
        finish(item)
    assert [q["sql"] for q in queries if "notices_" in q["sql"]] == [
        'SELECT 1 AS "a" FROM "notices_preference" LIMIT 1'
    ]


def test_neither_is_there_without_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends between them has done none of them."""
    item = running(files=1)

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("notices.outbox.add_all", die)
    with pytest.raises(KeyboardInterrupt):
        finish(item)
    assert Job.objects.get().settled_at is None
    monkeypatch.undo()
    settling.settle_overlooked_jobs(timezone.now())
    assert Job.objects.get().settled_at
    assert Message.objects.count() == 1


def test_who_wants_to_hear_of_watches_alone_hears_nothing_of_a_paste() -> None:
    Preference.objects.update(own=False)
    finish(running(files=1))
    assert not Message.objects.exists()
