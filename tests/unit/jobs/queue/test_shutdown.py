"""Shutdown: one request that reaches everyone, and an exception that settles nothing."""

from __future__ import annotations

import runpy
import threading

from celery import signals

from jobs.fetching import pipeline
from jobs.queue import in_hand, look_ups, shutdown
from jobs.queue.shutdown import ShutdownRequested
from jobs.zips import packing
from stories.errors import StoriesError
from webapp import celery


def test_a_process_begins_without_a_request() -> None:
    assert shutdown.__file__
    fresh = runpy.run_path(shutdown.__file__)
    assert not fresh["shutdown_requested"].is_set()


def test_a_worker_that_is_asked_to_end_asks_all_its_threads() -> None:
    assert celery.app  # with its hooks
    answers: list[bool] = []
    thread = threading.Thread(
        target=lambda: answers.append(shutdown.shutdown_requested.wait(30)), daemon=True
    )
    thread.start()
    signals.worker_shutting_down.send(sender=None, sig="TERM", how="Warm", exitcode=0)
    thread.join(30)
    assert answers == [True]


def test_whoever_looks_for_the_request_looks_at_the_same_one() -> None:
    looking = {module.shutdown_requested for module in (in_hand, look_ups, pipeline, packing)}
    assert looking == {shutdown.shutdown_requested}


def test_letting_go_is_no_error_of_a_line_and_no_end_of_the_process() -> None:
    assert not issubclass(ShutdownRequested, StoriesError)
    assert issubclass(ShutdownRequested, Exception)
