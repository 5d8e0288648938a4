"""The disk of SQLite full while lines are on their way: none fails, and all go on by themselves."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest

from tests.chaos.conftest import Report, Start
from tests.chaos.instance import Instance
from tests.chaos.ledger import Ledger
from tests.chaos.machine import eventually
from tests.chaos.phases import populate
from tests.fake_tiktok import FakeTikTok

FULL_S = 10.0
GOES_ON_WITHIN_S = 150.0
"""A lease of a line that could not even be written off, and a look of the reaper."""
_DIRECT = build_opener(ProxyHandler({}))

OnDisk = Callable[[Instance], Instance]


@pytest.fixture
def on_disk(folder: Path) -> Iterator[OnDisk]:
    """`on_disk(instance)`: its data folder is a disk of its own from now on."""
    mounted: list[Path] = []

    def move(instance: Instance) -> Instance:
        aside = instance.folder.rename(folder / "aside")
        instance.folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(instance.folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("cannot mount")
        mounted.append(instance.folder)
        shutil.copytree(aside, instance.folder, dirs_exist_ok=True)
        return instance

    yield move
    for path in mounted:
        subprocess.run(["umount", "--lazy", str(path)], check=False)


def reason(instance: Instance) -> str:
    """Why the database is not ready; "" when it is."""
    try:
        with _DIRECT.open(f"{instance.url}/health/ready", timeout=30) as answer:
            parts = json.load(answer)["parts"]
    except HTTPError as refused:
        parts = json.load(refused)["parts"]
    return str(parts["database"].get("reason", ""))


def test_lines_in_flight(
    on_disk: OnDisk, make: Start, folder: Path, tiktok: FakeTikTok, report: Report
) -> None:
    instance = make(artifact_dir=str(folder / "saved"))
    if instance.database.url:
        pytest.skip("PostgreSQL's full disk is in test_postgres.py")
    ledger = Ledger(on_disk(instance).start(), tiktok)
    accounts = [populate(ledger, f"night.trains{number}") for number in range(4)]
    tiktok.fault("video", "slow", bytes_per_s=40_000)
    ledger.submit("alice", *accounts)
    eventually(lambda: instance.database.count("jobs_artifact", "role = 'media'") == len(accounts))
    filler = instance.folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    try:
        tiktok.faults.clear()
        eventually(lambda: reason(instance) == "full", 30, lambda: reason(instance))
        time.sleep(FULL_S)  # the videos arrive, and cannot be written down
        assert instance.database.count("jobs_item", "state IN ('queued', 'running')")
        assert not instance.database.count("jobs_item", "state IN ('failed', 'partial')")
    finally:
        filler.unlink()
    began = time.monotonic()
    ledger.settled(within=GOES_ON_WITHIN_S)
    report("SQLite's disk full: over after there was room", f"{time.monotonic() - began:.0f} s")
    ledger.check(refetched=2 * len(accounts))
    with instance.redis() as server:
        told = " ".join(server.lrange("storykeep:log", 0, -1))
    assert "is left to the reaper: database or disk is full" in told, "the System page tells it"
    assert ", bug " not in instance.output
    assert " died (" not in instance.output
