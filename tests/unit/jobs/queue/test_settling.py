"""Claims, the ways an attempt ends, and what people do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.errors import DiskFull, Internal, retry_may_help
from jobs.housekeeping import reaper
from jobs.models import Item, Job
from jobs.queue import actions, backoff, claims, settling
from jobs.queue.claims import Claim, ClaimLost
from jobs.queue.dispatch import claim_next, dispatch
from jobs.queue.settling import Outcome
from jobs.states import ItemState
from jobs.upstream import breaker
from jobs.upstream.breaker import open_state
from stories.errors import (
    Challenged,
    Gone,
    MediaUnavailable,
    NoSuchAccount,
    PrivateAccount,
    RateLimited,
    Refused,
    StoriesError,
    TooLarge,
    Unavailable,
    UpstreamChanged,
    UpstreamDown,
)
from tests.factories import make_artifact, make_item, make_job, make_story
from tests.memory import forget_tiktok
from tests.unit.jobs.claims import claimed, row
from tests.unit.jobs.conftest import Broker

pytestmark = pytest.mark.django_db
S = ItemState


# --- claiming -----------------------------------------------------------------------------------


def test_a_claim_takes_the_item_and_raises_its_attempt() -> None:
    item = make_item(error_code="refused")
    held = claimed(item)
    item.refresh_from_db()
    assert (item.state, item.attempt, held.attempt) == (S.RUNNING, 1, 1)
    assert item.heartbeat_at is not None
    assert item.claimed_at is not None
    assert item.error_code == ""


def test_of_two_claims_one_wins() -> None:
    item = make_item()
    assert claims.claim(item.pk)
    assert claims.claim(item.pk) is None


@pytest.mark.parametrize("state", [state for state in S if state != S.QUEUED])
def test_only_queued_items_are_claimed(state: ItemState) -> None:
    assert claims.claim(make_item(state=state).pk) is None


def test_an_item_that_waits_is_not_claimed_before_its_time() -> None:
    later = timezone.now() + timedelta(minutes=1)
    assert claims.claim(make_item(not_before=later).pk) is None
    assert claims.claim(make_item(not_before=later - timedelta(minutes=2)).pk)


def test_a_forgotten_item_is_not_claimed() -> None:
    item = make_item()
    Job.objects.all().delete()
    assert claims.claim(item.pk) is None


def test_a_worker_presumed_dead_can_neither_settle_nor_write() -> None:
    item = make_item()
    old = claimed(item)
    reaper.requeue_stalled(timezone.now() + claims.LEASE)
    assert not settling.fail(old, NoSuchAccount())  # queued again: not even failing is left
    new = claimed(item)
    assert new.attempt == old.attempt + 1
    assert not settling.finish(old, Outcome(S.DONE))
    assert not claims.heartbeat(old)
    with pytest.raises(ClaimLost), claims.fenced(old):
        pytest.fail("an old claim wrote")
    assert settling.finish(new, Outcome(S.DONE))


def test_a_claim_moves_only_along_the_edges() -> None:
    with pytest.raises(ValueError, match="no edge"):
        claims.move(claimed(), S.RUNNING)


# --- how an attempt ends ------------------------------------------------------------------------


@pytest.mark.parametrize("state", [S.DONE, S.EMPTY])
def test_finishing_settles_item_and_job(state: ItemState) -> None:
    held = claimed()
    assert settling.finish(held, Outcome(state))
    item = row(held)
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
    held = claimed()
    assert settling.fail(held, error)
    item = row(held)
    assert (item.state, item.error_code, item.error_detail) == (S.FAILED, error.code, error.detail)
    assert item.job.settled_at is not None


def test_a_failure_after_something_was_saved_is_partial() -> None:
    held = claimed()
    make_artifact(make_story(row(held)))
    settling.fail(held, NoSuchAccount())
    assert row(held).state == S.PARTIAL


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        pytest.param(UpstreamDown(), 3, id="upstream_down"),
        pytest.param(MediaUnavailable(), 3, id="media_unavailable"),
        pytest.param(Unavailable(), 2, id="unavailable"),
    ],
)
def test_passing_errors_are_tried_again_so_often(error: StoriesError, tries: int) -> None:
    item = make_item()
    waits = []
    for number in range(tries):
        held = claimed(item)
        settling.fail(held, error)
        item.refresh_from_db()
        assert item.error_code == error.code
        if number < tries - 1:
            assert (item.state, item.settled_at) == (S.QUEUED, None)
            assert item.not_before
            waits.append(item.not_before - timezone.now())
            Item.objects.update(not_before=None)
    assert item.state == S.FAILED
    assert waits == sorted(waits)  # growing
    assert all(wait > timedelta(seconds=5) for wait in waits)


def test_a_wait_that_tiktok_names_is_kept() -> None:
    held = claimed()
    settling.fail(held, UpstreamDown(retry_after_s=200))
    not_before = row(held).not_before
    assert not_before
    assert timedelta(seconds=190) < not_before - timezone.now() < timedelta(seconds=260)


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
    held = claimed()
    settling.finish(held, Outcome(S.PARTIAL, TooLarge()))
    assert row(held).state == S.PARTIAL


def test_settling_restarts_the_clock_of_the_files_and_leaves_no_story_open() -> None:
    held = claimed()
    story = make_story(row(held), state=S.QUEUED)
    soon = timezone.now() + timedelta(minutes=1)
    file = make_artifact(story, expires_at=soon)
    gone = make_artifact(story, expires_at=soon, removed_at=timezone.now())
    settling.finish(held, Outcome(S.PARTIAL, TooLarge()))
    story.refresh_from_db()
    assert story.state == S.PARTIAL  # what it has stays
    assert story.captured_at
    file.refresh_from_db()
    gone.refresh_from_db()
    assert file.expires_at > soon + timedelta(hours=1)
    assert gone.expires_at == soon


def test_no_retry_keeps_a_file_longer_than_the_longest(settings: Any) -> None:
    now, env = timezone.now(), settings.STORYKEEP
    held = claimed()
    soon = now + timedelta(minutes=5)
    old = make_artifact(
        make_story(row(held)),
        created_at=now - env.artifact_ttl_max + timedelta(hours=1),
        expires_at=soon,
    )
    settling.finish(held, Outcome(S.PARTIAL))
    old.refresh_from_db()
    assert old.expires_at == soon


def test_releasing_counts_for_nothing(broker: Broker) -> None:
    held = claimed()
    assert claims.release(held)
    item = row(held)
    assert (item.state, item.tries, item.not_before) == (S.QUEUED, 0, None)
    assert broker.sent == []  # this worker might still receive it
    assert dispatch() == 1


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Challenged(), Refused(), RateLimited()])
def test_a_refusal_makes_everything_queued_wait(error: StoriesError) -> None:
    job = make_job(links=3)
    settling.fail(claimed(job.items.all()[0]), error)
    breaker = open_state()
    assert breaker
    assert breaker.code == error.code
    for item in Item.objects.all():
        assert (item.state, item.error_code, item.tries) == (S.QUEUED, error.code, 0)
        assert item.not_before == breaker.until
    assert open_state() == breaker


def test_while_tiktok_refuses_a_turn_is_put_back(broker: Broker) -> None:
    until = breaker.open_for(Refused())
    job = make_job(links=2)
    first, second = job.items.all()
    assert claim_next(first.pk) is None
    for item in (first, second):
        item.refresh_from_db()
        assert (item.state, item.not_before, item.error_code) == (S.QUEUED, until, "refused")
    assert first.tries == 0
    assert broker.sent == []


def test_rate_limits_wait_a_minute_or_as_long_as_tiktok_says() -> None:
    assert breaker.open_for(RateLimited()) >= timezone.now() + timedelta(seconds=59)
    forget_tiktok()
    assert breaker.open_for(RateLimited(retry_after_s=500)) >= timezone.now() + timedelta(
        seconds=499
    )


def test_who_waited_for_tiktok_goes_on_when_it_answers() -> None:
    later = timezone.now() + timedelta(minutes=5)
    refused = make_item(not_before=later, error_code="refused")
    down = make_item(not_before=later, error_code="upstream_down")
    assert backoff.release_queue() == 1
    refused.refresh_from_db()
    down.refresh_from_db()
    assert refused.not_before is None
    assert down.not_before == later


def test_patience_begins_with_the_first_refusal() -> None:
    """Asked long ago, while nothing ran here: that was not TikTok's doing."""
    long_ago = timezone.now() - backoff.MAX_REFUSAL_WAIT
    held, other = claimed(asked_at=long_ago), make_item(asked_at=long_ago)
    settling.fail(held, Refused("HTTP 403"))
    assert reaper.requeue_stalled(timezone.now()).gave_up == 0
    assert row(held).state == S.QUEUED
    first = row(held).refused_since
    other.refresh_from_db()
    assert (other.state, other.error_detail) == (S.QUEUED, "")
    assert first
    Item.objects.update(not_before=None)
    again = claims.claim(held.item_id)
    assert again
    settling.fail(again, Refused("HTTP 403"))
    assert row(held).refused_since == first
    backoff.release_queue()
    assert row(held).refused_since is None


def test_patience_with_refusals_ends() -> None:
    long_ago = timezone.now() - backoff.MAX_REFUSAL_WAIT
    held = claimed(refused_since=long_ago)
    settling.fail(held, Refused("HTTP 403"))
    assert (row(held).state, row(held).error_code) == (S.FAILED, "refused")


# --- what people do -----------------------------------------------------------------------------


def test_cancelling_stops_what_is_open_and_keeps_what_is_saved() -> None:
    job = make_job(links=1)
    running = make_item(job, state=S.RUNNING)
    done = make_item(job, state=S.DONE)
    held = Claim(running.pk, 1)
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
    assert not claims.is_held(held)


def test_cancelled_stays_cancelled() -> None:
    item = make_item(state=S.RUNNING)
    held = Claim(item.pk, 1)
    assert actions.cancel_item(item)
    assert not actions.cancel_item(item)
    assert not settling.finish(held, Outcome(S.DONE))
    assert not claims.release(held)
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


def test_queueing_again_takes_a_line_from_its_worker(broker: Broker) -> None:
    held = claimed()
    Item.objects.update(fetch_key="what others wait for")
    assert actions.requeue(Item.objects.filter(pk=held.item_id)) == 1
    assert not claims.is_held(held)
    assert not settling.finish(held, Outcome(S.DONE))
    item = row(held)
    assert (item.state, item.not_before, item.fetch_key) == (S.QUEUED, None, None)
    again = claimed(item)
    assert again.attempt == held.attempt + 1


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


def test_retrying_a_job_takes_only_what_may_work_now() -> None:
    job = make_job()
    make_item(job, state=S.FAILED, error_code="timed_out")
    make_item(job, state=S.FAILED, error_code="gone")
    make_item(job, state=S.DONE)
    assert actions.retry(job) == 1
