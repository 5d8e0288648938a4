"""The Celery app: what the schedule and the routes name."""

from __future__ import annotations

import pytest

from webapp.celery import app


@pytest.fixture(scope="module", autouse=True)
def _registry() -> None:
    app.loader.import_default_modules()


def test_every_name_the_schedule_and_the_routes_know_is_registered() -> None:
    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert scheduled | set(app.conf.task_routes) <= set(app.tasks)
