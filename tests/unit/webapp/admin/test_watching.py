"""The admin's page that has all watching rest."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from jobs.models import WatchingPause
from jobs.watching import permission
from tests.factories import make_user
from tests.watched import make_watch

pytestmark = pytest.mark.django_db
URL = "/admin/watching/"


@pytest.fixture
def browser() -> Client:
    client = Client()
    client.force_login(make_user("boss", is_staff=True, is_superuser=True))
    return client


def said(response: object) -> str:
    return " ".join(response.content.decode().split())  # type: ignore[attr-defined]


def test_all_watching_rests_and_goes_on_and_the_log_says_who(browser: Client) -> None:
    make_watch(make_user("alice"))
    page = said(browser.get(URL))
    assert "Pause all watching" in page
    assert "1 watch, 0 with gaps this week, 4 looks a day" in page
    asked = said(browser.post(URL, {"pause": "1"}))
    assert "Pause 1 watch until somebody resumes watching here?" in asked
    assert not permission.is_paused()
    for _ in range(2):  # a second tab
        page = said(browser.post(URL, {"pause": "1", "confirmed": "yes"}, follow=True))
        assert "Resume watching" in page
    assert permission.is_paused()
    assert "1 watch, 0 with gaps this week</p>" in page
    for place in (URL, "/admin/"):
        assert "looks a day" not in said(browser.get(place))
    browser.post(URL, {"pause": "0"})
    assert not WatchingPause.objects.exists()
    assert [entry.change_message for entry in LogEntry.objects.order_by("pk")] == [
        "paused", "resumed",
    ]  # fmt: skip


def test_the_overview_says_that_it_rests_even_where_nobody_watches(browser: Client) -> None:
    assert 'id="watching"' not in said(browser.get("/admin/"))
    permission.set_paused(paused=True)
    assert "Watching is paused. 0 watches, 0 with gaps this week<" in said(browser.get("/admin/"))
    permission.set_paused(paused=False)
    make_watch(make_user("alice"))
    page = said(browser.get("/admin/"))
    assert "1 watch, 0 with gaps this week" in page
    assert "Watching is paused." not in page


def test_it_stands_under_system(browser: Client, set_env: Callable[..., None]) -> None:
    links = (URL, "/admin/notices/channel/", "/admin/notices/delivery/")
    page = said(browser.get("/admin/system/"))
    assert all(f'href="{link}"' in page for link in links)
    set_env(watches="off")
    assert f'href="{URL}"' not in said(browser.get("/admin/system/"))


def test_it_takes_nothing_else(browser: Client) -> None:
    assert browser.post(URL, {"pause": "2"}).status_code == 404
    assert browser.post(URL).status_code == 404


def test_there_is_none_where_watching_is_off(browser: Client, set_env: Callable[..., None]) -> None:
    set_env(watches="off")
    assert browser.get(URL).status_code == 404
