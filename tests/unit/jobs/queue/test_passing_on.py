"""A worker that cannot use the database hands messages on, and rests until it can."""

from __future__ import annotations

import logging
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError

from jobs import tasks
from jobs.queue import passing_on, routing, shutdown
from tests.unit.jobs.conftest import Broker

ROW = uuid4()


@pytest.fixture(autouse=True)
def looks(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What the next looks at the database find, the last one first; each thread's rest is short."""
    found = [True]
    monkeypatch.setattr(passing_on, "REST_S", 0.0)
    monkeypatch.setattr(passing_on, "_answers", found.pop)
    monkeypatch.setattr(passing_on._failing, "_flag", False)
    return found


def gone(*_: object) -> None:
    raise OperationalError("connection refused")


@pytest.mark.parametrize(
    ("task", "name", "where"),
    [
        (tasks.fetch_item, routing.FETCH_ITEM, "claim_next"),
        (tasks.fetch_item, routing.FETCH_ITEM, "look_ups.begin"),
        (tasks.pack_package, routing.PACK_PACKAGE, "_claim_package"),
    ],
)
def test_its_message_is_anothers_turn(
    broker: Broker,
    looks: list[bool],
    monkeypatch: pytest.MonkeyPatch,
    task: Callable[[str], None],
    name: str,
    where: str,
) -> None:
    looks[:] = [True, False, False]
    monkeypatch.setattr(f"jobs.tasks.{where}", gone)
    task(str(ROW))
    assert (broker.sent, broker.tasks) == ([ROW], [name])
    assert looks == [], "it takes nothing else until the database answers"


def test_the_log_says_it_once(
    broker: Broker, looks: list[bool], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "jobs")
    looks[:] = [True, False]
    shutdown.shutdown_requested.set()  # no look yet
    for number in (1, 2):
        passing_on.pass_on(routing.FETCH_ITEM, UUID(int=number), OperationalError("refused"))
    shutdown.shutdown_requested.clear()
    passing_on.pass_on(routing.FETCH_ITEM, UUID(int=3), OperationalError("refused"))
    assert [record.getMessage() for record in caplog.records] == [
        "the database cannot be used, lines are passed on: refused",
        "the database answers again",
    ]
    assert len(broker.sent) == 3


def test_a_process_that_is_to_end_does_not_wait(broker: Broker, looks: list[bool]) -> None:
    looks.clear()
    shutdown.shutdown_requested.set()
    passing_on.pass_on(routing.FETCH_ITEM, ROW, OperationalError("refused"))
    assert broker.sent == [ROW]
