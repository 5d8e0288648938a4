"""The overview's first sentence: the worst that is true, and never more than the numbers say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from jobs.ephemeral.heartbeats import Sweep
from jobs.files.capacity import Capacity
from jobs.ops.dashboard import (
    Dashboard,
    HourlyOutcomes,
    QueueDepth,
    RecentOutcomes,
    Today,
    WorkerStatus,
)
from jobs.ops.headline import BAD, FINE, WARN, headline
from jobs.upstream.breaker import BreakerState
from jobs.upstream.pauses import Pause

NOW = datetime(2026, 11, 28, 10, 30, tzinfo=UTC)
NIGHT = datetime(2026, 11, 28, 2, 0, tzinfo=UTC)
QUIET = Dashboard(
    now=NOW,
    queue=QueueDepth(
        due=0, waiting=0, waiting_for_tiktok=0, running=0, packages=0, oldest_due_since=None
    ),
    workers=(WorkerStatus(name="worker-1@nas", last_seen_at=NOW, running=()),),
    disk=Capacity(used_bytes=1, max_bytes=100, free_bytes=10**13, min_free_bytes=1),
    outcomes=RecentOutcomes(
        settled=0, failed=0, codes=(), hours=(HourlyOutcomes(at=NOW, succeeded=0, failed=0),)
    ),
    breaker=None,
    sweep=Sweep(NOW, {}),
    today=Today(saved=0, failed=0),
)


def pause(at: datetime = NIGHT, waited: int = 0) -> Pause:
    return Pause(since=at, until=at + timedelta(minutes=5), code="refused", waited=waited)


def waiting(n: int) -> QueueDepth:
    return replace(QUIET.queue, waiting=n, waiting_for_tiktok=n)


def failing(failed: int, settled: int) -> RecentOutcomes:
    return replace(QUIET.outcomes, failed=failed, settled=settled)


@pytest.mark.parametrize(
    ("changed", "tone", "text"),
    [
        (
            {"disk_reason": "not_writable"},
            BAD,
            (
                "The disk cannot be written to: nothing is being saved. Links wait and go on by "
                "themselves."
            ),
        ),
        ({}, FINE, "Everything is fine."),
        ({"workers": None}, BAD, "Redis does not answer: nothing new is being saved."),
        (
            {"workers": (), "redis_reason": "refuses"},
            BAD,
            "Redis cannot be written to: nothing new is being saved.",
        ),
        ({"workers": ()}, BAD, "No worker is online: nothing is being saved."),
        (
            {"disk": None},
            BAD,
            (
                "The folder for saved files cannot be found: nothing is being saved. Links wait "
                "and go on by themselves."
            ),
        ),
        (
            {"disk": replace(QUIET.disk, used_bytes=100)},  # type: ignore[type-var]
            BAD,
            "The disk is full: nothing new can be saved.",
        ),
        (
            {"breaker": BreakerState(NOW + timedelta(minutes=4), "refused"), "queue": waiting(2)},
            WARN,
            ("TikTok is refusing this server; 2 links are waiting and will continue on their own."),
        ),
        (
            {"breaker": BreakerState(NOW + timedelta(minutes=4), "refused")},
            WARN,
            "TikTok is refusing this server; no link is waiting.",
        ),
        (
            {
                "breaker": BreakerState(NOW + timedelta(minutes=4), "refused"),
                "queue": replace(QUIET.queue, waiting=1),
            },
            WARN,
            "TikTok is refusing this server; no link is waiting for that.",
        ),
        ({"breaker": BreakerState(NOW - timedelta(minutes=4), "refused")}, FINE, None),
        ({"workers_wanted": 3}, WARN, "Only 1 of 3 workers are online."),
        (
            {"sweep": Sweep(NOW - timedelta(hours=1), {})},
            WARN,
            "The clean-up is overdue: files may stay longer than they should.",
        ),
        ({"clock_ahead_s": 172_800.0}, WARN, "This server's clock is 2 days ahead of TikTok's."),
        ({"pauses": (pause(),)}, FINE, "TikTok slowed us down once last night."),
        (
            {"pauses": (pause(waited=3), pause(waited=1), pause())},
            FINE,
            "TikTok slowed us down 3 times last night; 4 links waited and went on.",
        ),
        (
            {"pauses": (pause(waited=4),), "queue": waiting(1)},
            FINE,
            "TikTok slowed us down once last night; 4 links waited and 1 still waits.",
        ),
        (
            {"pauses": (pause(NOW - timedelta(hours=1)),)},
            FINE,
            "TikTok slowed us down once in the last 24 hours.",
        ),
        (
            {"pauses": (pause(NIGHT - timedelta(hours=12)), pause())},
            FINE,
            "TikTok slowed us down 2 times in the last 24 hours.",
        ),
        ({"now": NOW + timedelta(hours=6), "sweep": None, "pauses": (pause(),)}, FINE, None),
    ],
)
def test_the_worst_that_is_true(changed: dict[str, Any], tone: str, text: str | None) -> None:
    with timezone.override(UTC):
        said = headline(replace(QUIET, **changed))
    assert said.tone == tone
    if text is not None:
        assert said.text == text


def test_a_line_that_nobody_takes() -> None:
    late = replace(QUIET.queue, due=1, oldest_due_since=timezone.now() - timedelta(minutes=12))
    said = headline(replace(QUIET, now=timezone.now(), queue=late))
    assert said.tone == BAD
    assert said.text.replace("\u00a0", " ") == (
        "A link has waited for 12 min although a worker is online."
    )


def test_what_stops_everything_comes_before_what_slows_it() -> None:
    everything = replace(
        QUIET, workers=(), disk=None, sweep=None, pauses=(pause(),), outcomes=failing(3, 5)
    )
    said = headline(everything, problems=4)
    assert (said.text, said.more) == ("No worker is online: nothing is being saved.", "")


def test_nothing_is_said_to_run_while_something_does_not_work() -> None:
    worst = "The database does not work."
    said = headline(replace(QUIET, outcomes=failing(3, 40)), 2, worst)
    assert (said.tone, said.text) == (BAD, worst)
    assert headline(replace(QUIET, workers=()), 2, worst).text.startswith("No worker is online")
    assert headline(replace(QUIET, workers_wanted=3), 2, worst).tone == WARN


def test_failures_are_told_beside_it() -> None:
    said = headline(replace(QUIET, outcomes=failing(3, 40)), problems=2)
    assert said.text == "Everything is running."
    assert said.more == "3 of 40 links failed in the last 24 hours."
    said = headline(replace(QUIET, outcomes=failing(1, 1), pauses=(pause(),)))
    assert said.text.startswith("TikTok slowed us down once")
    assert said.more == "1 of 1 link failed in the last 24 hours."


@pytest.mark.parametrize(
    ("problems", "text"),
    [(1, "Everything is running; 1 thing needs a look."), (0, "Everything is fine.")],
)
def test_nothing_is_fine_while_something_waits_to_be_fixed(problems: int, text: str) -> None:
    assert headline(QUIET, problems).text == text


def test_the_night_is_the_readers() -> None:
    """Two in the morning in London is noon in Auckland… and the middle of their day."""
    told = replace(QUIET, pauses=(pause(),))
    with timezone.override(ZoneInfo("Pacific/Auckland")):
        assert headline(told).text == "TikTok slowed us down once in the last 24 hours."
