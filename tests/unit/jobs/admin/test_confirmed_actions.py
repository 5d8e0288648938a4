"""Actions on rows of others: confirmed first, run once, logged; a permission for each."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone, translation

from jobs.admin import confirmed_actions
from jobs.models import Artifact, Item, Job, Role
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from tests.unit.jobs.admin.browse import choose_action, run_action

pytestmark = pytest.mark.django_db

S = ItemState


@pytest.fixture
def job() -> Job:
    """A line in every state that matters, and a file."""
    job = make_job(make_user("alice"))
    make_item(job, name="one", state=S.QUEUED, not_before=timezone.now() + timedelta(hours=1))
    make_item(job, name="two", state=S.RUNNING)
    done = make_item(job, name="three", state=S.DONE)
    make_item(job, name="four", state=S.FAILED, error_code="upstream_down")
    make_item(job, name="five", state=S.FAILED, error_code="upstream_changed")
    make_item(job, name="six", state=S.FAILED, error_code="not_understood", key="", target={})
    make_artifact(make_story(done), size_bytes=2_500_000, content=b"x")
    return job


def states(job: Job) -> list[str]:
    return list(job.items.order_by("position").values_list("state", flat=True))


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
        (str(pk), "Delete the files now: 1 file deleted.")
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


def test_each_row_is_told_what_was_done_to_it(browser: Client, job: Job) -> None:
    make_item(job, state=S.QUEUED)
    other, over = make_job(job.owner, links=1), make_job(job.owner, links=1, state=S.CANCELLED)
    page = run_action(browser, "job", "cancel", job.pk, other.pk, over.pk)
    assert "4 lines cancelled." in page
    assert dict(LogEntry.objects.values_list("object_id", "change_message")) == {
        str(job.pk): "Cancel what is open: 3 lines cancelled.",
        str(other.pk): "Cancel what is open: 1 line cancelled.",
    }


@pytest.mark.parametrize("name", ["cancel", "retry", "requeue", "purge_files"])
@pytest.mark.parametrize("table", ["job", "item"])
def test_nothing_done_is_no_success(browser: Client, table: str, name: str) -> None:
    """A question answered twice, or rows that moved on meanwhile."""
    job = make_job(make_user("alice"), links=1, state=S.CANCELLED)
    page = run_action(browser, table, name, job.pk if table == "job" else job.items.get().pk)
    assert '<li class="warning">There was nothing left to do.</li>' in page
    assert 'class="success"' not in page
    assert not LogEntry.objects.exists()


def test_what_was_done_reads_in_the_readers_language(browser: Client, job: Job) -> None:
    browser.cookies["django_language"] = "de"
    address = f"/admin/jobs/job/{job.pk}/change/"
    with translation.override("en"):  # a request leaves its language behind
        assert "2 Zeilen abgebrochen." in run_action(browser, "job", "cancel", job.pk)
        entry = LogEntry.objects.get()
        assert entry.change_message == "Cancel what is open: 2 lines cancelled."
        page = browser.get(address).content.decode()
        assert "boss: Offenes abbrechen: 2 Zeilen abgebrochen." in page
        LogEntry.objects.update(change_message="something else: 2")
        assert "boss: something else: 2" in browser.get(address).content.decode()


def test_queueing_again(browser: Client, job: Job) -> None:
    Job.objects.update(settled_at=timezone.now())
    assert "4 lines queued again" in run_action(browser, "job", "requeue", job.pk)
    assert states(job) == ["queued", "queued", "done", "queued", "queued", "failed"]
    for item in job.items.filter(state=S.QUEUED):
        assert (item.not_before, item.error_code, item.settled_at) == (None, "", None)
    job.refresh_from_db()
    assert job.settled_at is None


def test_what_was_done_is_noted(browser: Client, boss: User, job: Job) -> None:
    run_action(browser, "job", "cancel", job.pk)
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (boss, str(job.pk))
    assert entry.get_change_message() == "Cancel what is open: 2 lines cancelled."
    page = browser.get(f"/admin/jobs/job/{job.pk}/change/").content.decode()
    assert "boss: Cancel what is open: 2 lines cancelled." in page


def test_from_a_rows_own_page(browser: Client, job: Job) -> None:
    address = f"/admin/jobs/job/{job.pk}/change/"
    page = browser.get(address).content.decode()
    for name in ("cancel", "retry", "requeue", "purge_files"):
        assert f'name="action" value="{name}"' in page
    assert f'href="{address}"' in choose_action(browser, "job", "cancel", job.pk, back="row")
    answer = browser.post(
        "/admin/jobs/job/",
        {"action": "cancel", "_selected_action": str(job.pk), "back": "row", "confirmed": "yes"},
    )
    assert (answer.status_code, answer.headers["Location"]) == (302, address)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("one", ["cancel", "requeue"]),
        ("three", ["purge_files"]),
        ("four", ["retry", "requeue"]),
        ("six", []),
    ],
)
def test_a_rows_own_page_offers_what_would_change_it(
    browser: Client, job: Job, line: str, names: list[str]
) -> None:
    item = job.items.get(target__name=line) if line != "six" else job.items.get(target={})
    page = browser.get(f"/admin/jobs/item/{item.pk}/change/").content.decode()
    assert re.findall(r'name="action" value="(\w+)"', page) == names
    assert page.count('class="acts"') == bool(names)


def test_a_row_leads_to_what_belongs_to_it(browser: Client, job: Job) -> None:
    item = job.items.get(position=3)
    for row, table in ((job, "job"), (item, "item")):
        page = browser.get(f"/admin/jobs/{table}/{row.pk}/change/").content.decode()
        found = re.findall(r'href="(/admin/jobs/\w+/\?\w+__id__exact=[^"]+)"', page)
        assert len(found) == {"job": 3, "item": 2}[table]
        assert [browser.get(address).status_code for address in found] == [200] * len(found)
        assert str(Artifact.objects.get().pk) in browser.get(found[1]).content.decode()


def test_rows_that_went_meanwhile(browser: Client) -> None:
    assert "There is nothing to do" in choose_action(browser, "job", "cancel", uuid4(), back="row")


def test_not_everything_at_once(browser: Client, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirmed_actions, "MAX_ROWS", 5)
    page = choose_action(
        browser, "item", "cancel", *job.items.values_list("pk", flat=True), confirmed="yes"
    )
    assert "Choose at most 5 rows." in page
    assert states(job)[:2] == ["queued", "running"]
    page = choose_action(browser, "item", "cancel", job.items.first().pk, select_across="1")  # type: ignore[union-attr]
    assert "Choose at most 5 rows." in page


MEANT = {"retry": "four", "purge_files": "three"}
"""Lines of `job` that an action has something to do for; the first one has for the others."""


@pytest.mark.parametrize(
    ("table", "right", "name"),
    [
        ("job", "cancel_job", "cancel"),
        ("job", "retry_job", "retry"),
        ("job", "requeue_job", "requeue"),
        ("job", "purge_job", "purge_files"),
        ("item", "cancel_item", "cancel"),
        ("item", "retry_item", "retry"),
        ("item", "requeue_item", "requeue"),
        ("item", "purge_item", "purge_files"),
        ("artifact", "purge_artifact", "purge_files"),
    ],
)
def test_each_act_has_a_right_of_its_own(job: Job, table: str, right: str, name: str) -> None:
    clerk = make_user("clerk", is_staff=True)
    view, own = (
        Permission.objects.get(content_type__app_label="jobs", codename=codename)
        for codename in (f"view_{table}", right)
    )
    clerk.user_permissions.add(view)
    client = Client()
    client.force_login(clerk)
    row = {
        "job": job,
        "item": Item.objects.get(target__name=MEANT.get(name, "one")),
        "artifact": Artifact.objects.get(),
    }[table]
    ids = [str(other.pk) for other in type(row)._default_manager.all()]
    before, files = states(job), Artifact.objects.filter(removed_at=None).count()
    run_action(client, table, name, *ids)
    assert (states(job), Artifact.objects.filter(removed_at=None).count()) == (before, files)
    assert (
        'class="acts"' not in client.get(f"/admin/jobs/{table}/{row.pk}/change/").content.decode()
    )
    clerk.user_permissions.add(own)
    shown = client.get(f"/admin/jobs/{table}/{row.pk}/change/").content.decode()
    assert shown.count('name="action"') == 1
    run_action(client, table, name, *ids)
    assert (states(job), Artifact.objects.filter(removed_at=None).count()) != (before, files)


def test_a_row_of_others_needs_the_right_to_look(job: Job) -> None:
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="cancel_job"))
    client = Client()
    client.force_login(clerk)
    assert client.get(f"/admin/jobs/job/{job.pk}/change/").status_code == 403
    assert client.post("/admin/jobs/job/", {"action": "cancel"}).status_code == 403
