"""The one Save button: what it does in every state of a job."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from jobs.files.bundles import Amount
from jobs.models import Artifact, Item, Job, Package, PackageState, Role
from jobs.pages.saving import offer_of
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story
from tests.unit.jobs.pages.pages import page_of, saved

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(alice: User) -> Job:
    """Two photos of 1000 bytes."""
    job = saved(alice)
    Artifact.objects.update(size_bytes=1000)
    make_artifact(make_story(job.items.get()), size_bytes=1000)
    return job


def kind(job: Job) -> str:
    """What the button does."""
    offer = offer_of(page_of(job))
    return offer.kind if offer else ""


def test_several_files_are_packed(job: Job) -> None:
    offer = offer_of(page_of(job))
    assert offer
    assert (offer.kind, offer.amount, offer.single) == ("pack", Amount(2, 2000), None)


def test_a_zip_that_is_ready_is_taken_at_once(job: Job, alice: User) -> None:
    package = Package.objects.create(job=job, owner=alice)
    Job.objects.update(bundle=package)
    assert kind(job) == "packing"
    zipped = make_artifact(job=job, role=Role.BUNDLE, size_bytes=2500)
    Package.objects.update(state=PackageState.DONE, artifact=zipped)
    offer = offer_of(page_of(job))
    assert offer
    # As before it was packed, and as the head says it: a ZIP adds but a few bytes.
    assert (offer.kind, offer.amount) == ("file", Amount(2, 2000))
    assert offer.address == f"/files/{zipped.pk}/{zipped.name}"


def test_one_file_is_itself(alice: User) -> None:
    job = saved(alice)
    file = job.artifacts.get()
    offer = offer_of(page_of(job))
    assert offer
    assert offer.kind == "file"
    assert offer.single
    assert offer.address == f"/files/{file.pk}/{file.name}"


def test_what_was_made_from_a_picture_is_not_counted(job: Job, alice: User) -> None:
    make_artifact(job.items.get().stories.first(), role=Role.CONVERTED, size_bytes=500)
    offer = offer_of(page_of(job))
    assert offer
    assert offer.amount == Amount(2, 2500)
    assert "2 files saved" in page_of(job).summary

    alone = saved(alice)
    make_artifact(alone.items.get().stories.get(), role=Role.CONVERTED)
    offer = offer_of(page_of(alone))
    assert offer
    assert offer.single
    assert offer.single.role == Role.MEDIA


def test_a_sound_that_was_asked_for_comes_along(alice: User) -> None:
    job = saved(alice)
    make_artifact(job.items.get().stories.get(), role=Role.AUDIO_TRACK)
    offer = offer_of(page_of(job))
    assert offer
    assert (offer.kind, offer.amount.files, offer.single) == ("pack", 1, None)


def test_while_lines_are_at_work_there_is_none(job: Job) -> None:
    Item.objects.update(state=ItemState.RUNNING)
    assert kind(job) == ""


def test_there_is_none_where_there_is_nothing(job: Job, alice: User) -> None:
    Artifact.objects.update(removed_at=timezone.now())
    assert kind(job) == ""
    failed = make_job(alice, settled_at=timezone.now())
    make_item(failed, state=ItemState.FAILED, error_code="upstream_down")
    assert kind(failed) == ""
