"""Reveal: a right of its own, logged, for one row and some minutes; and searching by a name."""

from __future__ import annotations

import time
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import translation

from jobs.admin import reveal
from jobs.models import Item
from tests.factories import make_item, make_job, make_user

pytestmark = pytest.mark.django_db

NAME = "harbour.bakery"


@pytest.fixture
def line() -> Item:
    """Alice's."""
    job = make_job(make_user("alice"), note="why I keep this")
    return make_item(
        job, name=NAME, state="failed", error_code="upstream_down", author_name=NAME,
        error_detail=f"www.tiktok.com/@{NAME}: status 503",
    )  # fmt: skip


def clerk(*rights: str) -> Client:
    """Staff with these rights, who may see jobs and lines."""
    user = make_user("clerk", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["view_job", "view_item", *rights])
    )
    client = Client()
    client.force_login(user)
    return client


def page_of(client: Client, address: str) -> str:
    answer = client.get(f"/admin/jobs/{address}")
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def logged() -> list[tuple[str, str | None, str]]:
    return list(LogEntry.objects.values_list("user__username", "object_id", "change_message"))


@pytest.mark.parametrize("table", ["item", "job"])
def test_a_row_is_revealed_on_its_own_page_and_logged(line: Item, table: str) -> None:
    row = {"item": line, "job": line.job}[table]
    client, own = clerk("reveal_target"), f"{table}/{row.pk}/change/"
    page = page_of(client, own)
    assert NAME not in page
    assert "Reveal shows it on this page for five minutes, and is logged." in page
    answer = client.post(f"/admin/jobs/{table}/{row.pk}/reveal/")
    assert answer.headers["Location"] == f"/admin/jobs/{own}"
    page = page_of(client, own)
    assert NAME in page
    assert "clerk: Revealed what was fetched." in page
    assert logged() == [("clerk", str(row.pk), "Revealed what was fetched.")]
    assert NAME not in LogEntry.objects.get().object_repr
    for elsewhere in ("item/", "job/", f"{table}/{row.pk}/history/"):
        assert NAME not in page_of(client, elsewhere)
    other = {"item": f"job/{line.job_id}/change/", "job": f"item/{line.pk}/change/"}[table]
    assert NAME not in page_of(client, other)
    assert NAME not in page_of(fresh("clerk"), own)  # another device of the same person


def fresh(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=name))
    return client


def test_a_double_click_is_logged_once(line: Item) -> None:
    client = clerk("reveal_target")
    for _ in range(2):
        assert client.post(f"/admin/jobs/item/{line.pk}/reveal/").status_code == 302
    assert len(logged()) == 1


def test_it_ends_by_itself_and_with_the_right(line: Item, monkeypatch: pytest.MonkeyPatch) -> None:
    client, own = clerk("reveal_target"), f"item/{line.pk}/change/"
    client.post(f"/admin/jobs/item/{line.pk}/reveal/")
    now = time.time()
    for later in (reveal.REVEALED_FOR_S + 1, -3600):  # and a clock set back lengthens nothing
        monkeypatch.setattr(time, "time", lambda later=later: now + later)
        assert NAME not in page_of(client, own)
    monkeypatch.undo()
    assert NAME in page_of(client, own)
    User.objects.get(username="clerk").user_permissions.remove(
        Permission.objects.get(codename="reveal_target")
    )
    assert NAME not in page_of(client, own)


@pytest.mark.parametrize("table", ["item", "job"])
def test_it_is_a_right_of_its_own(line: Item, table: str) -> None:
    row = {"item": line, "job": line.job}[table]
    for client in (clerk(), clerk("view_operations", "cancel_item", "retry_job")):
        assert f"{row.pk}/reveal/" not in page_of(client, f"{table}/{row.pk}/change/")
        assert client.post(f"/admin/jobs/{table}/{row.pk}/reveal/").status_code == 403
    sightless = make_user("sightless", is_staff=True)
    sightless.user_permissions.add(Permission.objects.get(codename="reveal_target"))
    blind = fresh("sightless")
    assert blind.post(f"/admin/jobs/{table}/{row.pk}/reveal/").status_code == 403
    assert logged() == []


def test_it_is_asked_for_by_post_and_for_rows_that_are_there(line: Item) -> None:
    client = clerk("reveal_target")
    assert client.get(f"/admin/jobs/item/{line.pk}/reveal/").status_code == 405
    for nonsense in ("9" * 40, "../1", line.job_id):
        assert client.post(f"/admin/jobs/item/{nonsense}/reveal/").status_code in {404, 403}
    assert logged() == []
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="clerk"))
    assert strict.post(f"/admin/jobs/item/{line.pk}/reveal/").status_code == 403


def test_ones_own_lines_are_not_masked(line: Item) -> None:
    client = clerk()
    mine = make_item(make_job(User.objects.get(username="clerk")), name="my.cat")
    listed = page_of(client, "item/")
    assert "@my.cat" in listed
    assert NAME not in listed
    assert "@my.cat" in page_of(client, f"item/{mine.pk}/change/")
    assert "@my.cat" in page_of(client, f"job/{mine.job_id}/change/")
    assert str(mine.pk) in page_of(client, "item/?q=my.cat")
    assert client.get("/admin/jobs/item/?line__startswith=@my").status_code in {302, 400}
    assert logged() == []


def test_a_search_by_name_with_the_right_is_logged_without_the_name(line: Item) -> None:
    client = clerk("reveal_target")
    found = page_of(client, f"item/?q={NAME}")
    assert str(line.pk) in found
    assert f">@{NAME}<" not in found  # found, and still masked in the list
    assert logged() == [("clerk", None, "Searched by what was fetched.")]
    assert LogEntry.objects.get().object_repr == "lines"
    assert str(line.pk) in page_of(client, f"item/?q={line.pk}")
    assert len(logged()) == 1  # an id tells nothing
    assert str(line.job_id) in page_of(client, f"job/?q={NAME}")
    assert len(logged()) == 2


def test_no_order_of_a_list_tells_what_is_masked(line: Item) -> None:
    """Sorted by the masked column, guesses could be placed between others."""
    first = make_item(line.job, name="aaa")
    client = clerk()

    def order(query: str) -> list[int]:
        page = page_of(client, f"item/{query}")
        return [page.index(str(item.pk)) for item in (line, first)]

    assert [a < b for a, b in (order("?o=2"), order("?o=-2"))] in ([True, True], [False, False])


def test_the_log_reads_in_the_readers_language() -> None:
    with translation.override("en"):
        assert reveal.translated("Revealed what was fetched.") == "Revealed what was fetched."
        assert reveal.translated("something else") == "something else"
