"""The table of ways: state, share, and a way that no longer works beside one that does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs.models import WaySwitch
from jobs.ops import way_rows
from jobs.ops.findings import Verdict
from jobs.ops.way_rows import WayRow, WayState, WayTable
from jobs.upstream import browser_budget, way_switches, ways
from jobs.upstream.ways import NAMES, WayRecord
from tests.factories import make_user
from tests.memory import redis_stays_away

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
AGO = timedelta(minutes=10)


def row(name: str = "direct", **facts: Any) -> WayRow:
    about = {key: facts.pop(key) for key in ("is_set_up", "is_off", "left") if key in facts}
    return WayRow(record=WayRecord(name=name, **facts), **about)


@pytest.mark.parametrize("name", NAMES)
def test_every_way_has_words(name: str) -> None:
    shown = row(name, is_set_up=name == "direct")
    assert shown.title
    assert shown.about
    assert bool(shown.how_to_set_up) is (name != "direct")


@pytest.mark.parametrize(
    ("facts", "state", "words"),
    [
        ({}, WayState.ON, "on"),
        ({"resting_until": NOW}, WayState.RESTING, "resting"),
        ({"resting_until": NOW, "left": 0}, WayState.SPENT, "used up for now"),
        ({"left": 3}, WayState.ON, "on"),
        ({"is_off": True, "resting_until": NOW}, WayState.OFF, "off"),
        ({"is_off": True, "is_set_up": False}, WayState.NOT_SET_UP, "not set up"),
    ],
)
def test_its_state(facts: dict[str, Any], state: WayState, words: str) -> None:
    shown = row("browser", **facts)
    assert (shown.state, str(shown.state_words)) == (state, words)


def test_a_program_is_not_installed() -> None:
    assert str(row("gallery-dl", is_set_up=False).state_words) == "not installed"


# --- gathered -------------------------------------------------------------------------------------


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> dict[str, WayRecord]:
    """What Redis tells of each way; change it."""
    known = {name: WayRecord(name=name) for name in NAMES}
    monkeypatch.setattr(ways, "records", lambda _now=None: known)
    monkeypatch.setattr(browser_budget, "left", lambda: 14)
    monkeypatch.setattr(way_switches, "set_up", lambda: frozenset({"direct", "browser"}))
    return known


@pytest.mark.django_db
def test_the_table(records: dict[str, WayRecord], django_assert_max_num_queries: Any) -> None:
    root = make_user("root")
    WaySwitch.objects.create(name="browser", off=True, changed_at=NOW, changed_by=root)
    records["direct"] = WayRecord(name="direct", served=2, refused=1)
    records["browser"] = WayRecord(name="browser", served=1, failed=4)
    with django_assert_max_num_queries(2):
        table = way_rows.read(NOW)
    direct, browser, helper = table.rows
    assert table.known
    assert table.look_ups == 3
    assert [shown.share for shown in table.rows] == [67, 33, 0]
    assert [shown.asked for shown in table.rows] == [3, 5, 0]
    assert (direct.is_on, browser.is_on, helper.is_on) == (True, False, False)
    assert (browser.switched_by, browser.switched_at) == ("root", NOW)
    assert (direct.switched_by, direct.switched_at) == ("", None)
    assert (browser.left, browser.per_hour, direct.left, helper.left) == (14, 20, None, None)


@pytest.mark.django_db
@pytest.mark.usefixtures("records")
def test_a_young_instance() -> None:
    table = way_rows.read(NOW)
    assert {shown.share for shown in table.rows} == {None}
    assert way_rows.dead(table.rows, NOW) == ()


@pytest.mark.django_db
def test_without_redis_states_alone_are_known() -> None:
    redis_stays_away()
    WaySwitch.objects.create(name="gallery-dl", off=True)
    table = way_rows.read(NOW)
    assert not table.known
    assert [shown.name for shown in table.rows] == list(NAMES)
    assert table.rows[0].state is WayState.ON


# --- a dead way beside a living one ---------------------------------------------------------------

DEAD = row(
    served_at=NOW - timedelta(days=2),
    refused_at=NOW - AGO,
    refused_code="challenged",
    tries="rrrrr",
    bad_since=NOW - 3 * AGO,
)
LIVING = row("browser", served_at=NOW - AGO, tries="sssss", served=5)


def test_a_dead_way_does_not_hide_behind_a_living_one() -> None:
    (way,) = way_rows.dead([DEAD, LIVING], NOW)
    assert (way.name, way.since, way.why) == ("direct", NOW - 3 * AGO, "challenged")


def changed(way: WayRow, **facts: Any) -> WayRow:
    return replace(way, record=replace(way.record, **facts))


@pytest.mark.parametrize(
    ("way", "other"),
    [
        pytest.param(changed(DEAD, tries="rrrr"), LIVING, id="four tries are too few"),
        pytest.param(changed(DEAD, tries="rsrrr"), LIVING, id="one of the five worked"),
        pytest.param(replace(DEAD, is_off=True), LIVING, id="it is switched off"),
        pytest.param(replace(DEAD, is_set_up=False), LIVING, id="it is gone"),
        pytest.param(
            changed(DEAD, refused_at=NOW - timedelta(hours=25)), LIVING, id="nobody asked for a day"
        ),
        pytest.param(DEAD, changed(LIVING, served_at=None), id="the other does not serve either"),
        pytest.param(
            DEAD, changed(LIVING, served_at=NOW - 4 * AGO), id="the other served before it died"
        ),
        pytest.param(DEAD, DEAD, id="both are dead: the breaker's matter"),
    ],
)
def test_what_is_no_dead_way(way: WayRow, other: WayRow) -> None:
    assert way_rows.dead([way, other], NOW) == ()


def test_a_way_that_breaks_each_time_is_dead_too() -> None:
    broken = changed(
        DEAD, tries="rrrrf", failed_at=NOW, failed_reason="took more than 25 s", refused_at=None
    )
    (way,) = way_rows.dead([broken, LIVING], NOW)
    assert way.why == "took more than 25 s"


def test_a_way_that_was_not_there_when_it_was_needed_is_dead_too() -> None:
    away = row("browser", unready_at=NOW - AGO, unready_reason="no Chromium on the PATH")
    other = row(served_at=NOW - AGO)
    (way,) = way_rows.dead([other, away], NOW)
    assert (way.name, way.is_missing, way.why) == ("browser", True, "no Chromium on the PATH")
    assert way_rows.dead([changed(other, served_at=NOW - 2 * AGO), away], NOW) == ()
    assert way_rows.dead([other, changed(away, served_at=NOW)], NOW) == (), "it came back"
    assert way_rows.dead([other, replace(away, is_off=True)], NOW) == ()
    long_ago = changed(away, unready_at=NOW - timedelta(hours=25))
    assert way_rows.dead([other, long_ago], NOW) == ()


def test_the_finding_says_which_is_not_ready_here() -> None:
    table = WayTable(rows=(row(), row("browser"), row("gallery-dl", is_set_up=False)))
    unready = {"browser": "no Chromium on the PATH", "gallery-dl": "not installed"}
    found = way_rows.finding(table, NOW, unready)
    assert found.verdict is Verdict.WARN
    assert str(found.message) == (
        "direct on; browser on, but not ready (no Chromium on the PATH); gallery-dl not installed"
    )
    assert "Not working: browser." in str(found.hint)


def test_the_finding_tells_of_all_and_warns_of_the_dead_one() -> None:
    helper = row("gallery-dl", is_set_up=False)
    alive = way_rows.finding(WayTable(rows=(row(), LIVING, helper)), NOW)
    assert alive.verdict is Verdict.OK
    assert str(alive.message) == (
        "direct on; browser on, 5 of 5 tries within 24 h worked, last 10 min ago; "
        "gallery-dl not installed"
    )
    dead = way_rows.finding(WayTable(rows=(changed(DEAD, refused=5), LIVING)), NOW)
    assert dead.verdict is Verdict.WARN
    assert "direct on, 0 of 5 tries within 24 h worked, last 48 h ago" in str(dead.message)
    assert "`manage.py diagnose @name --way direct`" in str(dead.hint)
