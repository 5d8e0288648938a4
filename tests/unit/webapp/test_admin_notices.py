"""What those who run the instance are told by themselves, once in a day."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User

from jobs.ephemeral.backups import Told
from jobs.ephemeral.connection import RedisUnavailable
from jobs.ops.findings import Finding, Verdict
from jobs.upstream.breaker import BreakerState
from notices.kinds import Kind
from notices.models import Message
from tests.factories import make_user
from tests.unit.notices.receiving import Browser
from webapp import admin_notices

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


class Instance:
    """What is wrong with it."""

    def __init__(self) -> None:
        self.refused_for: timedelta | None = None
        self.disk = Verdict.OK
        self.backup: Told | None = None
        self.now = NOON

    def breaker(self) -> BreakerState | None:
        if self.refused_for is None:
            return None
        return BreakerState(self.now, "refused", self.now - self.refused_for)

    def tell(self, **later: float) -> list[str]:
        """What is told so much later."""
        self.now += timedelta(**later)
        before = set(Message.objects.values_list("pk", flat=True))
        admin_notices.tell(self.now)
        fresh = Message.objects.exclude(pk__in=before)
        fresh.update(created_at=self.now)
        return sorted(fresh.values_list("kind", flat=True))


@pytest.fixture
def instance(monkeypatch: pytest.MonkeyPatch, set_env: Callable[..., None]) -> Instance:
    instance = Instance()
    set_env(backup_daily=True)
    monkeypatch.setattr("webapp.admin_notices.breaker.shared_state", instance.breaker)
    monkeypatch.setattr("webapp.admin_notices.backups.last_failed", lambda: instance.backup)
    monkeypatch.setattr(
        "webapp.admin_notices.checks.run_checks",
        lambda parts: [Finding(part, instance.disk, "") for part in parts],
    )
    return instance


@pytest.fixture
def admin() -> User:
    user = make_user("root", is_superuser=True, is_staff=True)
    Browser().subscribe(user)
    return user


def test_while_all_is_well_nothing_is_told(instance: Instance, admin: User) -> None:
    assert instance.tell() == []


def test_each_is_told_once_a_day_while_it_lasts(instance: Instance, admin: User) -> None:
    instance.disk = Verdict.WARN
    instance.backup = Told(at=NOON, kind="disk", host="nas")
    instance.refused_for = timedelta(hours=1)
    assert instance.tell() == [Kind.BACKUP, Kind.DISK, Kind.REFUSED]
    for _ in range(10):
        assert instance.tell(hours=2) == []
    assert instance.tell(hours=4) == [Kind.BACKUP, Kind.DISK, Kind.REFUSED]


def test_a_refusal_is_told_after_an_hour(instance: Instance, admin: User) -> None:
    instance.refused_for = timedelta(minutes=59)
    assert instance.tell() == []
    instance.refused_for = timedelta(hours=1)
    assert instance.tell() == [Kind.REFUSED]
    assert Message.objects.get().facts == {"since": "2026-11-30T11:00:00+00:00"}


def test_only_those_with_the_right_are_told(instance: Instance, admin: User) -> None:
    helper, member = make_user("helper", is_staff=True), make_user("member")
    Browser("https://web.push.apple.com/1").subscribe(helper)
    Browser("https://web.push.apple.com/2").subscribe(member)
    helper.user_permissions.add(Permission.objects.get(codename="view_operations"))
    instance.disk = Verdict.FAIL
    assert instance.tell() == [Kind.DISK, Kind.DISK]
    assert {row.owner for row in Message.objects.all()} == {admin, helper}


def test_a_worker_finds_them_without_what_only_pages_need() -> None:
    script = """
import django; django.setup()
from django.utils import timezone
from notices import outbox
from webapp import admin_notices
outbox.is_used = lambda: True
outbox.told_members = lambda people: print(people.query) or {}
admin_notices.tell(timezone.now())
"""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "webapp.settings_worker"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[3],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert '"is_superuser" OR' in done.stdout or '"is_superuser")' in done.stdout, done.stdout


def test_a_failed_backup_is_none_once_they_are_switched_off(
    instance: Instance, admin: User, set_env: Callable[..., None]
) -> None:
    instance.backup = Told(at=NOON, kind="disk", host="nas")
    set_env(backup_daily=False)
    assert instance.tell() == []


def test_nothing_is_looked_for_where_nobody_wants_to_be_told(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_user("root", is_superuser=True, is_staff=True)
    Browser().subscribe(make_user("member"))

    def never(*_: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr("webapp.admin_notices.checks.run_checks", never)
    assert instance.tell() == []


def test_without_redis_the_disk_is_told_of_all_the_same(
    instance: Instance, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> Any:
        raise RedisUnavailable

    monkeypatch.setattr("webapp.admin_notices.breaker.shared_state", away)
    monkeypatch.setattr("webapp.admin_notices.backups.last_failed", away)
    instance.disk = Verdict.WARN
    assert instance.tell() == [Kind.DISK]
