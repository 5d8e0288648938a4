"""The disk for saved files, spoilt for real: read-only, exchanged, full, without inodes, damaged.

Mounting wants root and Linux; elsewhere these tests are skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest

from tests.chaos.conftest import Report, Start
from tests.chaos.instance import Instance
from tests.chaos.ledger import Asked, Ledger
from tests.chaos.machine import eventually
from tests.fake_tiktok import FakeTikTok

_DIRECT = build_opener(ProxyHandler({}))
Disk = Callable[..., Path]


def mount(*arguments: str) -> None:
    """The system's `mount`, or a skipped test where it may not."""
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount: {done.stderr.strip()}")


def unmount(path: Path) -> None:
    """Take a mount away, as soon as nobody is in it."""
    subprocess.run(["umount", "--lazy", str(path)], capture_output=True, check=False)


@pytest.fixture
def disk(folder: Path) -> Iterator[Disk]:
    """`disk("size=50m")`: a disk of its own, mounted."""
    made: list[Path] = []

    def make(options: str) -> Path:
        path = folder / f"disk{len(made)}"
        path.mkdir()
        mount("-t", "tmpfs", "-o", options, "tmpfs", str(path))
        made.append(path)
        return path

    yield make
    for path in made:
        unmount(path)


def readiness(instance: Instance) -> dict[str, Any]:
    """What `/health/ready` says of the disk; ok: whether it answers 200."""
    try:
        with _DIRECT.open(f"{instance.url}/health/ready", timeout=10) as answer:
            body, status = json.load(answer), answer.status
    except HTTPError as refused:
        body, status = json.load(refused), refused.code
    disk: dict[str, Any] = body["parts"]["disk"] | {"status": status}
    return disk


def take(instance: Instance, file: dict[str, Any]) -> None:
    """Have alice take a file that is refused."""
    instance.people["alice"].call("GET", file["url"].removeprefix("/api/v1"))


def waits(ledger: Ledger, asked: Asked, code: str) -> None:
    """Every line of the job waits with this code, and has used up no try."""

    def lines() -> bool:
        shown = ledger.show(asked)["items"]
        return all(i["state"] == "queued" and (i["error"] or {}).get("code") == code for i in shown)

    eventually(lines, 60, lambda: str(ledger.show(asked)["items"])[:3000])
    assert ledger.instance.database.count("jobs_item", "tries > 0 AND state = 'queued'") == 0


def goes_on(ledger: Ledger) -> float:
    """Seconds until everything is over, nobody having done anything."""
    began = time.monotonic()
    ledger.settled()
    return time.monotonic() - began


def whole(ledger: Ledger) -> None:
    """Everything that was asked for is there, and nothing else."""
    for asked in ledger.jobs:
        ledger.check_job(asked)
    ledger.check_rows()
    ledger.check_disk()
    ledger.check_usage()


def people(tiktok: FakeTikTok, prefix: str, count: int) -> list[Any]:
    """Accounts of a video and a carousel each."""
    accounts = [tiktok.account(f"{prefix}{number}") for number in range(count)]
    for account in accounts:
        account.video(1)
        account.carousel(2)
    return accounts


@pytest.mark.short
def test_a_disk_turned_read_only(
    start: Start, disk: Disk, tiktok: FakeTikTok, report: Report
) -> None:
    place = disk("size=100m")
    ledger = Ledger(start(artifact_dir=str(place)), tiktok)
    ledger.submit("alice", *people(tiktok, "before", 2))
    ledger.settled()
    mount("-o", "remount,ro", str(place))
    assert readiness(ledger.instance) == {"ok": False, "reason": "not_writable", "status": 503}
    asked = ledger.submit("bob", *people(tiktok, "during", 4))
    waits(ledger, asked, "storage_unavailable")
    mount("-o", "remount,rw", str(place))
    report("disk read-only: over after it was writable", f"{goes_on(ledger):.0f} s")
    assert readiness(ledger.instance)["ok"]
    whole(ledger)


def test_a_folder_exchanged_for_an_empty_one(
    start: Start, tiktok: FakeTikTok, folder: Path, report: Report
) -> None:
    ledger = Ledger(start(), tiktok)
    instance = ledger.instance
    ledger.submit("alice", *people(tiktok, "before", 2))
    ledger.settled()
    mount("-t", "tmpfs", "tmpfs", str(instance.artifacts))
    try:
        assert readiness(instance)["reason"] == "not_mounted"
        shown = ledger.show(ledger.jobs[0])
        with pytest.raises(HTTPError) as refused:
            take(instance, shown["items"][0]["stories"][0]["files"][0])
        with refused.value as answer:
            assert answer.code == 503
        waits(ledger, ledger.submit("bob", *people(tiktok, "during", 2)), "storage_unavailable")
        assert list(instance.artifacts.iterdir()) == []
    finally:
        unmount(instance.artifacts)
    eventually(lambda: readiness(instance)["ok"], 20, "the right folder is back")
    ledger.submit("alice", *people(tiktok, "after", 1))
    report("folder exchanged: over after it was back", f"{goes_on(ledger):.0f} s")
    whole(ledger)


def test_a_folder_exchanged_while_lines_run(
    start: Start, tiktok: FakeTikTok, report: Report
) -> None:
    ledger = Ledger(start(), tiktok)
    instance = ledger.instance
    ledger.submit("alice", *people(tiktok, "before", 1))
    ledger.settled()
    accounts = people(tiktok, "during", 3)
    slow = [tiktok.fault(account, "slow", bytes_per_s=20_000) for account in accounts]
    asked = ledger.submit("bob", *accounts)
    eventually(lambda: list((instance.artifacts / "work").glob("*/*.part")), 30, "it transfers")
    mount("-t", "tmpfs", "tmpfs", str(instance.artifacts))
    try:
        for fault in slow:
            fault.times = 0
        waits(ledger, asked, "storage_unavailable")
        assert list(instance.artifacts.iterdir()) == [], "nothing is made in the wrong folder"
    finally:
        unmount(instance.artifacts)
    report("folder exchanged in mid-job: over after it was back", f"{goes_on(ledger):.0f} s")
    whole(ledger)


def test_a_disk_without_inodes(
    start: Start, disk: Disk, tiktok: FakeTikTok, report: Report
) -> None:
    place = disk("size=100m,nr_inodes=40")
    ledger = Ledger(start(artifact_dir=str(place)), tiktok)
    foreign = place / "foreign"
    foreign.mkdir()
    while left := os.statvfs(place).f_ffree:
        (foreign / str(left)).touch()
    assert readiness(ledger.instance)["reason"] == "no_more_files"
    asked = ledger.submit("alice", *people(tiktok, "much", 3))
    waits(ledger, asked, "disk_full")
    mount("-o", "remount,nr_inodes=100k", str(place))
    report("no inodes: over after there were some", f"{goes_on(ledger):.0f} s")
    whole(ledger)


def test_a_disk_that_somebody_else_has_filled(start: Start, disk: Disk, tiktok: FakeTikTok) -> None:
    """What is too large for what is left is told so; nothing else fails, and a retry brings it."""
    place = disk("size=2m")
    ledger = Ledger(start(artifact_dir=str(place)), tiktok)
    foreign = place / "foreign"
    foreign.write_bytes(bytes(1_900_000))
    accounts = [tiktok.account(f"much{number}") for number in range(3)]
    for account in accounts:
        account.video(1, min_bytes=300_000)
    asked = ledger.submit("alice", *accounts)
    ledger.settled()
    ends = {(i["state"], i["error"]["code"]) for i in ledger.show(asked)["items"]}
    assert ends == {("failed", "disk_full")}
    foreign.unlink()
    ledger.instance.people["alice"].call("POST", f"/jobs/{asked.job_id}/retry")
    ledger.settled()
    whole(ledger)


@pytest.mark.short
def test_one_bit_flipped_and_one_file_cut(start: Start, tiktok: FakeTikTok, report: Report) -> None:
    ledger = Ledger(start(), tiktok)
    instance = ledger.instance
    account = tiktok.account("corner.bakery")
    account.carousel(4)
    asked = ledger.submit("alice", account)
    ledger.settled()
    (story,) = ledger.show(asked)["items"][0]["stories"]
    flipped, cut = [file for file in story["files"] if "poster" not in file["labels"]][:2]
    files = instance.files()
    content = bytearray(files[flipped["id"]].read_bytes())
    content[len(content) // 2] ^= 1
    files[flipped["id"]].write_bytes(content)
    whole = files[cut["id"]].read_bytes()
    files[cut["id"]].write_bytes(whole[: len(whole) // 2])
    with pytest.raises(HTTPError) as refused:
        take(instance, cut)
    assert (refused.value.code, json.load(refused.value)["error"]["code"]) == (410, "damaged")
    # The scrub reads on from where it is: as if a whole pass were due.
    with instance.redis() as server:
        server.set("storykeep:scrub", f"0 {time.time() - 86_400}")
    began = time.monotonic()
    instance.send_periodic("jobs.tasks.sweep")
    eventually(
        lambda: ledger.show(asked)["items"][0]["stories"][0]["damaged"] == 2,
        60,
        lambda: instance.output[-3000:],
    )
    report("a flipped bit: given up after its pass began", f"{time.monotonic() - began:.1f} s")
    left = {file["id"] for file in ledger.show(asked)["items"][0]["stories"][0]["files"]}
    assert not left & {flipped["id"], cut["id"]}
    assert not instance.files().keys() & {flipped["id"], cut["id"]}
