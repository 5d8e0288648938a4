"""The two health addresses: what each looks at, and what it never gives away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from jobs.ephemeral import heartbeats
from jobs.files import disk
from jobs.ops import readiness
from tests.factories import make_item
from tests.memory import redis_stays_away
from webapp import health


@pytest.fixture
def _redis_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(readiness.PROBES, "redis", lambda: "")


def report(client: Client) -> tuple[int, dict[str, bool]]:
    """The status, and which part works."""
    answer = client.get("/health/ready")
    body = answer.json()
    assert set(body) == {"ok", "parts", "workers"}
    parts = {name: part["ok"] for name, part in body["parts"].items()}
    for part in body["parts"].values():
        assert set(part) == ({"ok"} if part["ok"] else {"ok", "reason"})
    assert body["ok"] == all(parts.values()) == (answer.status_code == 200)
    return answer.status_code, parts


@pytest.mark.django_db
def test_ready_counts_the_workers_and_goes_on_without_some(
    client: Client, monkeypatch: pytest.MonkeyPatch, set_env: Callable[..., None]
) -> None:
    monkeypatch.setitem(readiness.PROBES, "redis", lambda: "")
    monkeypatch.setattr(heartbeats, "alive", lambda: ["worker-1@nas"])
    set_env(workers=2)
    assert report(client)[0] == 200
    assert client.get("/health/ready").json()["workers"] == {"alive": 1, "wanted": 2}


@pytest.mark.django_db
def test_one_thread_looks_and_who_asks_meanwhile_does_not_wait(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on = threading.Event(), threading.Event()

    def slow() -> str:
        began.set()
        assert go_on.wait(20)
        return "away"

    monkeypatch.setattr(health, "PROBES", {"redis": lambda: ""})
    assert client.get("/health/ready").status_code == 200
    monkeypatch.setattr(health, "PROBES", {"redis": slow})
    statuses: list[int] = []
    first = threading.Thread(
        target=lambda: statuses.append(Client().get("/health/ready").status_code)
    )
    first.start()
    assert began.wait(20)
    assert client.get("/health/ready").status_code == 200
    go_on.set()
    first.join(20)
    assert statuses == [503]


@pytest.mark.django_db
def test_nobody_knows_of_workers_while_redis_is_away(client: Client) -> None:
    assert client.get("/health/ready").json()["workers"] == {"alive": None, "wanted": 1}


def test_live_asks_nothing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """No database either: the test has none."""
    monkeypatch.setattr(disk, "free_bytes", lambda: pytest.fail("looked at the disk"))
    answer = client.get("/health/live")
    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    assert client.head("/health/live").status_code == 200
    assert client.post("/health/live").status_code == 405


@pytest.mark.django_db
@pytest.mark.usefixtures("_redis_up")
def test_ready_when_everything_works(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    assert report(client) == (
        200,
        {"database": True, "migrations": True, "redis": True, "disk": True, "queue": True},
    )
    with django_assert_max_num_queries(8):  # that the schema is current is found out once
        report(client)


@pytest.mark.django_db
def test_redis_away(client: Client) -> None:
    redis_stays_away()
    status, parts = report(client)
    assert status == 503
    working = {"database": True, "migrations": True, "disk": True, "queue": True}
    assert parts == working | {"redis": False}


@pytest.mark.django_db
@pytest.mark.usefixtures("_redis_up")
def test_a_due_line_that_nobody_takes(client: Client) -> None:
    """As while the worker hangs, or is not there."""
    make_item(asked_at=timezone.now() - timedelta(hours=1))
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["parts"]["queue"] == {"ok": False, "reason": "nobody_takes"}


@pytest.mark.django_db
@pytest.mark.usefixtures("_redis_up")
def test_no_room_left(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda: -1)
    assert report(client)[1]["disk"] is False


@pytest.mark.django_db
@pytest.mark.usefixtures("_redis_up")
def test_the_disk_is_away(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> int:
        raise FileNotFoundError("/srv/secret/place")

    monkeypatch.setattr(disk, "free_bytes", away)
    status, parts = report(client)
    assert (status, parts["disk"]) == (503, False)
    assert b"secret" not in client.get("/health/ready").content


@pytest.mark.django_db
@pytest.mark.usefixtures("_redis_up")
def test_the_database_is_away(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise OperationalError("password of someone at db.example is wrong")

    monkeypatch.setattr(readiness.migrations, "done", False)
    with monkeypatch.context() as broken:
        broken.setattr(connection, "cursor", away)
        answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["parts"]["database"] == {"ok": False, "reason": "away"}
    assert b"example" not in answer.content


@pytest.mark.django_db
@pytest.mark.usefixtures("_redis_up")
def test_a_schema_that_is_behind(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    behind = readiness._Migrations()
    monkeypatch.setitem(readiness.PROBES, "migrations", behind)
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda *_: [("jobs", "0099_later")])
    assert report(client)[1]["migrations"] is False
    monkeypatch.undo()
    assert behind() == ""


@pytest.mark.django_db
@pytest.mark.usefixtures("_redis_up")
def test_a_database_that_is_away_is_not_waited_for_twice(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(readiness.PROBES, "database", lambda: "away")
    monkeypatch.setitem(readiness.PROBES, "queue", lambda: pytest.fail("asked once more"))
    parts = client.get("/health/ready").json()["parts"]
    assert parts["queue"] == parts["database"] == {"ok": False, "reason": "away"}


@pytest.mark.django_db
@pytest.mark.usefixtures("_redis_up")
def test_who_asks_while_a_part_hangs_is_told_which(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that does not answer holds the thread that looks, and none of those that ask."""
    entered, answers = threading.Event(), threading.Event()

    def hang() -> str:
        entered.set()
        answers.wait(30)
        return ""

    assert client.get("/health/ready").status_code == 200
    monkeypatch.setattr(health, "PROBES", {"disk": hang})
    monkeypatch.setattr(health._Last, "seen_at", float("-inf"))
    looking = threading.Thread(target=health._report)
    looking.start()
    assert entered.wait(30)
    health._Last.began_at -= health.FRESH_S
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["parts"]["disk"] == {"ok": False, "reason": "away"}
    assert answer.json()["parts"]["redis"] == {"ok": True}
    answers.set()
    looking.join(30)
    assert client.get("/health/ready").json()["parts"] == {"disk": {"ok": True}}
