"""The reaper: what it puts right after a worker or a message was lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.ephemeral.clock import ClockWatch
from jobs.files.workspace import Workspace
from jobs.housekeeping import reaper, sweep
from jobs.models import Item, Job
from jobs.queue import backoff
from jobs.queue.claims import LEASE, heartbeat
from jobs.states import ItemState
from jobs.upstream import breaker
from stories.errors import Refused
from tests.factories import make_item, make_job
from tests.unit.jobs.claims import claimed, row
from tests.unit.jobs.conftest import Broker

pytestmark = pytest.mark.django_db
S = ItemState


def test_what_a_vanished_worker_held_is_queued_again() -> None:
    claim = claimed()
    with Workspace(claim.workspace) as workspace:
        workspace.create()
        reaper.requeue_stalled(timezone.now() + LEASE - timedelta(seconds=2))
        assert row(claim).state == S.RUNNING
        report = reaper.requeue_stalled(timezone.now() + LEASE)
        assert report.requeued == 1
        assert row(claim).state == S.QUEUED
        assert not workspace.path.exists()


def test_a_clock_set_back_leaves_nothing_in_hand_or_untold(broker: Broker) -> None:
    claim, sent = claimed(), make_item(sent_at=timezone.now())
    reaper.requeue_stalled(timezone.now() - timedelta(hours=1))
    assert row(claim).state == S.QUEUED
    assert sent.pk in broker.sent


def test_a_sign_of_life_keeps_the_lease() -> None:
    claim = claimed()
    Item.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    assert heartbeat(claim)
    assert reaper.requeue_stalled(timezone.now()).requeued == 0


def test_a_job_that_nobody_closed_is_closed() -> None:
    job = make_job(links=2, state=S.DONE)
    Job.objects.update(settled_at=None)
    assert reaper.requeue_stalled(timezone.now()).closed == 1
    job.refresh_from_db()
    assert job.settled_at is not None


def test_a_job_closed_too_early_is_opened() -> None:
    job = make_job(links=1, settled_at=timezone.now())
    reaper.requeue_stalled(timezone.now())
    job.refresh_from_db()
    assert job.settled_at is None


def test_what_waited_too_long_without_a_turn_is_given_up() -> None:
    later = timezone.now() + timedelta(minutes=5)
    long_ago = timezone.now() - backoff.MAX_REFUSAL_WAIT
    tired = make_item(refused_since=long_ago, not_before=later, error_code="challenged")
    fresh = make_item(not_before=later, error_code="challenged")
    report = reaper.requeue_stalled(timezone.now())
    tired.refresh_from_db()
    fresh.refresh_from_db()
    assert report.gave_up == 1
    assert (tired.state, tired.error_code) == (S.FAILED, "challenged")
    assert tired.job.settled_at is not None
    assert fresh.state == S.QUEUED


# --- a clock that is set --------------------------------------------------------------------------

TWO_DAYS = timedelta(days=2)


class Jumping(ClockWatch):
    """A watch over a clock that tests set."""

    def __init__(self) -> None:
        self.system = self.steady = 0.0
        super().__init__(lambda: self.system, lambda: self.steady)
        self.look()

    def pass_s(self, seconds: float) -> None:
        self.system += seconds
        self.steady += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Jumping:
    jumping = Jumping()
    monkeypatch.setattr(reaper, "watch", jumping)
    return jumping


@pytest.mark.parametrize("step", [TWO_DAYS, -TWO_DAYS])
def test_a_clock_that_is_set_takes_nothing_from_workers_that_are_well(
    clock: Jumping, step: timedelta
) -> None:
    claim = claimed()
    clock.system += step.total_seconds()
    report = reaper.requeue_stalled(timezone.now() + step)
    assert report.requeued == 0
    assert (row(claim).state, row(claim).deaths, row(claim).tries) == (S.RUNNING, 0, 0)


def test_once_they_had_the_time_for_a_sign_of_life_it_does(clock: Jumping) -> None:
    claim = claimed()
    clock.system -= TWO_DAYS.total_seconds()
    reaper.requeue_stalled(timezone.now() - TWO_DAYS)
    clock.pass_s(LEASE.total_seconds())
    assert reaper.requeue_stalled(timezone.now() - TWO_DAYS + LEASE).requeued == 1
    assert row(claim).state == S.QUEUED


def test_a_clock_set_forward_gives_up_nothing_that_waits_for_tiktok(clock: Jumping) -> None:
    item = make_item(
        error_code="refused",
        refused_since=timezone.now(),
        not_before=timezone.now() + timedelta(minutes=5),
    )
    clock.system += TWO_DAYS.total_seconds()
    assert reaper.requeue_stalled(timezone.now() + TWO_DAYS).gave_up == 0
    item.refresh_from_db()
    assert item.state == S.QUEUED


def test_a_clock_set_back_lets_everything_go_on_that_waits(clock: Jumping, broker: Broker) -> None:
    item = make_item(error_code="timed_out", not_before=timezone.now() + timedelta(minutes=50))
    reaper.requeue_stalled(timezone.now())
    assert item.pk not in broker.sent
    clock.system -= 45 * 60
    reaper.requeue_stalled(timezone.now())
    assert item.pk in broker.sent


def test_nothing_waits_on_when_the_sweep_was_the_first_to_see_it(
    clock: Jumping, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "watch", clock)
    item = make_item(error_code="timed_out", not_before=timezone.now() + timedelta(minutes=50))
    clock.system -= 45 * 60
    sweep.sweep(timezone.now())
    reaper.requeue_stalled(timezone.now())
    assert item.pk in broker.sent


def test_a_clock_that_is_adjusted_by_half_a_minute_ends_no_wait(
    clock: Jumping, broker: Broker
) -> None:
    item = make_item(error_code="timed_out", not_before=timezone.now() + timedelta(minutes=5))
    breaker.open_for(Refused())
    clock.system -= 30
    reaper.requeue_stalled(timezone.now())
    assert item.pk not in broker.sent
    assert breaker.open_state()


def test_a_wait_longer_than_any_is_ended_also_when_nobody_saw_the_clock_being_set(
    broker: Broker,
) -> None:
    """As after a restart: the time in the row is all there is."""
    item = make_item(not_before=timezone.now() + TWO_DAYS)
    held = make_item(not_before=timezone.now() + timedelta(hours=5))
    reaper.requeue_stalled(timezone.now())
    assert item.pk in broker.sent
    assert held.pk not in broker.sent
