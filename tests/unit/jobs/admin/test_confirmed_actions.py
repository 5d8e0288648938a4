"""Actions on rows of others: confirmed first, run once, logged; a permission for each."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import translation

from jobs.admin import confirmed_actions
from jobs.models import Artifact, Item, Job
from jobs.states import ItemState
from tests.factories import make_item, make_job, make_user
from tests.unit.jobs.admin.browse import choose_action, run_action
from tests.unit.jobs.admin.rows import make_varied_job, states

pytestmark = pytest.mark.django_db

S = ItemState


@pytest.fixture
def job() -> Job:
    """A line in every state that matters, and a file."""
    return make_varied_job()


def test_each_row_is_told_what_was_done_to_it(browser: Client, job: Job) -> None:
    make_item(job, state=S.QUEUED)
    other, over = make_job(job.owner, links=1), make_job(job.owner, links=1, state=S.CANCELLED)
    page = run_action(browser, "job", "cancel", job.pk, other.pk, over.pk)
    assert "4 lines cancelled." in page
    assert dict(LogEntry.objects.values_list("object_id", "change_message")) == {
        str(job.pk): "Cancel: 3 lines cancelled.",
        str(other.pk): "Cancel: 1 line cancelled.",
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
        assert entry.change_message == "Cancel: 2 lines cancelled."
        page = browser.get(address).content.decode()
        assert "boss: Abbrechen: 2 Zeilen abgebrochen." in page
        LogEntry.objects.update(change_message="something else: 2")
        assert "boss: something else: 2" in browser.get(address).content.decode()


def test_what_was_done_is_noted(browser: Client, boss: User, job: Job) -> None:
    run_action(browser, "job", "cancel", job.pk)
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (boss, str(job.pk))
    assert entry.get_change_message() == "Cancel: 2 lines cancelled."
    page = browser.get(f"/admin/jobs/job/{job.pk}/change/").content.decode()
    assert "boss: Cancel: 2 lines cancelled." in page


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
