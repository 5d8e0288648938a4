"""The operations dashboard: counts, workers and outcomes, with and without Redis."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, get_args
from uuid import uuid4

import pytest
from django.utils import timezone, translation

from jobs.ephemeral import connection, progress
from jobs.ephemeral.progress import ItemProgress
from jobs.files import capacity
from jobs.models import Package
from jobs.ops import dashboard
from jobs.ops.dashboard import QueueDepth
from jobs.upstream import page_identity, site_clock
from tests.factories import make_item, make_job
from tests.unit.jobs.ops.instances import make_running, make_settled, stand_in_for_redis

pytestmark = pytest.mark.django_db


def test_the_queue() -> None:
    now = timezone.now()
    job = make_job()
    make_item(job, asked_at=now - timedelta(minutes=9))
    retried = now - timedelta(minutes=20)
    make_item(job, asked_at=now - timedelta(days=1), not_before=retried)
    make_item(job, not_before=now + timedelta(minutes=1), error_code="refused")
    make_item(job, not_before=now + timedelta(minutes=1), error_code="upstream_down")
    make_item(job, state="running")
    make_item(job, state="done")
    Package.objects.create(job=job, owner=job.owner)
    depth = dashboard.queue_depth(now)
    assert (depth.due, depth.waiting, depth.waiting_for_tiktok, depth.running, depth.packages) == (
        2, 2, 1, 1, 1,
    )  # fmt: skip
    assert depth.oldest_due_since == retried


def test_who_runs_what(monkeypatch: pytest.MonkeyPatch) -> None:
    mine, lost, late = make_running(stand_in_for_redis(monkeypatch))
    seen = dashboard.read_dashboard(timezone.now())
    assert seen.workers is not None
    assert [
        (worker.name, [line.item_id for line in worker.running]) for worker in seen.workers
    ] == [
        ("worker-1@nas", []),
        ("worker-2@nas", [mine.pk]),
        ("", [lost.pk, late.pk]),
    ]
    assert seen.workers_alive == 2


def test_the_number_of_running_lines_is_that_of_their_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker takes more of a job while the page is being made."""
    stand_in_for_redis(monkeypatch)
    make_item(state="running")
    counted = dashboard.queue_depth

    def later(now: datetime) -> QueueDepth:
        make_item(state="running")
        return counted(now)

    monkeypatch.setattr(dashboard, "queue_depth", later)
    seen = dashboard.read_dashboard(timezone.now())
    assert seen.workers is not None
    assert seen.queue.running == sum(len(worker.running) for worker in seen.workers) == 1


@pytest.mark.parametrize(("wanted", "missing"), [(1, False), (2, False), (3, True)])
def test_fewer_workers_than_there_should_be(
    monkeypatch: pytest.MonkeyPatch, set_env: Callable[..., None], wanted: int, missing: bool
) -> None:
    make_running(stand_in_for_redis(monkeypatch))
    set_env(workers=wanted)
    seen = dashboard.read_dashboard(timezone.now())
    assert (seen.workers_alive, seen.workers_wanted, seen.workers_missing) == (2, wanted, missing)


def test_failures_by_code_and_hour() -> None:
    now = timezone.now()
    make_settled(now)
    outcomes = dashboard.recent_outcomes(now)
    assert (outcomes.settled, outcomes.failed) == (5, 3)
    assert outcomes.codes == (("gone", 2), ("upstream_down", 1))
    assert len(outcomes.hours) == dashboard.WINDOW_HOURS
    assert [(hour.succeeded, hour.failed) for hour in outcomes.hours[-4:]] == [
        (1, 2),
        (0, 0),
        (0, 0),
        (1, 1),
    ]


def test_today_and_the_week() -> None:
    now = timezone.now()
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    for at, state, code in (
        (midnight, "done", ""), (midnight, "partial", "gone"), (now, "failed", "gone"),
        (now, "empty", ""), (now, "cancelled", "cancelled"), (now, "failed", "unsupported_link"),
        (midnight - timedelta(seconds=1), "failed", "refused"),
        (now - timedelta(days=8), "failed", "refused"),
    ):  # fmt: skip
        make_item(state=state, error_code=code, settled_at=at)
    assert dashboard.today(now) == dashboard.Today(saved=2, failed=2)
    outcomes = dashboard.recent_outcomes(now)
    begin = dashboard.week_begin(outcomes)
    assert dashboard.WEEK - timedelta(hours=1) <= now - begin <= dashboard.WEEK
    assert dashboard.failures_by_code(begin, outcomes.until) == (("gone", 2), ("refused", 1))


def test_what_was_no_link_to_a_story_is_no_failure() -> None:
    now = timezone.now()
    for code in ("unsupported_link", "not_understood", "advert"):
        make_item(state="failed", error_code=code, settled_at=now)
    outcomes = dashboard.recent_outcomes(now)
    assert (outcomes.settled, outcomes.failed, outcomes.codes) == (0, 0, ())
    assert dashboard.today(now).failed == 0
    assert dashboard.failures_by_code(now - timedelta(hours=1), outcomes.until) == ()


def test_without_redis_and_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise FileNotFoundError

    monkeypatch.setattr(capacity, "measure", away)
    seen = dashboard.read_dashboard(timezone.now())
    assert (seen.workers, seen.sweep, seen.disk, seen.workers_alive) == (None, None, None, 0)


@pytest.mark.parametrize(
    ("ahead_s", "said"),
    [
        (None, None),
        (100.0, None),
        (172_800.0, "This server's clock is 2 days ahead of TikTok's"),
        (-7_300.0, "This server's clock is 2 h behind TikTok's"),
    ],
)
def test_what_tiktok_sees_of_this_server(
    monkeypatch: pytest.MonkeyPatch, ahead_s: float | None, said: str | None
) -> None:
    stand_in_for_redis(monkeypatch)
    monkeypatch.setattr(site_clock, "ahead_s", lambda: ahead_s)
    monkeypatch.setattr(page_identity, "in_use", lambda: "plain")
    seen = dashboard.read_dashboard(timezone.now())
    assert seen.identity == "plain"
    assert (seen.clock_difference and str(seen.clock_difference)) == said


def test_read_many(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job()

    class Server:
        """Answers a pipeline."""

        def __enter__(self) -> Server:
            return self

        def __exit__(self, *_: object) -> None: ...

        def pipeline(self, *, transaction: bool) -> Server:
            assert not transaction
            return self

        def hgetall(self, _key: str) -> None: ...

        def execute(self) -> list[dict[str, str]]:
            return [{"a": json.dumps({"phase": "found", "worker": "w"}), "b": "nonsense"}]

    monkeypatch.setattr(progress, "execute", lambda question: question(Server()))
    assert progress.read_many([job.pk]) == {"a": ItemProgress(phase="found", worker="w")}
    assert progress.read_many([]) == {}

    def away(_: Any) -> None:
        raise connection.RedisUnavailable

    monkeypatch.setattr(progress, "execute", away)
    assert progress.read_many([job.pk]) == {}


def test_every_phase_has_words() -> None:
    assert set(dashboard.PHASES) == set(get_args(progress.Phase))
    line = dashboard.RunningLine(
        item_id=uuid4(), owner="alice", claimed_at=None, attempt=1,
        progress=progress.ItemProgress(phase="looking_up"),
    )  # fmt: skip
    with translation.override("de"):
        assert line.phase == "Wird gesucht"
    assert replace(line, progress=None).phase == ""


def test_answers_that_cannot_be_read_are_counted_with_what_the_last_one_lacks() -> None:
    now = timezone.now()
    assert dashboard.unreadable_answers(now - timedelta(days=1)) == (0, "")
    for minutes, code, detail in (
        (9, "upstream_changed", "itemList is not a list"),
        (5, "upstream_changed", "@somebody: userInfo.user is missing"),
        (2, "gone", "it is over"),
        (2000, "upstream_changed", "long ago"),
    ):
        make_item(
            state="failed",
            error_code=code,
            error_detail=detail,
            settled_at=now - timedelta(minutes=minutes),
        )
    count, missing = dashboard.unreadable_answers(now - timedelta(days=1))
    assert (count, missing) == (2, "@…: userInfo.user is missing")
