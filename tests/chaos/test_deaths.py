"""Workers that die with lines in hand: for want of memory, in a power cut, one of two."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest

from tests.chaos import machine
from tests.chaos.conftest import Report, Start
from tests.chaos.instance import Instance
from tests.chaos.ledger import Ledger
from tests.chaos.machine import eventually
from tests.fake_tiktok import FakeTikTok

GROUPS: Final = Path("/sys/fs/cgroup/memory")
MIB: Final = 1024 * 1024
ROOM_MIB: Final = 300
"""For a worker and ten ordinary lines; a picture of 40 million pixels takes twice as much."""
DEATHS: Final = 6
"""One that is shared, and five of a line's own."""
DEATHS_OF_A_START: Final = 4
"""A part that dies again and again at once is started later each time: a start anew saves that."""


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group of our own, where such may be made. To be asked for first: it goes last."""
    made = GROUPS / f"storykeep-{uuid4().hex}"
    try:
        made.mkdir()
    except OSError:
        pytest.skip("no control group for memory (version 1) can be made here")
    yield made
    with suppress(OSError):
        made.rmdir()


def limit(instance: Instance, group: Path, *, mib: int = ROOM_MIB) -> None:
    """Have the workers of an instance, and those to come, share so much memory."""
    (group / "memory.limit_in_bytes").write_text(str(mib * MIB))
    for pid in (instance.pid, *instance.parts("worker")):
        (group / "cgroup.procs").write_text(str(pid))


def killed(group: Path) -> int:
    """How many processes of the group had no memory."""
    lines = (group / "memory.oom_control").read_text().splitlines()
    return int(dict(line.split() for line in lines)["oom_kill"])


def end_leases(instance: Instance) -> None:
    """What the time does: leases end, and dead workers are known to be gone."""
    with instance.redis() as server:
        server.delete("storykeep:processes")
    time.sleep(6)  # the living tell of themselves
    instance.end_leases()
    instance.send_periodic()
    eventually(lambda: not stalled(instance), what="what dead workers held is queued")


def end_waits(instance: Instance) -> None:
    """Have no line wait, which one does after a death of its own doing."""
    instance.database.write("UPDATE jobs_item SET not_before = NULL WHERE state = 'queued'")
    instance.send_periodic()


def stalled(instance: Instance) -> int:
    return instance.database.count(
        "jobs_item", "state = 'running' AND heartbeat_at < '2021-01-01 00:00:00+00:00'"
    )


def lines(instance: Instance, where: str = "1 = 1") -> list[dict[str, Any]]:
    sql = f"SELECT * FROM jobs_item WHERE {where} ORDER BY position"  # noqa: S608
    return instance.database.rows(sql)


@pytest.mark.timeout(600)
def test_of_ten_lines_only_the_one_no_memory_is_enough_for_is_given_up(
    group: Path, start: Start, tiktok: FakeTikTok, report: Report
) -> None:
    instance = start()
    ledger = Ledger(instance, tiktok)
    limit(instance, group)
    others = [tiktok.account(f"corner.bakery{number}") for number in range(9)]
    for account in others:
        tiktok.fault(account.photo(), "slow", bytes_per_s=2000)
    huge = tiktok.account("huge.owl")
    huge.photo(size=(5000, 7900), formats=("webp",))
    ledger.submit("alice", huge, *others)
    in_hand: list[int] = []

    def is_over() -> bool:
        running = lines(instance, "state = 'running'")
        if running:
            in_hand[deaths:] = [len(running)]
        return killed(group) > deaths or bool(lines(instance, "state = 'failed'"))

    deaths = 0
    began = time.monotonic()
    while True:
        eventually(is_over, within=120, what=lambda: instance.output[-4000:])
        if killed(group) == deaths:
            break
        deaths += 1
        tiktok.faults.clear()
        eventually(lambda: instance.parts("worker"), what="it was started again")
        end_leases(instance)
        if deaths == DEATHS_OF_A_START:
            assert instance.stop() == 0
            instance.start()
            limit(instance, group)
        end_waits(instance)
    ledger.settled()

    assert (deaths, in_hand) == (DEATHS, [10, *[1] * (DEATHS - 1)])
    first, *rest = lines(instance)
    assert (first["state"], first["error_code"]) == ("failed", "worker_lost")
    assert f"5 workers died with it alone in hand, bug {first['error_detail']}" in instance.output
    assert {(line["state"], line["deaths"]) for line in rest} == {("done", 0)}
    report("a line no memory is enough for", f"given up after {time.monotonic() - began:.0f} s")


@contextmanager
def ballast(group: Path, mib: int) -> Iterator[None]:
    """Somebody else in the group has so much memory."""
    held = f"held = b'x' * ({mib} << 20); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", f"input(); {held}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        (group / "cgroup.procs").write_text(str(process.pid))
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"held\n"
        yield
        process.stdin.close()


def test_while_memory_is_short_one_line_is_in_hand_and_then_all(
    group: Path, start: Start, tiktok: FakeTikTok
) -> None:
    instance = start()
    ledger = Ledger(instance, tiktok)
    limit(instance, group, mib=800)
    instance.kill("worker")  # the next one starts within the group, and looks there
    eventually(lambda: instance.output.count(" ready.") == 2)
    accounts = [tiktok.account(f"corner.bakery{number}") for number in range(8)]
    for account in accounts:
        account.photo()
    fault = tiktok.fault("media", "slow", bytes_per_s=60_000)
    with ballast(group, 670):
        ledger.submit("alice", *accounts)
        while len(lines(instance, "state = 'done'")) < 2:
            assert len(lines(instance, "state = 'running'")) <= 1
            time.sleep(0.05)
        assert fault.hits
        tiktok.faults.clear()
        tiktok.fault("media", "slow", bytes_per_s=2_000)
    eventually(lambda: len(lines(instance, "state = 'running'")) >= 5, within=30)
    tiktok.faults.clear()
    ledger.check(refetched=1)
    assert instance.output.count("memory is short: ") == 1
    assert instance.output.count("memory is not short any more") == 1


def test_power_cuts_blame_no_line(ledger: Ledger) -> None:
    instance, tiktok = ledger.instance, ledger.tiktok
    accounts = [tiktok.account(f"corner.bakery{number}") for number in range(6)]
    for account in accounts:
        account.photo()
    tiktok.fault("media", "slow", bytes_per_s=2000)
    ledger.submit("alice", *accounts)
    for _ in range(3):
        eventually(lambda: len(lines(instance, "state = 'running' AND listed_at IS NOT NULL")) == 6)
        instance.cut_power()
        instance.start()
        end_leases(instance)
    assert {(line["deaths"], line["outages"]) for line in lines(instance)} == {(0, 3)}
    tiktok.faults.clear()
    ledger.settled()
    assert {(line["state"], line["outages"]) for line in lines(instance)} == {("done", 0)}


def test_of_two_workers_one_tries_lines_alone_and_the_other_goes_on(
    start: Start, tiktok: FakeTikTok, report: Report
) -> None:
    instance = start(workers="2", item_concurrency="6")
    ledger = Ledger(instance, tiktok)
    accounts = [tiktok.account(f"corner.bakery{number}") for number in range(40)]
    for account in accounts:
        account.photo()
    tiktok.fault("media", "slow", bytes_per_s=20_000)
    ledger.submit("alice", *accounts)
    eventually(lambda: len(lines(instance, "state = 'running'")) == 12)
    first, second = instance.parts("worker")
    machine.send([first], signal.SIGKILL)
    eventually(lambda: instance.parts("worker") not in ([first, second], [second]))
    end_leases(instance)

    alone, beside = 0, 0
    suspects = {line["id"] for line in lines(instance, "deaths > 0")}
    assert 0 < len(suspects) <= 6
    while lines(instance, "state IN ('queued', 'running')"):
        running = lines(instance, "state = 'running'")
        tried = [line for line in running if line["deaths"]]
        for line in tried:
            of_same_worker = [other for other in running if other["holder"] == line["holder"]]
            assert of_same_worker == [line]
        alone += len(tried)
        beside += len(running) - len(tried) if tried else 0
        time.sleep(0.05)
    assert alone
    assert beside, "the other worker went on"
    assert {(line["state"], line["deaths"]) for line in lines(instance)} == {("done", 0)}
    report("beside a line tried alone, the other worker had", f"{beside / alone:.1f} lines")
