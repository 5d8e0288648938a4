"""SIGTERM, power cuts in a row, and parts killed three times in one job."""

from __future__ import annotations

import time

import pytest

from tests.chaos.conftest import Report, Start
from tests.chaos.ledger import Ledger
from tests.chaos.machine import eventually
from tests.chaos.phases import populate
from tests.fake_tiktok import FakeTikTok

LINES = 30


@pytest.mark.short
def test_sigterm_with_thirty_lines_in_flight(
    start: Start, tiktok: FakeTikTok, report: Report
) -> None:
    """All are handed back, and go on at once after the start; no photo is fetched twice."""
    instance = start(item_concurrency=str(LINES))
    ledger = Ledger(instance, tiktok)
    database = instance.database
    accounts = [populate(ledger, f"night.trains{number}") for number in range(LINES)]
    tiktok.fault("video", "slow", bytes_per_s=10_000)
    ledger.submit("alice", *accounts[:15])
    ledger.submit("bob", *accounts[15:])
    eventually(lambda: database.count("jobs_artifact", "role = 'media'") == LINES)
    assert database.count("jobs_item", "state = 'running'") == LINES

    assert instance.stop() == 0
    assert database.count("jobs_item", "state = 'queued' AND tries = 0 AND attempt = 1") == LINES
    assert database.count("jobs_item", "not_before IS NOT NULL") == 0
    assert not list((instance.artifacts / "work").glob("*"))
    tiktok.faults.clear()
    began = time.monotonic()
    instance.start()
    ready_at = time.monotonic()
    ledger.settled()
    report(
        f"SIGTERM with {LINES} lines in flight",
        f"ready after {ready_at - began:.1f} s, over {time.monotonic() - ready_at:.1f} s later",
    )
    assert "requeued and settled" not in instance.output, "nobody waited for a lease to end"
    assert database.count("jobs_item", "attempt = 2") == LINES
    ledger.check(refetched=LINES)
    assert tiktok.count("picture", method="GET") == LINES


def test_the_power_cut_three_times_in_one_job(ledger: Ledger, report: Report) -> None:
    instance, tiktok = ledger.instance, ledger.tiktok
    accounts = [populate(ledger, f"night.trains{number}") for number in range(6)]
    tiktok.fault("video", "slow", bytes_per_s=60_000)
    asked = ledger.submit("alice", *accounts)
    for cut in range(3):
        running = f"state = 'running' AND attempt > {cut}"
        eventually(lambda where=running: instance.database.count("jobs_item", where))  # type: ignore[misc]
        eventually(lambda: tiktok.count("video"), what="a video is arriving")
        tiktok.forget_requests()
        instance.cut_power()
        instance.start()
        instance.end_leases()
        instance.send_periodic()
    tiktok.faults.clear()
    began = time.monotonic()
    ledger.settled(asked)
    report("three power cuts in one job: over after the last start", f"{_since(began):.1f} s")
    ledger.check(refetched=3 * len(accounts))


def test_up_killed_three_times_in_one_job(ledger: Ledger) -> None:
    instance, tiktok = ledger.instance, ledger.tiktok
    accounts = [populate(ledger, f"night.trains{number}") for number in range(6)]
    tiktok.fault("video", "slow", bytes_per_s=60_000)
    ledger.submit("alice", *accounts)
    for _ in range(3):
        eventually(lambda: tiktok.count("video"), what="a video is arriving")
        tiktok.forget_requests()
        instance.kill_up()
        instance.start()
        instance.end_leases()
        instance.send_periodic()
    tiktok.faults.clear()
    ledger.check(refetched=3 * len(accounts))


def test_a_zip_whose_worker_is_killed_twice(ledger: Ledger) -> None:
    instance = ledger.instance
    account = ledger.tiktok.account("corner.bakery")
    for _ in range(4):
        account.video(seconds=2, min_bytes=6_000_000)
    asked = ledger.submit("alice", account)
    ledger.settled()
    instance.people["alice"].insist("POST", f"/jobs/{asked.job_id}/bundle")
    for attempt in (1, 2):
        begun = f"attempt = {attempt} AND state = 'running'"
        deadline = time.monotonic() + 30
        while not instance.database.count("jobs_package", begun):
            assert time.monotonic() < deadline
        instance.kill("worker")
        instance.end_leases()
        instance.send_periodic()
    eventually(lambda: ledger.show(asked)["bundle"])
    ledger.check()


def _since(began: float) -> float:
    return time.monotonic() - began
