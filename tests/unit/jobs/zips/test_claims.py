"""Claims on packages, and what becomes of packages nobody packs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.housekeeping import reaper, sweep
from jobs.models import Artifact, Package, PackageState
from jobs.queue.claims import LEASE
from jobs.states import ItemState
from jobs.zips import claims
from tests.factories import make_artifact, make_job
from tests.unit.jobs.conftest import Broker

pytestmark = pytest.mark.django_db
S = ItemState
HOUR = timedelta(hours=1)


def test_packages_are_claimed_once_and_repaired(broker: Broker) -> None:
    job = make_job(links=1, state=S.DONE)
    package = Package.objects.create(job=job, owner=job.owner)
    claim = claims.claim(package.pk)
    assert claim
    assert claims.claim(package.pk) is None
    assert claims.heartbeat(claim)
    report = reaper.requeue_stalled(timezone.now() + LEASE)
    assert report.packages == 1
    assert not claims.heartbeat(claim)
    again = claims.claim(package.pk)
    assert again
    artifact = make_artifact(job=job)
    assert not claims.finish(claim, artifact)
    assert claims.finish(again, artifact)
    package.refresh_from_db()
    assert (package.state, package.artifact) == (PackageState.DONE, artifact)
    assert Artifact.objects.count() == 1


def test_a_package_that_waits_for_the_disk_is_not_given_up() -> None:
    now = timezone.now()
    job = make_job(links=1, state=S.DONE)
    long_ago = now - claims.MAX_PACKING_WAIT - HOUR
    package = Package.objects.create(job=job, owner=job.owner, created_at=long_ago)
    claim = claims.claim(package.pk)
    assert claim
    assert claims.wait(claim)
    assert sweep.sweep(now).packages == 0
    package.refresh_from_db()
    assert package.state == PackageState.QUEUED


def test_abandoned_packages() -> None:
    now = timezone.now()
    job = make_job(links=1, state=ItemState.DONE)
    long_ago = now - claims.MAX_PACKING_WAIT - HOUR

    def make(state: PackageState, **facts: object) -> Package:
        return Package.objects.create(job=job, owner=job.owner, state=state, **facts)

    stuck = make(PackageState.QUEUED, created_at=long_ago)
    busy = make(PackageState.RUNNING, created_at=long_ago, heartbeat_at=now)
    waiting = make(PackageState.QUEUED)
    zip_gone = make_artifact(job=job, removed_at=now)
    gone = make(PackageState.DONE, artifact=zip_gone)
    ready = make(PackageState.DONE, artifact=make_artifact(job=job, content=b"zip"))
    very_old = make(PackageState.FAILED, created_at=now - timedelta(days=3))

    assert sweep.sweep(now).packages == 3

    stuck.refresh_from_db()
    assert (stuck.state, stuck.error_code) == (PackageState.FAILED, "internal")
    assert set(Package.objects.all()) == {stuck, busy, waiting, ready}
    assert not Package.objects.filter(pk__in=[gone.pk, very_old.pk]).exists()
