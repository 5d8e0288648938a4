"""The page of the ways to TikTok: what it tells, and its switches."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from jobs.models import WaySwitch
from jobs.upstream import browser_budget, page_identity, way_switches, ways
from jobs.upstream.ways import NAMES, WayRecord
from tests.factories import make_user
from tests.memory import redis_stays_away
from tests.unit.webapp.admin.pages import plain

pytestmark = pytest.mark.django_db
PAGE = "/admin/system/ways/"
NOW = timezone.now()
MINUTE = timedelta(minutes=1)


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> dict[str, WayRecord]:
    """What Redis tells of each way; all are set up."""
    known = {name: WayRecord(name=name) for name in NAMES}
    monkeypatch.setattr(ways, "records", lambda _now=None: known)
    monkeypatch.setattr(browser_budget, "left", lambda: 14)
    monkeypatch.setattr(way_switches, "set_up", lambda: frozenset(NAMES))
    monkeypatch.setattr(page_identity, "in_use", lambda: "chrome150")
    monkeypatch.setattr(page_identity, "resting", dict)
    return known


def text(browser: Client) -> str:
    answer = browser.get(PAGE)
    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    return plain(answer.content)


def switch(browser: Client, name: str, off: str) -> Any:
    return browser.post(f"{PAGE}{name}/switch/", {"off": off})


@pytest.mark.usefixtures("records")
def test_a_young_instance(browser: Client) -> None:
    page = text(browser)
    for title in ("Direct", "Browser", "gallery-dl"):
        assert f"<h2>{title}</h2>" in page
    assert page.count("not asked") == 3
    assert "14 of 20 look-ups left this hour" in page
    assert "Asks as <code>chrome150</code>" in page
    assert "usual identity" not in page
    assert page.count("Switch off") == 3


def test_a_fresh_one_without_redis_and_with_one_way(browser: Client) -> None:
    redis_stays_away()
    page = text(browser)
    assert "Redis does not answer" in page
    assert "not set up" in page
    assert "<code>STORYKEEP_BROWSER=local</code>" in page
    assert "not installed" in page
    assert "<code>manage.py helper install gallery-dl</code>" in page
    assert page.count("Switch off") == 1


def test_what_each_did(
    browser: Client, records: dict[str, WayRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    records["direct"] = WayRecord(
        name="direct", served=30, refused=5, refused_at=NOW - MINUTE, refused_code="challenged",
        tries="rrrrr", bad_since=NOW - 9 * MINUTE, resting_until=NOW + MINUTE,
    )  # fmt: skip
    records["browser"] = WayRecord(
        name="browser", served=10, failed=1, served_at=NOW, failed_at=NOW - MINUTE,
        failed_reason="<took> more than 25 s", tries="fs",
    )  # fmt: skip
    monkeypatch.setattr(page_identity, "in_use", lambda: "plain")
    monkeypatch.setattr(page_identity, "is_usual", lambda _name: False)
    ends = {"chrome150": (NOW + MINUTE).timestamp()}
    monkeypatch.setattr(page_identity, "resting", lambda: ends)
    page = text(browser)
    assert "75%" in page
    assert "25%" in page
    assert "30 of 40 · refused 5×" in page
    assert "10 of 40 · broke 1×" in page
    assert "no longer works" in page
    assert "TikTok is checking this server." in page
    assert "Asked after the others until" in page
    assert "&lt;took&gt; more than 25 s" in page
    assert "TikTok refused the usual identity." in page
    assert "<code>chrome150</code> rests until" in page


def test_a_way_that_was_not_there(browser: Client, records: dict[str, WayRecord]) -> None:
    records["browser"] = WayRecord(name="browser", unready_at=NOW, unready_reason="no <Chromium>")
    records["direct"] = WayRecord(name="direct", served=1, served_at=NOW)
    page = text(browser)
    assert "Not there when it was needed" in page
    assert "no &lt;Chromium&gt;" in page
    assert "no longer works" in page


@pytest.mark.usefixtures("records")
def test_switching(browser: Client, root: User) -> None:
    answer = switch(browser, "browser", "1")
    assert (answer.status_code, answer.headers["Location"]) == (302, PAGE)
    page = text(browser)
    assert "Switched off: Browser" in page
    assert "Switched off by root" in page
    assert page.count("Switch off") == 2
    (entry,) = LogEntry.objects.all()
    assert (entry.user, entry.object_repr, entry.change_message) == (
        root, "Way to TikTok: browser", "switched off",
    )  # fmt: skip
    switch(browser, "browser", "0")
    assert "Switched on: Browser" in text(browser)
    assert [entry.change_message for entry in LogEntry.objects.order_by("pk")][1:] == [
        "switched on"
    ]


@pytest.mark.usefixtures("records")
def test_a_second_tab_undoes_nothing(browser: Client) -> None:
    """It still says "Switch off" where another one already did."""
    switch(browser, "browser", "1")
    switch(browser, "browser", "1")
    assert WaySwitch.objects.get(name="browser").off
    assert LogEntry.objects.count() == 1


@pytest.mark.usefixtures("records")
def test_the_last_way_cannot_be_switched_off(browser: Client) -> None:
    switch(browser, "browser", "1")
    switch(browser, "gallery-dl", "1")
    answer = switch(browser, "direct", "1")
    assert answer.status_code == 409
    assert "Direct stays on" in plain(answer.content)
    assert 'role="alert"' in plain(answer.content)
    assert way_switches.off() == {"browser", "gallery-dl"}
    assert LogEntry.objects.count() == 2


@pytest.mark.usefixtures("records")
@pytest.mark.parametrize(
    ("name", "off"), [("pigeon", "1"), ("direct", ""), ("direct", "yes"), ("direct", "1\0")]
)
def test_what_makes_no_sense(browser: Client, name: str, off: str) -> None:
    assert switch(browser, name, off).status_code == 404
    assert not WaySwitch.objects.exists()


@pytest.mark.usefixtures("records")
def test_nothing_is_switched_by_a_look_or_from_elsewhere(browser: Client, root: User) -> None:
    assert browser.get(f"{PAGE}direct/switch/").status_code == 405
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(root)
    assert switch(careful, "browser", "1").status_code == 403
    assert not WaySwitch.objects.exists()


@pytest.mark.usefixtures("records")
def test_staff_who_may_run_a_diagnosis_see_it_and_switch_nothing() -> None:
    clerk = make_user("clerk", is_staff=True)
    client = Client()
    client.force_login(clerk)
    assert client.get(PAGE).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="run_diagnosis"))
    page = text(client)
    assert "Switch off" not in page
    assert "Try it" in page
    assert switch(client, "browser", "1").status_code == 403


def test_the_system_page_leads_there(browser: Client) -> None:
    assert f'href="{PAGE}"' in browser.get("/admin/system/").content.decode()
