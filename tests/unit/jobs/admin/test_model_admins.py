"""The admin's lists and rows: to look at, and actions that call what the pages call."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from jobs.errors import message_and_hint
from jobs.models import Artifact, Item, Job, Package, Story
from jobs.states import ItemState
from jobs.wording import age
from tests.factories import make_artifact, make_job, make_story, make_user
from tests.unit.jobs.admin.browse import run_action

pytestmark = pytest.mark.django_db

TABLES = ("job", "item", "story", "artifact", "package")


@pytest.mark.parametrize("table", TABLES)
def test_every_table_lists_and_shows(browser: Client, job: Job, table: str) -> None:
    assert browser.get(f"/admin/jobs/{table}/").status_code == 200
    for query in ("q=alice", "o=1", "o=-2.3"):
        assert browser.get(f"/admin/jobs/{table}/?{query}").status_code == 200
    row = apps.get_model("jobs", table)._default_manager.first()
    assert row is not None
    response = browser.get(f"/admin/jobs/{table}/{row.pk}/change/")
    assert response.status_code == 200
    assert b'name="_save"' not in response.content
    assert browser.get(f"/admin/jobs/{table}/add/").status_code == 403
    assert browser.post(f"/admin/jobs/{table}/{row.pk}/delete/").status_code == 403


def test_a_job_shows_state_codes_and_bytes(browser: Client, job: Job) -> None:
    page = browser.get("/admin/jobs/job/").content.decode()
    assert "queued" in page
    assert message_and_hint("upstream_down")[0] in unescape(page)
    assert "1 · 2.5\N{NO-BREAK SPACE}MB" in page


def test_a_long_list_costs_no_more_than_a_short_one(
    browser: Client, job: Job, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(8):
        make_job(job.owner, links=2)
    for table in TABLES:
        with django_assert_max_num_queries(9):
            browser.get(f"/admin/jobs/{table}/")


@pytest.mark.parametrize("table", ["job", "item"])
def test_counting_the_rows_of_a_list_reads_no_files(browser: Client, job: Job, table: str) -> None:
    with CaptureQueriesContext(connection) as queries:
        page = browser.get(f"/admin/jobs/{table}/").content.decode()
    assert "1 · 2.5\N{NO-BREAK SPACE}MB" in page
    statements = [query["sql"] for query in queries]
    assert not [sql for sql in statements if "jobs_artifact" in sql and "GROUP BY 1" in sql]
    assert not [sql for sql in statements if 'JOIN "jobs_artifact"' in sql]


def test_a_job_tells_why_each_line_failed(browser: Client, job: Job) -> None:
    """What went wrong first, in words, each a link to the line; what was fetched is masked."""
    failed, _queued = job.items.order_by("position")
    page = unescape(browser.get(f"/admin/jobs/job/{job.pk}/change/").content.decode())
    for words in message_and_hint("upstream_down"):
        assert words in page
    assert "A retry can help." in page
    assert page.index(f"/admin/jobs/item/{failed.pk}/change/") < page.index("Timeline")
    assert "@author" not in page
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_job"))
    client = Client()
    client.force_login(clerk)
    page = unescape(client.get(f"/admin/jobs/job/{job.pk}/change/").content.decode())
    assert message_and_hint("upstream_down")[0] in page
    assert "/admin/jobs/item/" not in page  # which the clerk may not open


def test_a_line_tells_why_it_failed(browser: Client, job: Job) -> None:
    line = job.items.get(position=1)
    page = unescape(browser.get(f"/admin/jobs/item/{line.pk}/change/").content.decode())
    for words in (*message_and_hint("upstream_down"), "A retry can help."):
        assert words in page


def test_times_are_the_sites(browser: Client, job: Job) -> None:
    """One format everywhere, in the reader's zone; the admin's own is American."""
    moment = datetime(2026, 11, 28, 4, 19, tzinfo=UTC)
    Job.objects.update(created_at=moment, settled_at=moment)
    Item.objects.update(created_at=moment, settled_at=moment)
    line = job.items.get(position=1)
    for address in ("job/", "item/", f"job/{job.pk}/change/", f"item/{line.pk}/change/"):
        page = browser.get(f"/admin/jobs/{address}").content.decode()
        assert 'data-when="day-time">28 Nov, 04:19 UTC</time>' in page, address
        assert "a.m." not in page, address
        assert "Nov. 28" not in page, address


def test_cancel_and_retry(browser: Client, job: Job) -> None:
    failed, queued = job.items.order_by("position")
    assert "1 line retried" in run_action(browser, "item", "retry", failed.pk, queued.pk)
    assert "2 lines cancelled" in run_action(browser, "job", "cancel", job.pk)


def test_purge(browser: Client, job: Job) -> None:
    assert "1 file deleted" in run_action(browser, "job", "purge_files", job.pk)
    assert Artifact.objects.get().removed_at
    file = make_artifact(make_story(job.items.first()), content=b"y")
    assert "1 file deleted" in run_action(browser, "artifact", "purge_files", file.pk)


def test_a_line_shows_what_is_still_there(browser: Client, job: Job) -> None:
    make_artifact(Artifact.objects.get().story, size_bytes=7_000_000)
    assert "2 · 9.5\N{NO-BREAK SPACE}MB" in browser.get("/admin/jobs/item/").content.decode()
    Artifact.objects.filter(size_bytes=7_000_000).update(removed_at=timezone.now())
    assert "1 · 2.5\N{NO-BREAK SPACE}MB" in browser.get("/admin/jobs/item/").content.decode()
    Artifact.objects.update(removed_at=timezone.now())
    assert "\N{NO-BREAK SPACE}MB" not in browser.get("/admin/jobs/item/").content.decode()


def test_acts_need_the_right_to_change(job: Job) -> None:
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_job"))
    client = Client()
    client.force_login(clerk)
    page = client.get("/admin/jobs/job/").content.decode()
    assert str(job.pk) in page
    assert 'value="cancel"' not in page
    run_action(client, "job", "cancel", job.pk)
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


@pytest.mark.parametrize("table", ["story", "package"])
def test_a_story_and_a_zip_say_the_sentence_beside_the_code(
    browser: Client, job: Job, table: str
) -> None:
    story = Story.objects.get(item__job=job)
    package = Package.objects.get(job=job)
    Story.objects.update(state="failed", error_code="media_corrupt")
    Package.objects.update(state="failed", error_code="disk_full")
    row, code = (story, "media_corrupt") if table == "story" else (package, "disk_full")
    page = unescape(browser.get(f"/admin/jobs/{table}/{row.pk}/change/").content.decode())
    for words in (*message_and_hint(code), "A retry can help.", f"<code>{code}</code>"):
        assert words in page
    listed = unescape(browser.get(f"/admin/jobs/{table}/").content.decode())
    assert message_and_hint(code)[0] in listed


def test_a_file_is_told_in_words(browser: Client, job: Job) -> None:
    Artifact.objects.filter(job=job).update(labels=["hevc", "watermarked"], size_bytes=2_500_000)
    file = Artifact.objects.filter(job=job).first()
    assert file
    page = browser.get(f"/admin/jobs/artifact/{file.pk}/change/").content.decode()
    assert "hevc, watermarked" in page
    assert "2.5\N{NO-BREAK SPACE}MB" in page
    assert "[" not in page[page.index("hevc, watermarked") - 40 : page.index("hevc, watermarked")]
