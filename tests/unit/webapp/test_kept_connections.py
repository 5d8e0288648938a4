"""Connections of the worker's threads: kept while tasks come, closed when none does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections

from webapp.celery import app
from webapp.kept_connections import IDLE_S, TRUSTED_S, KeptConnections

pytestmark = pytest.mark.django_db(transaction=True)


class Clock:
    """Seconds that go forward when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(clock: Clock) -> KeptConnections:
    return KeptConnections(clock)


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    """A pool of one thread; what it connected is closed."""
    with ThreadPoolExecutor(1) as pool:
        yield pool
        pool.submit(connections.close_all).result(20)


def task(kept: KeptConnections, act: Callable[[], Any] = lambda: None) -> tuple[Any, list[str]]:
    """One task: the connection it had, and the statements it sent."""
    sent: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        sent.append(sql)
        return execute(sql, *rest)

    kept.begin()
    try:
        with connection.execute_wrapper(note):
            with connection.cursor() as cursor:
                cursor.execute("SELECT 17")
            act()
        return connection.connection, sent
    finally:
        kept.end()


def test_celery_closes_none() -> None:
    """Before and after each task it would, unless so many tasks are to share one."""
    assert app.conf.get("CELERY_DB_REUSE_MAX") > 10**15


def test_the_next_task_has_the_connection_of_the_last(
    kept: KeptConnections, thread: ThreadPoolExecutor
) -> None:
    first, _ = thread.submit(task, kept).result(20)
    second, sent = thread.submit(task, kept).result(20)
    assert second is first
    assert sent == ["SELECT 17"]


def test_a_connection_that_rested_is_asked_whether_it_works(
    kept: KeptConnections, thread: ThreadPoolExecutor, clock: Clock
) -> None:
    thread.submit(task, kept).result(20)
    asked: list[bool] = []

    def rest() -> None:
        own = connections["default"]
        usual = own.is_usable
        own.is_usable = lambda: asked.append(True) or usual()  # type: ignore[func-returns-value, method-assign]

    thread.submit(rest).result(20)
    thread.submit(task, kept).result(20)
    assert asked == []
    clock.now += TRUSTED_S
    thread.submit(task, kept).result(20)
    assert asked == [True]


def test_one_without_a_task_for_long_is_closed_from_outside(
    kept: KeptConnections, thread: ThreadPoolExecutor, clock: Clock
) -> None:
    first, _ = thread.submit(task, kept).result(20)
    clock.now += IDLE_S - 1
    assert kept.close_idle() == 0
    clock.now += 1
    assert kept.close_idle() == 1
    assert kept.close_idle() == 0
    second, _ = thread.submit(task, kept).result(20)
    assert second is not first


def test_one_with_a_task_is_left_alone(
    kept: KeptConnections, thread: ThreadPoolExecutor, clock: Clock
) -> None:
    thread.submit(task, kept).result(20)
    working, over = threading.Event(), threading.Event()

    def work() -> None:
        working.set()
        assert over.wait(20)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 17")

    running = thread.submit(task, kept, work)
    assert working.wait(20)
    clock.now += 10 * IDLE_S
    assert kept.close_idle(0) == 0
    over.set()
    running.result(20)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="has no server that might go")
def test_one_that_its_server_closed_is_replaced(
    kept: KeptConnections, thread: ThreadPoolExecutor, clock: Clock
) -> None:
    first, _ = thread.submit(task, kept).result(20)
    first.close()
    clock.now += TRUSTED_S
    second, _ = thread.submit(task, kept).result(20)
    assert second is not first
