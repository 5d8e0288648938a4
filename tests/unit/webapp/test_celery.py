"""The Celery app: what the schedule and the routes name, and what the worker's hooks do."""

from __future__ import annotations

from typing import Any

import pytest
from celery import signals

from jobs.fetching import bridge
from jobs.housekeeping import traces
from jobs.queue import broker, dispatch, routing, shutdown
from webapp import celery
from webapp.celery import app
from webapp.processes import pulse, side_queue


@pytest.fixture(scope="module", autouse=True)
def _registry() -> None:
    app.loader.import_default_modules()


def test_every_name_the_routes_know_is_registered() -> None:
    assert set(app.conf.task_routes) <= set(app.tasks)


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        (broker.FETCH_ITEM, None),
        (broker.PACK_PACKAGE, routing.SIDE_QUEUE),
        (routing.REPAIR, routing.SIDE_QUEUE),
        (routing.SWEEP, routing.SIDE_QUEUE),
    ],
)
def test_only_fetching_goes_to_the_queue_of_the_pool(task: str, queue: str | None) -> None:
    assert app.conf.task_routes.get(task, {}).get("queue") == queue
    assert app.conf.task_default_queue == routing.POOL_QUEUE


def test_a_message_is_taken_by_a_worker_that_can_act_on_it_and_read_as_data_alone() -> None:
    assert app.conf.worker_disable_prefetch
    assert not app.conf.task_acks_late
    assert app.conf.accept_content == ["json"]


def test_no_connection_is_held_that_nobody_uses() -> None:
    """One for broadcasts is idle for hours, until a gateway forgets it."""
    assert not app.conf.worker_enable_remote_control
    assert not app.conf.worker_send_task_events


def test_a_frozen_redis_holds_the_loop_for_much_less_than_a_hang_is_taken_for() -> None:
    options = app.conf.broker_transport_options
    assert options["socket_timeout"] * 4 < pulse.SILENT_AFTER_S
    assert options["socket_keepalive"]
    assert options["health_check_interval"] <= 15


def test_the_worker_asks_for_messages_on_and_on_once_a_task_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    later: list[float] = []

    class Loop:
        def call_soon(self, act: Any, *args: Any) -> None:
            act(*args)

        def call_later(self, delay_s: float, act: Any) -> None:
            act()
            later.append(delay_s)

    monkeypatch.setattr(celery, "get_event_loop", Loop)
    signals.task_postrun.send(sender=None)
    assert later == list(celery.POLL_DELAYS_S)
    assert later == sorted(set(later))


@pytest.mark.django_db
def test_a_task_that_ends_without_a_loop_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(celery, "get_event_loop", lambda: None)
    for _, answer in signals.task_postrun.send(sender=None):
        assert not isinstance(answer, Exception)


def test_a_worker_that_is_asked_to_end_lets_go_of_what_it_holds() -> None:
    assert not shutdown.shutdown_requested.is_set()
    try:
        signals.worker_shutting_down.send(sender=None, sig="SIGTERM", how="Warm", exitcode=0)
        assert shutdown.shutdown_requested.is_set()
    finally:
        shutdown.shutdown_requested.clear()


def test_what_was_released_is_sent_when_nothing_runs_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[str] = []

    class Kept:
        def close_idle(self, idle_s: float) -> None:
            calls.append(f"connections idle for {idle_s} s")

    monkeypatch.setattr(side_queue, "shutdown", lambda: calls.append("side queue"))
    monkeypatch.setattr(bridge, "stop", lambda: calls.append("transfers"))
    monkeypatch.setattr(celery, "kept", Kept())
    monkeypatch.setattr(dispatch, "dispatch", lambda: calls.append("dispatch"))
    monkeypatch.setattr(traces, "leave_none", lambda: calls.append("no traces"))
    signals.worker_shutdown.send(sender=None)
    assert calls == [
        "side queue",
        "transfers",
        "connections idle for 0 s",
        "dispatch",
        "no traces",
    ]
