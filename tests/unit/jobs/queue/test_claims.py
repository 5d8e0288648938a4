"""Claims: one worker has an item, and one that lost it can write nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.housekeeping import reaper
from jobs.models import Job
from jobs.queue import claims, settling
from jobs.queue.claims import ClaimLost
from jobs.queue.dispatch import dispatch
from jobs.queue.settling import Outcome
from jobs.states import ItemState
from stories.errors import NoSuchAccount
from tests.factories import make_item
from tests.unit.jobs.claims import claimed, row
from tests.unit.jobs.conftest import Broker

pytestmark = pytest.mark.django_db
S = ItemState


def test_a_claim_takes_the_item_and_raises_its_attempt() -> None:
    item = make_item(error_code="refused")
    claim = claimed(item)
    item.refresh_from_db()
    assert (item.state, item.attempt, claim.attempt) == (S.RUNNING, 1, 1)
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


def test_releasing_counts_for_nothing(broker: Broker) -> None:
    claim = claimed()
    assert claims.release(claim)
    item = row(claim)
    assert (item.state, item.tries, item.not_before) == (S.QUEUED, 0, None)
    assert broker.sent == []  # this worker might still receive it
    assert dispatch() == 1
