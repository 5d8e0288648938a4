"""The rows behind a snapshot: whose they are, and that no query reads a growing table whole."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.queries import job_rows
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

pytestmark = pytest.mark.django_db


def test_lines_and_jobs_are_the_owners_alone() -> None:
    alice, bob = make_user("alice"), make_user("bob")
    job = make_job(alice, links=2)
    assert [row[0] for row in job_rows.lines([job.pk], alice)] == [job.pk, job.pk]
    assert [row[0] for row in job_rows.jobs([job.pk], alice)] == [job.pk]
    for stranger in (bob, make_user("admin", is_superuser=True), AnonymousUser()):
        assert job_rows.lines([job.pk], stranger) == []
        assert job_rows.jobs([job.pk], stranger) == []


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the plan is SQLite's")
def test_no_query_reads_a_growing_table_whole() -> None:
    alice = make_user("alice")
    job = make_job(alice)
    story = make_story(make_item(job))
    make_artifact(story)
    # Jobs being forgotten have an index of their own, and are few.
    ids = r"\((job_id|item_id|id)=\?( AND state=\?)?\)( LEFT-JOIN)?$|INDEX job_erased "
    asked: list[tuple[str, Callable[[], Any]]] = [
        (ids, lambda: job_rows.lines([job.pk], alice)),
        (ids, lambda: job_rows.jobs([job.pk], alice)),
        (ids, lambda: job_rows.bundles([job.pk])),
        (ids, lambda: job_rows.stories([job.pk])),
        (ids, lambda: job_rows.files([job.pk])),
        # Of the queue, those that wait: so many are ahead at most.
        (rf"{ids}|\(state=\?", lambda: job_rows.turns_ahead(job.pk, alice, timezone.now())),
    ]
    for found_by, ask in asked:
        with CaptureQueriesContext(connection) as queries:
            ask()
        (query,) = queries
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN QUERY PLAN " + query["sql"])
            plan = [row[3] for row in cursor.fetchall()]
        reads = [step for step in plan if step.startswith(("SCAN", "SEARCH"))]
        assert reads
        unbounded = [step for step in reads if not re.search(found_by, step)]
        assert not unbounded, (query["sql"], plan)
