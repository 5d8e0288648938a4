"""The tasks of watching: a message comes twice, late, or to somebody who cannot act on it."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from jobs import tasks
from jobs.fetching import looking
from jobs.models import Watch
from jobs.queue import shutdown
from jobs.queue.look_ups import look_ups
from jobs.watching import looks
from jobs.watching.looks import Look
from tests.unit.jobs.conftest import Broker
from tests.unit.jobs.watching.making import watching

pytestmark = pytest.mark.django_db


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Look]:
    """The looks that were made."""
    seen: list[Look] = []
    monkeypatch.setattr(looking, "run", seen.append)
    return seen


def look_at(watch: Watch) -> None:
    tasks.look(str(watch.account_id))
    watch.refresh_from_db()


def test_a_message_that_comes_twice_makes_one_look(made: list[Look]) -> None:
    watch = watching()
    look_at(watch)
    look_at(watch)
    assert [look.account_id for look in made] == [watch.account_id]


def test_the_minute_sends_for_what_is_due(broker: Broker) -> None:
    watch = watching()
    tasks.watch()
    assert str(watch.account_id) in str(broker.sent)


def test_a_bug_is_logged_and_not_tried_again_at_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(_: Look) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(looking, "run", crash)
    watch = watching()
    with caplog.at_level(logging.ERROR):
        look_at(watch)
    assert "ZeroDivisionError" in caplog.text
    assert (watch.failures, watch.error_code) == (1, "internal")
    assert looks.due(timezone.now()) == []


def test_while_the_database_is_away_a_look_is_left_to_the_next_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(_: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(looks, "claim", away)
    with caplog.at_level(logging.WARNING):
        look_at(watching())
    assert "next time" in caplog.text


def test_a_worker_that_ends_or_has_no_place_makes_no_look(
    made: list[Look], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = watching(next_at=timezone.now() - timedelta(hours=1))
    monkeypatch.setattr(look_ups, "begin", lambda: None)
    look_at(watch)
    monkeypatch.undo()
    shutdown.shutdown_requested.set()
    try:
        look_at(watch)
    finally:
        shutdown.shutdown_requested.clear()
    assert made == []
    assert looks.due(timezone.now()) == [watch.account_id]
