"""Actions on jobs, lines and files of others: what each asks about, does and counts."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from jobs.models import Artifact, Job, Role
from jobs.states import ItemState
from tests.factories import make_artifact, make_story
from tests.unit.jobs.admin.browse import choose_action, run_action
from tests.unit.jobs.admin.rows import make_varied_job, states

pytestmark = pytest.mark.django_db

S = ItemState


@pytest.fixture
def job() -> Job:
    """A line in every state that matters, and a file."""
    return make_varied_job()


PREVIEWS = [
    ("cancel", "2 open lines will stop for good."),
    ("retry", "1 line that failed and may work now will be tried again."),
    (
        "requeue",
        (
            "4 lines will be tried now, whatever they wait for or why they failed. "
            "1 of them is taken from its worker and begins anew."
        ),
    ),
]


@pytest.mark.parametrize(("name", "preview"), [*PREVIEWS, ("purge_files", "1 file, 2.5 MB, will")])
def test_a_job_is_asked_about_first(browser: Client, job: Job, name: str, preview: str) -> None:
    before = states(job)
    page = choose_action(browser, "job", name, job.pk)
    assert preview in page
    assert "1 row chosen." in page
    assert f'value="{job.pk}"' in page
    assert states(job) == before
    assert Artifact.objects.get().removed_at is None
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(("name", "preview"), PREVIEWS)
def test_lines_are_asked_about_first(browser: Client, job: Job, name: str, preview: str) -> None:
    before = states(job)
    page = choose_action(browser, "item", name, *job.items.values_list("pk", flat=True))
    assert preview in page
    assert "6 rows chosen." in page
    assert states(job) == before


def test_files_are_asked_about_first(browser: Client, job: Job) -> None:
    file = Artifact.objects.get()
    page = choose_action(browser, "artifact", "purge_files", file.pk)
    assert "1 file, 2.5 MB, will be deleted." in page
    assert "made from" not in page
    assert "1 file deleted" in run_action(browser, "artifact", "purge_files", file.pk)
    assert "There is nothing to do" in choose_action(browser, "artifact", "purge_files", file.pk)


def test_the_question_counts_what_goes_with_a_file(browser: Client, job: Job) -> None:
    file = Artifact.objects.get()
    assert file.story
    poster = make_artifact(file.story, role=Role.POSTER, position=1, size_bytes=500_000)
    make_artifact(file.story, role=Role.ZIP, position=0, size_bytes=1_000_000)
    make_artifact(job=job, size_bytes=2_000_000)
    page = choose_action(browser, "artifact", "purge_files", file.pk, poster.pk)
    assert "4 files, 6.0 MB together, will be deleted." in page
    assert "2 of them were made from what was chosen, or hold a copy of it." in page
    assert "4 files deleted" in run_action(browser, "artifact", "purge_files", file.pk, poster.pk)
    assert not Artifact.objects.filter(removed_at=None).exists()
    # Each has it in its history, those that went along too.
    noted = LogEntry.objects.values_list("object_id", "change_message")
    assert set(noted) == {
        (str(pk), "Delete files now: 1 file deleted.")
        for pk in Artifact.objects.values_list("pk", flat=True)
    }


def test_a_lines_files_are_deleted_with_the_zips_that_hold_them(browser: Client, job: Job) -> None:
    make_artifact(job=job, size_bytes=2_000_000)
    kept = make_artifact(make_story(job.items.get(position=4)), size_bytes=1000)
    item = job.items.get(position=3)
    page = choose_action(browser, "item", "purge_files", item.pk, job.items.get(position=1).pk)
    assert "2 files, 4.5 MB together, will be deleted." in page
    assert "1 of them was made from what was chosen, or holds a copy of it." in page
    assert "2 files deleted" in run_action(browser, "item", "purge_files", item.pk)
    assert list(Artifact.objects.filter(removed_at=None)) == [kept]
    assert LogEntry.objects.get().object_id == str(item.pk)
    assert "There is nothing to do" in choose_action(browser, "item", "purge_files", item.pk)


def test_queueing_again(browser: Client, job: Job) -> None:
    Job.objects.update(settled_at=timezone.now())
    assert "4 lines queued again" in run_action(browser, "job", "requeue", job.pk)
    assert states(job) == ["queued", "queued", "done", "queued", "queued", "failed"]
    for item in job.items.filter(state=S.QUEUED):
        assert (item.not_before, item.error_code, item.settled_at) == (None, "", None)
    job.refresh_from_db()
    assert job.settled_at is None
