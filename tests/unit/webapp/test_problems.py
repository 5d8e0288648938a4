"""The facts that problems are told from, as they are gathered; kept for a minute, without Redis."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.http import HttpRequest
from django.test import RequestFactory
from django.utils import timezone
from pydantic import SecretStr

from accounts import mail
from jobs import VERSION
from jobs.ephemeral import heartbeats, hidden_problems, processes
from jobs.ephemeral.backups import Told
from jobs.ephemeral.connection import RedisUnavailable
from jobs.ephemeral.processes import RunningProcess
from jobs.ops.problems import Facts
from jobs.upstream import breaker, browser_budget, ways
from jobs.upstream.breaker import BreakerState
from jobs.upstream.ways import WayRecord
from tests.factories import make_user
from tests.unit.jobs.ops.instances import make_healthy
from webapp import problems
from webapp.backups import kept

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, set_env: Callable[..., None]) -> Path:
    """The data folder."""
    set_env(data_dir=tmp_path)
    return tmp_path


@pytest.fixture
def _healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    make_healthy(monkeypatch)
    monkeypatch.setattr(heartbeats, "alive", lambda: ["worker-7@attic-nas"])
    current = RunningProcess(name="worker-7@attic-nas", version=VERSION, started_at=NOW)
    monkeypatch.setattr(processes, "running", lambda: (current,))
    monkeypatch.setattr(hidden_problems, "hidden", lambda _codes: frozenset())


def ask(**extra: str) -> HttpRequest:
    request: HttpRequest = RequestFactory().get("/admin/", **extra)  # type: ignore[arg-type]
    return request


def codes(request: HttpRequest | None = None) -> list[str]:
    problems.memory.forget()
    return [problem.code for problem in problems.current_problems(request or ask())]


@pytest.fixture
def _real(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problems, "memory", problems.Memory(problems.gather))


@pytest.mark.usefixtures("_healthy", "_real")
def test_a_healthy_instance_has_none(set_env: Callable[..., None], folder: Path) -> None:
    make_user("root", is_superuser=True)
    set_env(public_url="https://stories.example.org", data_dir=folder)
    assert codes() == []


@pytest.mark.usefixtures("_healthy", "_real")
def test_how_the_reader_came_counts_where_no_address_is_set(set_env: Callable[..., None]) -> None:
    set_env(public_url=None)
    assert codes(ask(SERVER_NAME="nas.local")) == ["plain_http", "no_public_url"]
    for name in ("localhost", "127.0.0.1", "[::1]"):
        assert codes(ask(HTTP_HOST=f"{name}:8000")) == ["no_public_url"]
    secure = RequestFactory().get("/admin/", secure=True)
    assert codes(secure) == ["no_public_url"]


@pytest.mark.usefixtures("_healthy", "_real")
def test_processes_of_another_version_and_those_that_do_not_tell_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = RunningProcess(name="worker-8@nas", version="0.0.9", started_at=NOW)
    monkeypatch.setattr(processes, "running", lambda: (old,))
    facts = problems.gather()
    assert facts.other_versions == (("worker-7@attic-nas", ""), ("worker-8@nas", "0.0.9"))


@pytest.mark.usefixtures("_healthy")
def test_what_else_is_gathered(
    monkeypatch: pytest.MonkeyPatch, set_env: Callable[..., None]
) -> None:
    since = NOW - timedelta(days=2)
    monkeypatch.setattr(breaker, "shared_state", lambda: BreakerState(NOW, "refused", since))
    monkeypatch.setattr(mail, "failed_at", lambda: since)
    make_user("root", is_superuser=True, date_joined=since)
    make_user("alice", date_joined=since - timedelta(days=9))
    kept.record("manual")
    facts = problems.gather()
    assert (facts.refused_since, facts.refusal_code) == (since, "refused")
    assert facts.begun_at == since
    assert facts.backed_up_at
    assert facts.mail_failed_at is None  # no mail server is configured
    set_env(email_url=SecretStr("smtp://localhost"))
    assert problems.gather().mail_failed_at == since


def test_a_daily_backup_that_failed_is_one_while_it_is_switched_on(
    monkeypatch: pytest.MonkeyPatch, set_env: Callable[..., None]
) -> None:
    failed = Told(at=NOW, kind="no_room", host="nas")
    monkeypatch.setattr(problems, "last_failed", lambda: failed)
    assert problems._failed_backup() is None
    set_env(backup_daily=True)
    assert problems._failed_backup() == failed


@pytest.mark.usefixtures("_real")
def test_without_redis_that_is_the_problem(set_env: Callable[..., None]) -> None:
    set_env(public_url="https://stories.example.org")
    assert codes() == ["redis"]


@pytest.mark.usefixtures("_healthy", "_real")
def test_a_dead_way_beside_a_living_one_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, set_env: Callable[..., None], folder: Path
) -> None:
    set_env(public_url="https://stories.example.org", data_dir=folder)
    make_user("root", is_superuser=True)
    known = {name: WayRecord(name=name) for name in ways.NAMES}
    known["direct"] = WayRecord(name="direct", tries="rrrrr", bad_since=NOW, refused_at=NOW)
    monkeypatch.setattr(ways, "records", lambda _now=None: known)
    monkeypatch.setattr(browser_budget, "left", lambda: 20)
    assert codes() == []
    known["browser"] = WayRecord(name="browser", served_at=NOW)
    assert codes() == ["way_direct"]
    known["direct"] = WayRecord(name="direct", tries="rrrrs", refused_at=NOW)
    assert codes() == []


@pytest.mark.usefixtures("_healthy")
def test_they_are_asked_for_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    now = [100.0]
    monkeypatch.setattr(problems, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def gather() -> Facts:
        asked.append(1)
        return Facts(now=NOW)

    memory = problems.Memory(gather)
    memory.facts(fresh=False)
    now[0] += problems.FRESH_S
    memory.facts(fresh=False)
    assert len(asked) == 1
    now[0] += 1
    memory.facts(fresh=False)
    assert len(asked) == 2
    memory.facts(fresh=True)
    assert len(asked) == 3
    memory.forget()
    memory.facts(fresh=False)
    assert len(asked) == 4


@pytest.mark.usefixtures("_healthy", "_real")
def test_hidden_ones_are_apart(
    monkeypatch: pytest.MonkeyPatch, set_env: Callable[..., None]
) -> None:
    set_env(public_url=None)
    asked = []

    def hidden(given: list[str]) -> frozenset[str]:
        asked.append(given)
        return frozenset({"plain_http"})

    monkeypatch.setattr(hidden_problems, "hidden", hidden)
    found = problems.find_problems(ask(SERVER_NAME="nas.local"), fresh=True)
    assert [problem.code for problem in found.shown] == ["no_public_url"]
    assert [problem.code for problem in found.hidden] == ["plain_http"]
    assert asked == [["plain_http", "no_public_url"]]


@pytest.mark.usefixtures("_healthy")
def test_nobody_outside_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(breaker, "shared_state", lambda: None)
    assert problems.gather()


def test_a_redis_that_goes_away_between_two_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise RedisUnavailable

    since = NOW - timedelta(days=2)
    monkeypatch.setattr(breaker, "shared_state", lambda: BreakerState(NOW, "refused", since))
    monkeypatch.setattr(processes, "running", away)
    facts = problems.gather()
    assert (facts.refused_since, facts.other_versions) == (since, ())
