"""The names that messages bear, and the queues they go into."""

from __future__ import annotations

from jobs.queue import routing
from webapp.celery import app


def test_every_name_is_a_task_of_the_worker() -> None:
    app.loader.import_default_modules()
    ours = {name for name in app.tasks if name.startswith(("jobs.", "webapp."))}
    pool = {routing.FETCH_ITEM, routing.LOOK}
    assert {*pool, *routing.SIDE_TASKS, routing.SCRUB} == ours


def test_all_that_is_sent_but_what_asks_tiktok_runs_beside_the_pool() -> None:
    periodic = {
        routing.REPAIR,
        routing.SWEEP,
        routing.WATCH,
        routing.FILL_LIBRARY,
        routing.BACK_UP,
        routing.SEND_NOTICES,
    }
    assert set(routing.SIDE_TASKS) == {routing.PACK_PACKAGE, *periodic}
    assert len({routing.SIDE_QUEUE, routing.POOL_QUEUE}) == 2
