"""Five hundred lines of three people at once: fair, flat, and all of them settle."""

from __future__ import annotations

import time
from typing import Final

import pytest

from tests.chaos import gauges
from tests.chaos.conftest import Report, Start
from tests.chaos.gauges import Series
from tests.chaos.ledger import Ledger
from tests.fake_tiktok import FakeTikTok

LINES: Final = {"alice": 300, "bob": 150, "carol": 50}
FAIR_WITHIN: Final = 8
"""By so many lines one of those who wait may be ahead of another."""
MOST_GROWTH_MIB: Final = 40.0


@pytest.fixture
def tiktok() -> FakeTikTok:
    """Small pages: what is tried here is not their size."""
    return FakeTikTok(page_bytes=60_000)


def test_five_hundred_lines(start: Start, tiktok: FakeTikTok, report: Report) -> None:
    instance = start(batch_max="300")
    ledger = Ledger(instance, tiktok)
    for owner, count in LINES.items():
        accounts = [tiktok.account(f"{owner}.{number}") for number in range(count)]
        for account in accounts:
            account.photo(size=(90, 160))
        ledger.submit(owner, *accounts)
    began = time.monotonic()
    series = Series()
    while instance.database.count("jobs_job", "settled_at IS NULL"):
        series.add(gauges.measure(instance))
        time.sleep(0.5)
        assert time.monotonic() - began < 300, instance.output[-3000:]
    took = time.monotonic() - began
    worker = series.values("worker MiB")
    report(
        f"{sum(LINES.values())} lines of three people",
        f"{took:.0f} s, worker {min(worker):.0f} to {max(worker):.0f} MiB",
    )
    assert _most_ahead(instance.database.rows(CLAIMED)) <= FAIR_WITHIN
    middle = worker[len(worker) // 2 :]
    assert max(middle) - min(middle) < MOST_GROWTH_MIB
    ledger.check()


CLAIMED: Final = (
    "SELECT u.username FROM jobs_item i JOIN auth_user u ON u.id = i.owner_id ORDER BY i.claimed_at"
)


def _most_ahead(claimed: list[dict[str, str]]) -> int:
    """How many more lines of one who waits were begun than of another who did, at worst.

    The first lines were claimed before the others had submitted, and are not counted.
    """
    begun = dict.fromkeys(LINES, 0)
    names = [row["username"] for row in claimed]
    first = names.index("carol")
    for name in names[:first]:
        begun[name] += 1
    left = {name: LINES[name] - begun[name] for name in LINES}
    turns = dict.fromkeys(LINES, 0)
    worst = 0
    for name in names[first:]:
        turns[name] += 1
        left[name] -= 1
        waiting = [turns[other] for other, lines in left.items() if lines > 0]
        if waiting:
            worst = max(worst, max(waiting) - min(waiting))
    return worst
