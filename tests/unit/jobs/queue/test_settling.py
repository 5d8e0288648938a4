"""How an attempt ends: an item, its stories, its files and its job are settled, or it waits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.errors import DiskFull, Internal
from jobs.models import Item
from jobs.queue import actions, settling
from jobs.queue.settling import Outcome
from jobs.states import ItemState
from stories.errors import (
    Advert,
    Gone,
    MediaUnavailable,
    NoSuchAccount,
    PrivateAccount,
    StoriesError,
    TooLarge,
    UpstreamChanged,
)
from tests.factories import make_artifact, make_item, make_job, make_story
from tests.unit.jobs.claims import claimed, row

pytestmark = pytest.mark.django_db
S = ItemState


@pytest.mark.parametrize("state", [S.DONE, S.EMPTY])
def test_finishing_settles_item_and_job(state: ItemState) -> None:
    claim = claimed()
    assert settling.finish(claim, Outcome(state))
    item = row(claim)
    assert item.state == state
    assert item.settled_at is not None
    assert item.job.settled_at is not None


def test_the_job_stays_open_until_its_last_item_settles() -> None:
    job = make_job(links=2)
    first, last = job.items.all()
    settling.finish(claimed(first), Outcome(S.DONE))
    job.refresh_from_db()
    assert job.settled_at is None
    settling.finish(claimed(last), Outcome(S.EMPTY))
    job.refresh_from_db()
    assert job.settled_at is not None


@pytest.mark.parametrize(
    "error",
    [
        NoSuchAccount(),
        PrivateAccount(),
        Gone(),
        UpstreamChanged("a.b is missing"),
        TooLarge(),
        Internal("a1b2c3d4"),
        DiskFull("full"),
    ],
    ids=lambda error: error.code,
)
def test_final_errors_settle_at_once(error: StoriesError) -> None:
    claim = claimed()
    assert settling.fail(claim, error)
    item = row(claim)
    assert (item.state, item.error_code, item.error_detail) == (S.FAILED, error.code, error.detail)
    assert item.job.settled_at is not None


def test_an_advert_is_no_failure() -> None:
    claim = claimed()
    assert settling.fail(claim, Advert())
    item = row(claim)
    assert (item.state, item.error_code) == (S.EMPTY, "advert")
    assert item.job.settled_at is not None
    assert not actions.retryable(Item.objects.all()).exists()
    assert not actions.requeueable(Item.objects.all()).exists()


def test_a_failure_after_something_was_saved_is_partial() -> None:
    claim = claimed()
    make_artifact(make_story(row(claim)))
    settling.fail(claim, NoSuchAccount())
    assert row(claim).state == S.PARTIAL


def test_missing_media_is_fetched_later_and_then_the_item_is_partial() -> None:
    item = make_item()
    outcome = Outcome(S.PARTIAL, MediaUnavailable())
    for _ in range(2):
        settling.finish(claimed(item), outcome)
        item.refresh_from_db()
        assert item.state == S.QUEUED
        Item.objects.update(not_before=None)
    settling.finish(claimed(item), outcome)
    item.refresh_from_db()
    assert (item.state, item.error_code) == (S.PARTIAL, "media_unavailable")


def test_media_that_will_never_come_is_not_waited_for() -> None:
    claim = claimed()
    settling.finish(claim, Outcome(S.PARTIAL, TooLarge()))
    assert row(claim).state == S.PARTIAL


def test_settling_restarts_the_clock_of_the_files_and_leaves_no_story_open() -> None:
    claim = claimed()
    story = make_story(row(claim), state=S.QUEUED)
    soon = timezone.now() + timedelta(minutes=1)
    file = make_artifact(story, expires_at=soon)
    gone = make_artifact(story, expires_at=soon, removed_at=timezone.now())
    settling.finish(claim, Outcome(S.PARTIAL, TooLarge()))
    story.refresh_from_db()
    assert story.state == S.PARTIAL  # what it has stays
    assert story.captured_at
    file.refresh_from_db()
    gone.refresh_from_db()
    assert file.expires_at > soon + timedelta(hours=1)
    assert gone.expires_at == soon


def test_no_retry_keeps_a_file_longer_than_the_longest(settings: Any) -> None:
    now, env = timezone.now(), settings.STORYKEEP
    claim = claimed()
    soon = now + timedelta(minutes=5)
    old = make_artifact(
        make_story(row(claim)),
        created_at=now - env.artifact_ttl_max + timedelta(hours=1),
        expires_at=soon,
    )
    settling.finish(claim, Outcome(S.PARTIAL))
    old.refresh_from_db()
    assert old.expires_at == soon
