"""The tables: whose rows they are, which are open, due or present, and what cannot be twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction

from jobs.models import Artifact, Item, Job, Package, PackageState, Role, Story
from jobs.states import OPEN, ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 14, 3, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


def refused(make: Any, **facts: Any) -> bool:
    """Whether the database refuses to have such a row."""
    try:
        with transaction.atomic():
            make(**facts)
    except IntegrityError:
        return True
    return False


# --- whose they are -------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [Job, Item, Story, Artifact, Package])
def test_rows_are_visible_to_their_owner_alone(model: Any) -> None:
    alice, bob = make_user("alice"), make_user("bob")
    boss = make_user("boss", is_staff=True, is_superuser=True)
    for owner in (alice, bob):
        job = make_job(owner)
        make_artifact(make_story(make_item(job, state=ItemState.DONE)))
        Package.objects.create(job=job, owner=owner)
    assert [row.owner for row in model.objects.visible_to(alice)] == [alice]
    assert [row.owner for row in model.objects.visible_to(bob)] == [bob]
    assert not model.objects.visible_to(boss).exists()
    assert not model.objects.visible_to(AnonymousUser()).exists()


def test_whose_rows_they_are_holds_along_with_every_other_question() -> None:
    job = make_job(make_user("alice"), links=2)
    make_job(make_user("bob"), links=2)
    make_item(job, state=ItemState.DONE)
    assert set(Item.objects.open().visible_to(job.owner)) == set(
        job.items.filter(state=ItemState.QUEUED)
    )
    assert set(Item.objects.visible_to(job.owner).open()) == set(
        job.items.filter(state=ItemState.QUEUED)
    )


# --- lines ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ItemState)
def test_a_line_is_open_until_it_is_settled(state: ItemState) -> None:
    make_item(state=state)
    assert Item.objects.open().exists() is (state in OPEN)


@pytest.mark.parametrize(
    ("not_before", "due"),
    [
        (None, True),
        (NOW - timedelta(days=1), True),
        (NOW, True),
        (NOW + MOMENT, False),
    ],
)
def test_a_queued_line_is_due_when_its_time_has_come(
    not_before: datetime | None, due: bool
) -> None:
    make_item(not_before=not_before)
    assert Item.objects.due(NOW).exists() is due


@pytest.mark.parametrize("state", [state for state in ItemState if state != ItemState.QUEUED])
def test_only_a_queued_line_is_due(state: ItemState) -> None:
    make_item(state=state, not_before=None)
    assert not Item.objects.due(NOW).exists()


def test_two_lines_of_a_job_have_no_place_in_common() -> None:
    item = make_item()
    facts = {"owner": item.owner, "line": "@b", "kind": "user", "position": item.position}
    assert refused(Item.objects.create, job=item.job, **facts)
    assert not refused(Item.objects.create, job=make_job(item.owner), **facts)


def test_of_two_lines_that_ask_for_the_same_one_fetches() -> None:
    job = make_job()
    make_item(job, fetch_key="same")
    assert refused(make_item, job=job, fetch_key="same")
    assert not refused(make_item, job=job, fetch_key="other")
    make_item(job, fetch_key=None)
    assert not refused(make_item, job=job, fetch_key=None)


# --- jobs -----------------------------------------------------------------------------------------


def test_a_key_makes_one_job_of_each_owner() -> None:
    alice, bob = make_user("alice"), make_user("bob")
    make_job(alice, idempotency_key="k")
    assert refused(make_job, owner=alice, idempotency_key="k")
    assert not refused(make_job, owner=alice, idempotency_key="K")
    assert not refused(make_job, owner=bob, idempotency_key="k")


def test_jobs_without_a_key_are_as_many_as_one_likes() -> None:
    alice = make_user("alice")
    make_job(alice)
    assert not refused(make_job, owner=alice)


def test_a_job_outlives_its_packages() -> None:
    job = make_job()
    package = Package.objects.create(job=job, owner=job.owner)
    job.bundle = job.selection = package
    job.save()
    package.delete()
    job.refresh_from_db()
    assert job.bundle_id is None
    assert job.selection_id is None


def test_with_its_owner_everything_of_a_job_goes() -> None:
    bobs = make_artifact(job=make_job(make_user("bob")))
    file = make_artifact()
    job = file.job
    job.bundle = Package.objects.create(job=job, owner=job.owner, artifact=file)
    job.save()
    job.owner.delete()
    assert list(Artifact.objects.all()) == [bobs]
    assert list(Job.objects.all()) == [bobs.job]
    assert not Item.objects.exists()
    assert not Story.objects.exists()
    assert not Package.objects.exists()


# --- stories and files ----------------------------------------------------------------------------


def test_a_story_is_once_in_its_line() -> None:
    story = make_story(tiktok_id="7500000000000000001")
    assert refused(make_story, item=story.item, tiktok_id=story.tiktok_id)
    other = make_item(story.item.job, state=ItemState.DONE)
    assert not refused(make_story, item=other, tiktok_id=story.tiktok_id)


@pytest.mark.parametrize(
    ("expires_at", "present"), [(NOW - MOMENT, False), (NOW, False), (NOW + MOMENT, True)]
)
def test_a_file_is_present_until_the_moment_it_expires(expires_at: datetime, present: bool) -> None:
    make_artifact(expires_at=expires_at)
    assert Artifact.objects.present(NOW).exists() is present
    assert Artifact.objects.expired(NOW).exists() is not present


@pytest.mark.parametrize("expires_at", [NOW - MOMENT, NOW + MOMENT])
def test_a_removed_file_is_neither_present_nor_expired(expires_at: datetime) -> None:
    make_artifact(expires_at=expires_at, removed_at=NOW - timedelta(hours=1))
    assert not Artifact.objects.present(NOW).exists()
    assert not Artifact.objects.expired(NOW).exists()


def test_a_late_double_adds_no_file_a_second_time() -> None:
    file = make_artifact(role=Role.MEDIA, position=1)
    assert refused(make_artifact, story=file.story, role=Role.MEDIA, position=1)
    assert not refused(make_artifact, story=file.story, role=Role.MEDIA, position=2)
    assert not refused(make_artifact, story=file.story, role=Role.POSTER, position=1)
    assert not refused(make_artifact, story=make_story(file.item), role=Role.MEDIA, position=1)


def test_a_removed_file_leaves_its_place_to_another() -> None:
    file = make_artifact(role=Role.MEDIA, position=1, removed_at=NOW)
    assert not refused(make_artifact, story=file.story, role=Role.MEDIA, position=1)
    assert refused(make_artifact, story=file.story, role=Role.MEDIA, position=1)


def test_a_job_may_have_several_zips() -> None:
    job = make_job()
    make_artifact(job=job, role=Role.SELECTION)
    assert not refused(make_artifact, job=job, role=Role.SELECTION)


# --- packages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "is_open"),
    [
        (PackageState.QUEUED, True),
        (PackageState.RUNNING, True),
        (PackageState.DONE, False),
        (PackageState.FAILED, False),
    ],
)
def test_a_package_is_open_until_it_is_packed_or_given_up(
    state: PackageState, is_open: bool
) -> None:
    job = make_job()
    Package.objects.create(job=job, owner=job.owner, state=state)
    assert Package.objects.open().exists() is is_open


# --- names ----------------------------------------------------------------------------------------


def test_a_row_is_named_without_what_was_asked_for() -> None:
    """Names end up in the admin's history and its messages."""
    job = make_job(note="secret.name")
    item = make_item(job, name="secret.name", state=ItemState.DONE, author_name="secret.name")
    story = make_story(item, caption="secret.name")
    file = make_artifact(story, name="secret.name_01.jpg")
    package = Package.objects.create(job=job, owner=job.owner)
    assert str(job) == f"job {job.pk}"
    assert str(item) == f"line {item.pk}"
    assert str(story) == f"story {story.pk}"
    assert str(file) == f"the story itself {file.pk}"
    assert str(package) == f"ZIP job {package.pk}"
