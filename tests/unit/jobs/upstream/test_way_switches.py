"""Switching ways off and on, and what workers are told of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from pydantic import SecretStr

from jobs.models import WaySwitch
from jobs.upstream import way_switches, ways
from jobs.upstream.way_switches import LastWay
from tests.factories import make_user
from tests.memory import redis_stays_away
from tests.unit.jobs.upstream.helpers_folder import install_gallery_dl

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> list[frozenset[str]]:
    """What workers were told is off, each time."""
    redis_stays_away()
    said: list[frozenset[str]] = []
    monkeypatch.setattr(ways, "write_off", said.append)
    return said


@pytest.fixture
def set_up(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`set_up("direct", "browser")`: the ways this machine has."""

    def change(*names: str) -> None:
        monkeypatch.setattr(way_switches, "set_up", lambda: frozenset(names))

    change("direct", "browser", "gallery-dl")
    return change


@pytest.mark.usefixtures("set_up")
def test_off_and_on_again(
    told: list[frozenset[str]], django_capture_on_commit_callbacks: Any
) -> None:
    root = make_user("root")
    before = timezone.now()
    assert way_switches.off() == frozenset()
    with django_capture_on_commit_callbacks(execute=True):
        assert way_switches.switch("browser", off=True, by=root)
    assert told == [{"browser"}]
    assert way_switches.off() == {"browser"}
    switch = way_switches.switches()["browser"]
    assert switch.changed_by == root
    assert before <= switch.changed_at <= timezone.now()
    with django_capture_on_commit_callbacks(execute=True):
        assert not way_switches.switch("browser", off=True, by=make_user("other"))
        assert way_switches.switches()["browser"].changed_by == root
        assert way_switches.switch("browser", off=False, by=root)
    assert told == [{"browser"}, frozenset()]


def test_the_last_one_stays_on(set_up: Callable[..., None]) -> None:
    way_switches.switch("browser", off=True, by=None)
    way_switches.switch("gallery-dl", off=True, by=None)
    with pytest.raises(LastWay):
        way_switches.switch("direct", off=True, by=None)
    assert way_switches.off() == {"browser", "gallery-dl"}
    set_up("direct")
    with pytest.raises(LastWay):
        way_switches.switch("direct", off=True, by=None)


def test_a_way_that_is_not_set_up_keeps_no_other_one_company(set_up: Callable[..., None]) -> None:
    set_up("direct", "browser")
    way_switches.switch("direct", off=True, by=None)
    with pytest.raises(LastWay):
        way_switches.switch("browser", off=True, by=None)


def test_where_the_others_have_gone_the_one_that_is_always_there_is_on(
    set_up: Callable[..., None],
) -> None:
    way_switches.switch("direct", off=True, by=None)
    assert way_switches.off() == {"direct"}
    set_up("direct")
    assert way_switches.off() == frozenset()


def test_a_way_there_is_not() -> None:
    with pytest.raises(KeyError):
        way_switches.switch("pigeon", off=True, by=None)
    assert not WaySwitch.objects.exists()


def test_rows_of_another_version_say_nothing() -> None:
    WaySwitch.objects.create(name="pigeon", off=True)
    assert way_switches.off() == frozenset()


def test_what_is_switched_while_the_mirror_is_written_gets_there_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[frozenset[str]] = []

    def write(names: frozenset[str]) -> None:
        said.append(names)
        if len(said) == 1:  # another admin, right now
            WaySwitch.objects.create(name="browser", off=True)

    monkeypatch.setattr(ways, "write_off", write)
    way_switches.mirror()
    assert said == [frozenset(), {"browser"}]


def test_a_database_that_is_away_changes_nothing(told: list[frozenset[str]]) -> None:
    def away(*_: Any) -> None:
        raise OperationalError("no")

    with connection.execute_wrapper(away):
        way_switches.mirror()
    assert told == []


def test_what_is_set_up(set_env: Callable[..., None], tmp_path: Path) -> None:
    set_env(data_dir=tmp_path)
    assert way_switches.set_up() == {"direct"}
    install_gallery_dl(tmp_path)
    set_env(browser=SecretStr("local"))
    assert way_switches.set_up() == {"direct", "browser", "gallery-dl"}
    (tmp_path / "helpers" / "gallery-dl" / "current").write_text("../../../bin")
    set_env(browser=SecretStr("off"))
    assert way_switches.set_up() == {"direct"}
