"""Erasing a job: rows, files and progress go at once."""

from __future__ import annotations

import errno
import uuid
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from benchmarks.filling import fill_job
from jobs.ephemeral import progress
from jobs.files import capacity, store
from jobs.files.deletion import DeletionTally
from jobs.housekeeping import reaper
from jobs.models import Artifact, Item, Job, Package, Story
from jobs.queue import actions, erasure, quotas
from jobs.queue.claims import Claim, claim, is_held
from jobs.queue.submission import submit
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from tests.unit.jobs.database_work import statements

pytestmark = pytest.mark.django_db


def test_forgetting_removes_everything_at_once(
    monkeypatch: pytest.MonkeyPatch, artifacts: Path
) -> None:
    forgotten: list[uuid.UUID] = []
    monkeypatch.setattr(progress, "erase", forgotten.append)
    job = make_job()
    item = make_item(job, state=ItemState.RUNNING)
    make_artifact(make_story(item), content=b"x")
    bundle = make_artifact(job=job, content=b"zip")
    job.bundle = Package.objects.create(job=job, owner=job.owner, artifact=bundle)
    job.save()
    other = make_artifact(content=b"other")

    erasure.erase(job)

    assert not Job.objects.filter(pk=job.pk).exists()
    assert not Item.objects.filter(pk=item.pk).exists()
    assert Package.objects.count() == 0
    assert list(Artifact.objects.all()) == [other]
    assert [path.name for path in artifacts.glob("*/*") if path.is_file()] == [str(other.pk)]
    assert forgotten == [job.pk]
    assert not is_held(Claim(item.pk, item.attempt))


@pytest.mark.parametrize("large", [False, True])
def test_what_goes_beside_a_job_goes_with_its_rows_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    monkeypatch.setattr(erasure, "LARGE", 0 if large else 1)
    story = make_story()
    seen: list[bool] = []

    def beside(job_id: uuid.UUID) -> None:
        seen.append(Story.objects.kept().filter(item__job=job_id).exists())
        Job.objects.filter(pk=job_id).update(note="seen")
        if len(seen) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        erasure.erase(story.item.job, beside=beside)
    assert Job.objects.get().note == ""
    erasure.erase(story.item.job, beside=beside)
    assert not Job.objects.exists()
    assert seen == [True, True]


def test_forgetting_goes_on_when_a_file_resists(monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = make_artifact(content=b"x")

    def resist(artifact_id: uuid.UUID) -> bool:
        raise PermissionError(errno.EACCES, "no")

    with monkeypatch.context() as patch:
        patch.setattr(store, "remove", resist)
        erasure.erase(artifact.job)
    assert Job.objects.count() == 0


# --- large jobs -----------------------------------------------------------------------------------


@pytest.fixture
def _small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "LARGE", 2)


def large_job() -> Job:
    """A job of one line, three stories and their files, with a ZIP that is asked for."""
    job = make_job(idempotency_key="again", note="a secret")
    item = make_item(job, state=ItemState.DONE)
    for _ in range(3):
        make_artifact(make_story(item), content=b"12345")
    job.bundle = Package.objects.create(job=job, owner=job.owner)
    job.save()
    return job


@pytest.mark.usefixtures("_small_is_large")
def test_a_large_job_is_found_by_nobody_from_the_moment_it_is_forgotten(client: Client) -> None:
    job = large_job()
    user, item = job.owner, job.items.get()
    file = Artifact.objects.filter(job=job).first()
    assert file
    client.force_login(user)
    assert client.get(f"/jobs/{job.pk}/").status_code == 200

    erasure.erase(job)

    for path in (f"/jobs/{job.pk}/", f"/jobs/{job.pk}/progress/", f"/files/{file.pk}/{file.name}"):
        assert client.get(path).status_code == 404
    assert str(job.pk) not in client.get("/history/").content.decode()
    for model in (Job, Item, Story, Artifact, Package):
        assert not model.objects.visible_to(user).exists()
    assert not Job.objects.exists()
    assert quotas.usage(user).stored_bytes.used == capacity.used_bytes(user.pk) == 0
    assert quotas.usage(user).items_per_day.used == 1
    assert erasure.belongings(user.pk).files == 0
    assert not Package.objects.exists()
    assert Job.with_erased.get().note == ""
    assert Item.objects.filter(pk=item.pk).exists()
    assert submit(user, ["@corner.bakery"], idempotency_key="again").pk != job.pk


@pytest.mark.usefixtures("_small_is_large")
def test_rows_and_files_of_a_large_job_go_in_the_background(artifacts: Path) -> None:
    erasure.erase(large_job())
    other = make_artifact(content=b"other")
    assert Artifact.objects.count() == 4

    reaper.requeue_stalled(timezone.now())

    assert list(Artifact.objects.all()) == [other]
    assert Job.with_erased.count() == Item.objects.count() == Story.objects.count() == 1
    assert [path.name for path in artifacts.glob("*/*") if path.is_file()] == [str(other.pk)]


@pytest.mark.usefixtures("_small_is_large")
def test_what_a_dead_worker_left_of_a_large_job_goes_at_the_next_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    erasure.erase(large_job())
    monkeypatch.setattr(erasure, "BATCH", 2)
    calls = 0
    while Job.with_erased.exists():
        calls += 1
        before = Artifact.objects.count() + Story.objects.count() + Item.objects.count()
        erasure.erase_marked(DeletionTally(), rows=1)
        after = Artifact.objects.count() + Story.objects.count() + Item.objects.count()
        assert before - 2 <= after < max(before, 1)
    assert calls == 6
    assert not Artifact.objects.exists()


@pytest.mark.usefixtures("_small_is_large")
@pytest.mark.usefixtures("_small_is_large")
def test_no_line_of_a_large_job_is_fetched_that_was_retried_while_it_was_forgotten() -> None:
    job = large_job()
    actions.cancel(job)
    retried = make_item(job, state=ItemState.QUEUED)
    running = make_item(job, state=ItemState.RUNNING)
    claimed = Claim(running.pk, running.attempt)
    erasure.erase_rows_and_files(job.pk, DeletionTally())
    assert claim(retried.pk) is None
    assert not is_held(claimed)
    assert not Item.objects.open().filter(job=job).exists()


def test_all_of_a_users_jobs_are_gone_when_that_was_asked_for() -> None:
    job, others = large_job(), make_artifact(make_story(make_item(make_job(make_user("bob")))))
    removed = erasure.erase_all(job.owner_id)
    assert (removed.jobs, removed.files, removed.size_bytes) == (1, 3, 15)
    assert list(Job.with_erased.all()) == [others.job]


def test_forgetting_a_large_job_costs_the_same_however_large_it_is() -> None:
    def cost(stories: int) -> int:
        job = fill_job(make_user(), lines=2, stories=stories)
        with statements() as run:
            erasure.erase(job)
        assert not Job.objects.filter(pk=job.pk).exists()
        return len(run)

    few, more = cost(300), cost(900)
    assert more <= few <= 25
