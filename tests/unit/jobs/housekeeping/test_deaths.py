"""Deaths of workers: counted apart from tries; what they die of again and again is given up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.errors import message_and_hint
from jobs.housekeeping import reaper
from jobs.models import Item, Package, PackageState
from jobs.queue import actions, claims, holders, settling
from jobs.queue.claims import LEASE
from jobs.queue.holders import FREE_OUTAGES, MAX_DEATHS_ALONE
from jobs.queue.settling import Outcome
from jobs.states import ItemState
from jobs.zips import claims as zip_claims
from jobs.zips import packing
from stories.errors import UpstreamDown
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from tests.unit.jobs.claims import claimed, row

pytestmark = pytest.mark.django_db
S = ItemState


def die(*, with_all: bool = False) -> None:
    """Whatever is running loses its worker, which dies alone or with everything there is."""
    now = timezone.now()
    for model in (Item, Package):
        rows: Any = model.objects.filter(state=S.RUNNING)
        seen_at = (
            now - timedelta(days=9) if with_all else now
        )  # before this process started, or not
        rows.update(holder="gone.worker", heartbeat_at=seen_at)
    reaper.requeue_stalled(now + LEASE)


def again(item: Item) -> claims.Claim:
    """Claim a line anew, alone, whatever it waits for."""
    Item.objects.update(not_before=None)
    claim = claims.claim(item.pk, alone=True)
    assert claim
    return claim


def test_a_death_is_no_try() -> None:
    """Two short errors before, and a death at the third try: there is a try left."""
    item = make_item()
    for _ in range(2):
        assert settling.fail(again(item), UpstreamDown())
    again(item)
    die()
    item.refresh_from_db()
    assert (item.state, item.tries, item.deaths) == (S.QUEUED, 2, 1)
    assert settling.finish(again(item), Outcome(S.DONE))
    item.refresh_from_db()
    assert (item.state, item.tries, item.deaths) == (S.DONE, 3, 0)


def test_of_the_lines_in_hand_only_the_one_that_dies_alone_is_given_up() -> None:
    items = [make_item() for _ in range(10)]
    for item in items:
        claimed(item)
    die()
    assert set(Item.objects.values_list("state", "deaths")) == {(S.QUEUED, 1)}
    huge, *others = items
    for item in others:
        settling.finish(again(item), Outcome(S.DONE))
    for number in range(1, MAX_DEATHS_ALONE + 1):
        claim = again(huge)
        die()
        assert (row(claim).state == S.FAILED) == (number == MAX_DEATHS_ALONE)
    huge.refresh_from_db()
    assert (huge.error_code, len(huge.error_detail), huge.tries) == ("worker_lost", 8, 1)
    assert "crashed" in message_and_hint(huge.error_code)[0]
    assert Item.objects.filter(state=S.DONE, deaths=0).count() == len(others)


def test_the_log_has_the_id_that_the_person_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    item = make_item(deaths=MAX_DEATHS_ALONE)
    again(item)
    die()
    item.refresh_from_db()
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert item.error_detail in record.getMessage()
    assert f"{MAX_DEATHS_ALONE} workers died with it alone in hand" in record.getMessage()


def test_after_a_death_alone_it_waits_so_that_others_go_first() -> None:
    item = make_item()
    waits = []
    for _ in range(4):
        again(item)
        before = timezone.now()
        die()
        item.refresh_from_db()
        wait = item.not_before - before - LEASE if item.not_before else timedelta(0)
        waits.append(round(wait.total_seconds()))
    assert waits == [0, 10, 20, 30]


@pytest.mark.parametrize("outages", [3, FREE_OUTAGES])
def test_power_cuts_blame_nobody(outages: int) -> None:
    item = make_item()
    for _ in range(outages):
        claimed(item)  # in hand with others
        die(with_all=True)
    item.refresh_from_db()
    assert (item.state, item.tries, item.deaths) == (S.QUEUED, 0, 0)


def test_what_ends_everything_each_time_is_given_up_in_the_end() -> None:
    """Some machines end all there is when one process has no memory."""
    item = make_item()
    for number in range(FREE_OUTAGES + 1 + MAX_DEATHS_ALONE):
        again(item)
        die(with_all=True)
        item.refresh_from_db()
        assert (item.deaths > 0) == (number >= FREE_OUTAGES)
    assert (item.state, item.error_code) == (S.FAILED, "worker_lost")


def test_what_a_living_worker_lets_go_of_is_no_death() -> None:
    """It could not write that it failed, for the database was locked."""
    claim = claimed()
    reaper.requeue_stalled(timezone.now() + LEASE)
    assert (row(claim).state, row(claim).deaths) == (S.QUEUED, 0)


def test_an_orderly_end_is_no_death_and_clears_nobody() -> None:
    item = make_item(deaths=2)
    assert claims.release(again(item))
    item.refresh_from_db()
    assert (item.state, item.deaths) == (S.QUEUED, 2)


def test_an_attempt_that_is_to_be_repeated_clears_nobody() -> None:
    item = make_item(deaths=2)
    assert settling.fail(again(item), UpstreamDown())
    item.refresh_from_db()
    assert (item.state, item.deaths) == (S.QUEUED, 2)


def test_what_was_given_up_has_one_more_attempt_when_someone_asks() -> None:
    item = make_item(deaths=MAX_DEATHS_ALONE)
    again(item)
    die()
    assert actions.retry_item(item)
    again(item)
    die()
    item.refresh_from_db()
    assert (item.state, item.error_code) == (S.FAILED, "worker_lost")


# --- packages -------------------------------------------------------------------------------------


@pytest.fixture
def package() -> Package:
    """A ZIP that was asked for."""
    return packing.request(make_artifact().job)


def pack_again(package: Package) -> zip_claims.PackageClaim:
    claim = zip_claims.claim(package.pk, alone=True)
    assert claim
    return claim


def test_a_package_with_which_workers_die_is_given_up(package: Package) -> None:
    for number in range(1 + MAX_DEATHS_ALONE):
        package.refresh_from_db()
        assert (package.state, package.deaths) == (PackageState.QUEUED, number)
        pack_again(package)
        die()
    package.refresh_from_db()
    assert (package.state, package.error_code) == (PackageState.FAILED, "worker_lost")


def test_asked_for_again_it_has_one_more_attempt(package: Package) -> None:
    for _ in range(1 + MAX_DEATHS_ALONE):
        pack_again(package)
        die()
    other = packing.request(package.job)
    assert zip_claims.is_to_be_alone(other.pk)
    pack_again(other)
    die()
    other.refresh_from_db()
    assert (other.state, other.error_code) == (PackageState.FAILED, "worker_lost")


@pytest.mark.parametrize(
    "loss",
    [
        pytest.param(lambda claim: zip_claims.release(claim), id="orderly"),
        pytest.param(lambda _: die(with_all=True), id="a power cut"),
        pytest.param(lambda _: reaper.requeue_stalled(timezone.now() + LEASE), id="let go"),
    ],
)
def test_no_other_loss_of_a_package_is_a_death(
    package: Package, loss: Callable[[zip_claims.PackageClaim], Any]
) -> None:
    for _ in range(3):
        loss(pack_again(package))
    package.refresh_from_db()
    assert (package.state, package.deaths) == (PackageState.QUEUED, 0)


def test_a_package_that_is_ready_is_cleared(package: Package) -> None:
    pack_again(package)
    die()
    assert zip_claims.claim(package.pk) is None  # not beside others
    artifact = make_artifact(job=package.job)
    assert zip_claims.finish(pack_again(package), artifact)
    package.refresh_from_db()
    assert (package.state, package.deaths, package.tries) == (PackageState.DONE, 0, 1)


def test_a_package_lost_from_one_job_says_nothing_of_another(package: Package) -> None:
    pack_again(package)
    die()
    bobs = make_job(make_user("bob"))
    other = packing.request(make_artifact(make_story(make_item(bobs))).job)
    assert not zip_claims.is_to_be_alone(other.pk)


def test_the_holder_is_in_the_row_of_whatever_is_claimed(package: Package) -> None:
    pack_again(package)
    package.refresh_from_db()
    assert package.holder == row(claimed()).holder == holders.own_name()
