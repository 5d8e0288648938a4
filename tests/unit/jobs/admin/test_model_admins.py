"""The admin pages: rows to look at, and acts that call what the pages call."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from jobs.models import Artifact, Job, Package
from jobs.states import ItemState
from jobs.wording import age
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

pytestmark = pytest.mark.django_db

TABLES = ("job", "item", "story", "artifact", "package")


@pytest.fixture
def admin_user() -> User:
    """Runs the instance."""
    return make_user("admin", is_staff=True, is_superuser=True)


@pytest.fixture
def browser(admin_user: User) -> Client:
    """The admin's browser."""
    client = Client()
    client.force_login(admin_user)
    return client


@pytest.fixture
def job() -> Job:
    """Alice's, with one of everything."""
    job = make_job(make_user("alice"))
    story = make_story(make_item(job, state=ItemState.FAILED, error_code="upstream_down"))
    make_artifact(story, size_bytes=2_500_000, content=b"x" * 9)
    make_item(job)
    Package.objects.create(job=job, owner=job.owner)
    return job


@pytest.mark.parametrize("table", TABLES)
def test_every_table_lists_and_shows(browser: Client, job: Job, table: str) -> None:
    assert browser.get(f"/admin/jobs/{table}/").status_code == 200
    for query in ("q=alice", "o=1", "o=-2.3"):
        assert browser.get(f"/admin/jobs/{table}/?{query}").status_code == 200
    row = {
        "job": Job, "item": job.items.model, "story": job.items.model.stories.rel.related_model,
        "artifact": Artifact, "package": Package,
    }[table].objects.first()  # fmt: skip
    response = browser.get(f"/admin/jobs/{table}/{row.pk}/change/")
    assert response.status_code == 200
    assert b'name="_save"' not in response.content
    assert browser.get(f"/admin/jobs/{table}/add/").status_code == 403
    assert browser.post(f"/admin/jobs/{table}/{row.pk}/delete/").status_code == 403


def test_a_job_shows_state_codes_and_bytes(browser: Client, job: Job) -> None:
    page = browser.get("/admin/jobs/job/").content.decode()
    assert "queued" in page
    assert "upstream_down" in page
    assert "1 · 2.5\N{NO-BREAK SPACE}MB" in page


def test_a_long_list_costs_no_more_than_a_short_one(
    browser: Client, job: Job, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(8):
        make_job(job.owner, links=2)
    for table in TABLES:
        with django_assert_max_num_queries(9):
            browser.get(f"/admin/jobs/{table}/")


@pytest.mark.parametrize("state", [*ItemState.values, "nonsense"])
def test_jobs_are_filtered_by_state(browser: Client, job: Job, state: str) -> None:
    page = browser.get(f"/admin/jobs/job/?state={state}").content.decode()
    assert (str(job.pk) in page) is (state in {"queued", "nonsense"})


@pytest.mark.parametrize("bad", ["zz", "9" * 30, "\0", ""])
@pytest.mark.parametrize("table", TABLES)
def test_ids_that_are_none(browser: Client, job: Job, table: str, bad: str) -> None:
    """A form of long ago, or somebody who tries: never a crash."""
    address = f"/admin/jobs/{table}/"
    for more in ({}, {"confirmed": "yes", "back": "row"}, {"select_across": "1"}):
        given = {"action": "purge_files", "_selected_action": ["zz", str(job.pk)]} | more
        assert browser.post(address, given).status_code in {200, 302, 400}
        given = {"action": "cancel", "_selected_action": bad} | more
        assert browser.post(address, given).status_code == 400
    for name in ("owner__id__exact", "job__id__exact", "id__exact", "p", "o", "state", "e"):
        assert browser.get(address, {name: bad}).status_code in {200, 302, 400}, name
    for page in ("change", "history"):
        assert browser.get(f"{address}{quote(bad)}/{page}/").status_code in {302, 404}
    for filtered in ({"owner__id__exact": "x"}, {"owner": "9" * 30}, {"owner__in": ""}):
        answer = browser.get(address, filtered)
        again = browser.get(address, filtered | {"e": "1"})
        if answer.status_code == 200:  # some databases take any number, and find nobody
            assert (filtered, again.status_code) == ({"owner": "9" * 30}, 200)
            continue
        assert (answer.status_code, answer.headers["Location"]) == (302, f"{address}?e=1"), filtered
        assert again.status_code == 400
    assert browser.get(address, {"e": "1"}).status_code == 200


@pytest.mark.parametrize(
    "guess", ["owner__password__startswith=pbkdf2", "job__owner__password__startswith=p",
              "items__owner__email__startswith=a", "owner__last_login__gte=2026-01-01"],
)  # fmt: skip
@pytest.mark.parametrize("table", TABLES)
def test_no_filter_reaches_into_accounts(
    browser: Client, job: Job, table: str, guess: str, set_env: Callable[..., None]
) -> None:
    for shown in (False, True):
        set_env(show_targets=shown)
        assert browser.get(f"/admin/jobs/{table}/?{guess}").status_code in {302, 400}


def ask(browser: Client, table: str, name: str, *ids: object, **more: str) -> str:
    """Choose an action for some rows, and read what it says."""
    response = browser.post(
        f"/admin/jobs/{table}/",
        {"action": name, "_selected_action": [str(one) for one in ids]} | more,
        follow=True,
    )
    return response.content.decode().replace("\N{NO-BREAK SPACE}", " ")


def act(browser: Client, table: str, name: str, *ids: object) -> str:
    """Run an action over some rows, confirmed, and read what it said."""
    return ask(browser, table, name, *ids, confirmed="yes")


def test_cancel_and_retry(browser: Client, job: Job) -> None:
    failed, queued = job.items.order_by("position")
    assert "1 line retried" in act(browser, "item", "retry", failed.pk, queued.pk)
    assert "2 lines cancelled" in act(browser, "job", "cancel", job.pk)


def test_purge(browser: Client, job: Job) -> None:
    assert "1 file deleted" in act(browser, "job", "purge_files", job.pk)
    assert Artifact.objects.get().removed_at
    file = make_artifact(make_story(job.items.first()), content=b"y")
    assert "1 file deleted" in act(browser, "artifact", "purge_files", file.pk)


def test_a_line_shows_what_is_still_there(browser: Client, job: Job) -> None:
    make_artifact(Artifact.objects.get().story, size_bytes=7_000_000)
    assert "2 · 9.5\N{NO-BREAK SPACE}MB" in browser.get("/admin/jobs/item/").content.decode()
    Artifact.objects.filter(size_bytes=7_000_000).update(removed_at=timezone.now())
    assert "1 · 2.5\N{NO-BREAK SPACE}MB" in browser.get("/admin/jobs/item/").content.decode()
    Artifact.objects.update(removed_at=timezone.now())
    assert "MB" not in browser.get("/admin/jobs/item/").content.decode()


def test_lines_are_filtered_by_code(browser: Client, job: Job) -> None:
    failed, queued = job.items.order_by("position")
    for code, there in (("upstream_down", {failed.pk}), ("-", {queued.pk}), ("gone", set())):
        page = browser.get(f"/admin/jobs/item/?error_code={code}").content.decode()
        found = {one.pk for one in (failed, queued) if f"item/{one.pk}/change" in page}
        assert found == there
    page = browser.get("/admin/jobs/item/").content.decode()
    assert "?error_code=upstream_down" in page
    assert '?error_code="' not in page


def test_files_are_filtered_by_presence(browser: Client, job: Job) -> None:
    file = Artifact.objects.get()
    for there, gone in ((True, False), (False, True)):
        assert (str(file.pk) in listed(browser, "yes")) is there
        assert (str(file.pk) in listed(browser, "no")) is gone
        Artifact.objects.update(removed_at=timezone.now())


def listed(browser: Client, present: str) -> str:
    """The list of files that are there, or not."""
    return browser.get(f"/admin/jobs/artifact/?present={present}").content.decode()


def test_acts_need_the_right_to_change(job: Job) -> None:
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_job"))
    client = Client()
    client.force_login(clerk)
    page = client.get("/admin/jobs/job/").content.decode()
    assert str(job.pk) in page
    assert 'value="cancel"' not in page
    act(client, "job", "cancel", job.pk)
    assert job.items.filter(state=ItemState.QUEUED).exists()


@pytest.mark.parametrize(
    ("past", "words"),
    [
        (timedelta(seconds=5), "5\u00a0s"),
        (timedelta(minutes=3), "3\u00a0min"),
        (timedelta(hours=5), "5\u00a0h"),
        (timedelta(days=3), "3\u00a0d"),
    ],
)
def test_age(past: timedelta, words: str) -> None:
    assert age(timezone.now() - past) == words
    assert age(None) == "–"
