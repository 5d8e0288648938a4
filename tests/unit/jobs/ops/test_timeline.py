"""The timeline of a job or line, from its rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from jobs.models import Package
from jobs.ops import timeline
from jobs.ops.timeline import TimelineEntry
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def texts(entries: list[TimelineEntry]) -> list[str]:
    return [
        f"{'> ' if entry.upcoming else ''}{entry.text} {entry.code}".strip().replace("\u00a0", " ")
        for entry in entries
    ]


def test_a_line_from_beginning_to_end(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    item = make_item(
        state=ItemState.PARTIAL, error_code="media_unavailable", attempt=2,
        created_at=ago(hours=5), asked_at=ago(hours=3), claimed_at=ago(hours=2),
        settled_at=ago(minutes=90),
    )  # fmt: skip
    story = make_story(item, media_count=2, captured_at=ago(minutes=100))
    make_artifact(story, size_bytes=2_000_000, removed_at=ago(minutes=10))
    make_artifact(story, size_bytes=3_000_000, expires_at=NOW + timedelta(minutes=20))
    make_story(item)  # not saved at all
    with django_assert_num_queries(3):
        entries = timeline.of_item(item, NOW)
    assert texts(entries) == [
        "submitted",
        "asked for again",
        "attempt 2 began",
        "story 1: 2 of 2 files saved",
        "partly done media_unavailable",
        "1 file deleted, 2.0 MB",
        "> 1 file will be deleted, 3.0 MB",
    ]


def test_a_line_that_waits() -> None:
    soon = NOW + timedelta(minutes=5)
    item = make_item(
        error_code="refused", not_before=soon, created_at=ago(minutes=5), asked_at=ago(minutes=5),
        sent_at=ago(minutes=1),
    )  # fmt: skip
    assert texts(timeline.of_item(item, NOW)) == [
        "submitted",
        "handed to the workers",
        "> next attempt refused",
    ]


def test_a_line_in_hand() -> None:
    item = make_item(
        state=ItemState.RUNNING, created_at=ago(minutes=5), asked_at=ago(minutes=5),
        claimed_at=ago(minutes=4), heartbeat_at=ago(seconds=3),
    )  # fmt: skip
    assert texts(timeline.of_item(item, NOW)) == [
        "submitted",
        "attempt 1 began",
        "worker last seen",
    ]


def test_a_job(
    django_assert_num_queries: DjangoAssertNumQueries, set_env: Callable[..., None]
) -> None:
    job = make_job(created_at=ago(hours=2), settled_at=ago(hours=1))
    make_item(job, state=ItemState.DONE, claimed_at=ago(minutes=110), settled_at=ago(minutes=100))
    make_item(job, state=ItemState.FAILED, error_code="gone", settled_at=ago(minutes=60))
    make_item(job, not_before=NOW + timedelta(hours=1), error_code="upstream_down")
    Package.objects.create(job=job, owner=job.owner, created_at=ago(minutes=30))
    make_artifact(job=job, expires_at=NOW + timedelta(hours=2), size_bytes=1000)
    with django_assert_num_queries(3):
        entries = timeline.of_job(job, NOW)
    assert texts(entries) == [
        "submitted, 3 lines",
        "the first line began",
        "line 1: done",
        "line 2: failed gone",
        "finished",
        "ZIP requested: queued",
        "> line 3: next attempt upstream_down",
        "> 1 file will be deleted, 1 kB",
        "> this record is deleted",
    ]
    set_env(job_retention=timedelta())
    assert "> this record is deleted" not in texts(timeline.of_job(job, NOW))


def test_two_lines_that_settle_at_once() -> None:
    """Whichever of the two closes the job does so with its own time, be it the earlier one."""
    job = make_job(created_at=ago(minutes=2), settled_at=ago(seconds=30))
    make_item(job, state=ItemState.DONE, claimed_at=ago(minutes=1), settled_at=ago(seconds=29))
    make_item(job, state=ItemState.DONE, claimed_at=ago(minutes=1), settled_at=ago(seconds=30))
    assert texts(timeline.of_job(job, NOW)) == [
        "submitted, 2 lines",
        "the first line began",
        "line 2: done",
        "line 1: done",
        "finished",
        "> this record is deleted",
    ]


def test_things_at_one_time_are_told_in_their_order() -> None:
    at = ago(minutes=1)
    job = make_job(created_at=at, settled_at=at)
    item = make_item(
        job, state=ItemState.DONE, attempt=1, created_at=at, asked_at=at, claimed_at=at,
        settled_at=at,
    )  # fmt: skip
    make_artifact(make_story(item, captured_at=at), size_bytes=1000, removed_at=at)
    assert texts(timeline.of_item(item, NOW)) == [
        "submitted",
        "attempt 1 began",
        "story 1: 1 of 1 file saved",
        "done",
        "1 file deleted, 1 kB",
    ]
    assert texts(timeline.of_job(job, NOW)) == [
        "submitted, 1 line",
        "the first line began",
        "line 1: done",
        "finished",
        "1 file deleted, 1 kB",
        "> this record is deleted",
    ]


def test_what_a_watch_found_was_asked_for_by_nobody() -> None:
    at = ago(minutes=1)
    item = make_item(created_at=at, asked_at=at + timedelta(hours=20), look_id=uuid4())
    assert texts(timeline.of_item(item, NOW))[0] == "found by a watch"
    assert "asked for again" not in " ".join(texts(timeline.of_item(item, NOW)))
