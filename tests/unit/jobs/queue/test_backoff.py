"""How long an item waits before its next attempt, and what waits while TikTok refuses."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.housekeeping import reaper
from jobs.models import Item
from jobs.queue import backoff, claims, settling
from jobs.states import ItemState
from jobs.upstream.breaker import open_state
from stories.errors import (
    Challenged,
    MediaUnavailable,
    RateLimited,
    Refused,
    StoriesError,
    Unavailable,
    UnknownAnswer,
    UpstreamDown,
)
from tests.factories import make_item, make_job
from tests.unit.jobs.claims import claimed, row
from tests.unit.jobs.database_work import statements

pytestmark = pytest.mark.django_db
S = ItemState


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
        claim = claimed(item)
        settling.fail(claim, error)
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


def test_an_unknown_code_is_tried_again_and_only_then_called_a_change() -> None:
    item = make_item()
    error = UnknownAnswer("unknown code 4711: so new")
    for _ in range(2):
        settling.fail(claimed(item), error)
        item.refresh_from_db()
        assert (item.state, item.error_code) == (S.QUEUED, "unknown_answer")
        assert item.error_detail == "unknown code 4711: so new"
        Item.objects.update(not_before=None)
    settling.fail(claimed(item), error)
    item.refresh_from_db()
    assert (item.state, item.error_code) == (S.FAILED, "upstream_changed")
    assert item.error_detail == "unknown code 4711: so new"
    assert open_state() is None, "one odd answer is no reason for the whole instance to pause"


def test_a_wait_that_tiktok_names_is_kept() -> None:
    claim = claimed()
    settling.fail(claim, UpstreamDown(retry_after_s=200))
    not_before = row(claim).not_before
    assert not_before
    assert timedelta(seconds=190) < not_before - timezone.now() < timedelta(seconds=260)


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Challenged(), Refused(), RateLimited()])
def test_a_refusal_makes_everything_queued_wait(error: StoriesError) -> None:
    job = make_job(links=3)
    settling.fail(claimed(job.items.all()[0]), error)
    opened = open_state()
    assert opened
    assert opened.code == error.code
    for item in Item.objects.all():
        assert (item.state, item.error_code, item.tries) == (S.QUEUED, error.code, 0)
        assert item.not_before == opened.until
    assert open_state() == opened


def test_a_refusal_beside_a_way_that_was_not_refused_is_the_lines_own() -> None:
    alone = Challenged()
    alone.alone = True
    claim, other = claimed(), make_item()
    settling.fail(claim, alone)
    assert open_state() is None
    other.refresh_from_db()
    assert (other.state, other.not_before, other.error_code) == (S.QUEUED, None, "")
    waits = row(claim)
    assert (waits.state, waits.error_code, waits.tries) == (S.QUEUED, "challenged", 0)
    assert waits.not_before
    assert timedelta(seconds=25) < waits.not_before - timezone.now() < timedelta(seconds=40)


@pytest.mark.parametrize(
    ("waited", "wait_s"), [(timedelta(minutes=4), 120), (timedelta(hours=5), 900)]
)
def test_a_line_that_is_refused_by_itself_asks_ever_less_often(
    waited: timedelta, wait_s: float
) -> None:
    alone = Refused()
    alone.alone = True
    claim = claimed(refused_since=timezone.now() - waited)
    settling.fail(claim, alone)
    not_before = row(claim).not_before
    assert not_before
    left_s = (not_before - timezone.now()).total_seconds()
    assert wait_s - 5 < left_s < wait_s * (1 + backoff.JITTER) + 5


def test_patience_with_refusals_of_one_line_ends_too() -> None:
    alone = Refused()
    alone.alone = True
    claim = claimed(refused_since=timezone.now() - backoff.MAX_REFUSAL_WAIT)
    settling.fail(claim, alone)
    assert (row(claim).state, row(claim).error_code) == (S.FAILED, "refused")


def test_a_line_that_nobody_was_asked_for_uses_up_no_try_and_its_patience_ends() -> None:
    """Every way that works is busy, or has done what it may this hour."""
    busy = UpstreamDown("no way of asking is ready")
    busy.untried = True
    claim = claimed()
    for _ in range(4):
        settling.fail(claim, busy)
        waits = row(claim)
        assert (waits.state, waits.error_code, waits.tries) == (S.QUEUED, "upstream_down", 0)
        Item.objects.update(not_before=None)
        again = claims.claim(claim.item_id)
        assert again
        claim = again
    assert open_state() is None
    Item.objects.update(refused_since=timezone.now() - backoff.MAX_REFUSAL_WAIT)
    settling.fail(claim, busy)
    assert row(claim).state == S.FAILED


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
    claim, other = claimed(asked_at=long_ago), make_item(asked_at=long_ago)
    settling.fail(claim, Refused("HTTP 403"))
    assert reaper.requeue_stalled(timezone.now()).gave_up == 0
    assert row(claim).state == S.QUEUED
    first = row(claim).refused_since
    other.refresh_from_db()
    assert (other.state, other.error_detail) == (S.QUEUED, "")
    assert first
    Item.objects.update(not_before=None)
    second = claims.claim(claim.item_id)
    assert second
    settling.fail(second, Refused("HTTP 403"))
    assert row(claim).refused_since == first
    backoff.release_queue()
    assert row(claim).refused_since is None


def test_patience_with_refusals_ends() -> None:
    long_ago = timezone.now() - backoff.MAX_REFUSAL_WAIT
    claim = claimed(refused_since=long_ago)
    settling.fail(claim, Refused("HTTP 403"))
    assert (row(claim).state, row(claim).error_code) == (S.FAILED, "refused")


def test_of_many_refusals_in_one_pause_one_writes_the_queue() -> None:
    make_job(links=30)
    until = timezone.now() + timedelta(minutes=1)
    assert backoff.hold_queue(until, "refused") == 30
    with statements() as run:
        for _ in range(9):
            assert backoff.hold_queue(until, "refused") == 0
    assert len(run) == 9
    assert not [sql for sql, _ in run if sql.startswith("UPDATE")]
