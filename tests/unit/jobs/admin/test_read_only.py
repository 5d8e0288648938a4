"""Rows to look at: their times, the search, the tables beside each other."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils.text import capfirst

from jobs.admin.read_only import containing, moment_column
from jobs.models import Item, Job, Package
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

pytestmark = pytest.mark.django_db


def test_each_word_is_in_one_of_the_fields() -> None:
    item = make_item(name="harbour.bakery", error_code="gone")
    for words, found in (("HARBOUR", 1), ("harbour gone", 1), ("harbour nobody", 0), ("", 1)):
        assert Item.objects.filter(containing(["line", "error_code"], words)).count() == found
    assert item.pk


def test_a_time_that_is_not_there() -> None:
    column = moment_column(Job, "settled_at")
    assert column(Job()) == "–"
    assert getattr(column, "admin_order_field", "") == "settled_at"


def test_yes_and_no_are_words(browser: Client) -> None:
    """A red cross beside "posts too" would look like a failure."""
    job = make_job(posts=False)
    page = browser.get(f"/admin/jobs/job/{job.pk}/change/").content.decode()
    assert "icon-no" not in page
    assert '<div class="readonly">no</div>' in page


def test_every_field_shown_has_a_name_in_the_readers_language(boss: User) -> None:
    """The names that Django makes of fields without one are English, and the code's."""
    job = make_job(boss, idempotency_key="k", time_zone="Europe/Paris")
    item = make_item(job, state=ItemState.RUNNING, fetch_key="user:one")
    artifact = make_artifact(make_story(item), content_id=uuid4())
    package = Package.objects.create(job=job, owner=boss, language="de")
    browser = Client(headers={"Accept-Language": "de"})
    browser.force_login(boss)
    for row in (job, item, artifact, package):
        page = browser.get(f"/admin/jobs/{row._meta.model_name}/{row.pk}/change/")
        labels = set(re.findall(r"<label>([^<]+?):?</label>", page.content.decode()))
        made = {capfirst(field.name.replace("_", " ")) for field in row._meta.fields}
        assert "Person" in labels
        assert labels & made <= {"Id", "Name", "Position", "Story"}  # the same in German


@pytest.mark.parametrize("words", ["%00", "%27%20OR%201=1", "%5C", "x" * 3000, "%F0%9F%98%80"])
def test_odd_words_to_search_for(browser: Client, words: str) -> None:
    make_item()
    for table in ("job", "item", "story", "artifact", "package"):
        assert browser.get(f"/admin/jobs/{table}/?q={words}").status_code in {200, 302, 400}


def test_the_tables_beside_each_other_are_those_one_may_see() -> None:
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_job", "view_package"]))
    client = Client()
    client.force_login(clerk)
    make_job(clerk)
    page = client.get("/admin/jobs/job/").content.decode()
    tables = re.search(r'<nav class="tables".*?</nav>', page, re.DOTALL)
    assert tables
    assert re.findall(r'href="([^"]+)"', tables[0]) == ["/admin/jobs/job/", "/admin/jobs/package/"]
    assert 'href="/admin/jobs/job/" aria-current="page"' in tables[0]
    assert "<h1>Jobs</h1>" in page


def test_a_list_says_how_many_were_found_where_something_narrows_it(browser: Client) -> None:
    owner = make_item(state="done").owner.get_username()
    whole, sought, narrowed = (
        browser.get(f"/admin/jobs/item/{query}").content.decode()
        for query in ("", f"?q={owner}", "?state__exact=done")
    )
    assert "Show all" not in whole
    assert "1 result" in sought
    assert "Show all" in narrowed
